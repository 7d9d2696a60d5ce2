"""What import-linter cannot see: a decision or a value that asks for the time, a file or chance."""

import ast
from pathlib import Path

import pytest

import router

PURE = [path for part in ("decide", "model") for path in sorted((Path(router.__file__).parent / part).rglob("*.py"))]
FORBIDDEN = {"open", "print", "input", "eval", "exec", "now", "utcnow", "today", "time", "getenv", "__import__"}


@pytest.mark.parametrize("path", PURE, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_decision_reads_the_clock_a_file_or_chance(path):
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    named = {call.id if isinstance(call, ast.Name) else getattr(call, "attr", "") for call in calls}
    assert not named & FORBIDDEN
