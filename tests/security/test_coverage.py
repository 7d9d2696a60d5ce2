"""Every attack of the list is held out by a test, and the list that people read is this one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from attack_cases import CASES

HERE = Path(__file__).parent


def marked() -> Iterator[tuple[str, str]]:
    """Each case of a test's mark, with the test's name; a module's mark counts for its tests."""
    for path in HERE.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for mark in map(ast.unparse, node.decorator_list):
                    if mark.startswith("pytest.mark.attack("):
                        yield from ((case, node.name) for case in re.findall(r"A\d\d", mark))


def test_every_attack_of_the_list_has_a_test() -> None:
    assert {case for case, _ in marked()} == set(CASES)


def test_the_page_tells_the_same_list() -> None:
    page = (HERE.parents[1] / "docs" / "attacks.md").read_text().replace(r"\|", "|")
    assert re.findall(r"^\| (A\d\d) \| (.+) \|$", page, re.MULTILINE) == list(CASES.items())


def test_the_list_is_whole() -> None:
    assert list(CASES) == [f"A{number:02d}" for number in (*range(1, 26), 29, *range(39, 61))]
