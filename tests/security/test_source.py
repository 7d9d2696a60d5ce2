"""What our own code never does: the classes of faults that made others' programs run what a value said."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("router", "examples", "benchmarks", "tools", "glidein_scripts")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))

CALLS = {"eval", "exec", "compile", "execfile", "__import__", "os.system", "os.popen", "tempfile.mktemp"}
CALLS |= {"yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load", "subprocess.getoutput"}
CALLS |= {"numpy.load", "np.load", "commands.getoutput", "ssl._create_unverified_context"}
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "telnetlib", "commands", "code"}
ANY_OBJECT = {"yaml.Loader", "yaml.UnsafeLoader", "yaml.FullLoader", "yaml.CLoader", "yaml.CUnsafeLoader"}
FLAGS = {"shell": True, "verify": False, "check_hostname": False, "allow_pickle": True}
OPERATORS = re.compile(r"==|=\?=|=!=|&&|\|\||<=|>=|\bSELECT\b|\bINSERT INTO\b|\bDELETE FROM\b|\bWHERE\b")
ENCODED = re.compile(
    r"(int|quoted|classad2\.quote|site_list|min|max)\(.*\)|_of_task\(task\)|cluster|where|near|listed|due|Cure\.[A-Z]+"
)
"""What may stand in an expression for HTCondor: numbers, what the encoder made, and what was made of these."""
LANGUAGE = re.compile(r"^\s*(queue|executable\s*=|universe\s*=|\+\w+\s*=)", re.MULTILINE)


def found_in(text: str) -> Iterator[str]:
    """Each thing in a source that may not be there."""
    for node in ast.walk(ast.parse(text)):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Call):
            yield from (f"{line}: {words}" for words in _calls(node))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from (f"{line}: import {name}" for name in names if name.split(".")[0] in MODULES)
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in ANY_OBJECT:
            yield f"{line}: {ast.unparse(node)}"


def _calls(node: ast.Call) -> Iterator[str]:
    name = ast.unparse(node.func)
    if name in CALLS:
        yield f"{name}()"
    filtered = [each for each in node.keywords if each.arg == "filter" and ast.unparse(each.value) == "'data'"]
    if name.rpartition(".")[2] in {"extractall", "extract", "unpack_archive"} and not filtered:
        yield f"{name}() without filter='data'"
    for each in node.keywords:
        if each.arg in FLAGS and isinstance(each.value, ast.Constant) and each.value.value is FLAGS[each.arg]:
            yield f"{each.arg}={each.value.value}"
    if name.rpartition(".")[2] in {"execute", "executemany", "exec_driver_sql"} and not _is_whole(node.args[0]):
        yield "SQL made of strings"


def _is_whole(statement: ast.expr) -> bool:
    """Whether a statement is no text with values in it; a constant of ours that is written as a number may be."""
    if isinstance(statement, ast.JoinedStr):
        values = [part for part in statement.values if isinstance(part, ast.FormattedValue)]
        return all(ast.unparse(part.value).isupper() and part.format_spec is not None for part in values)
    return not isinstance(statement, ast.BinOp)


def joined(text: str) -> Iterator[str]:
    """Each expression or description for HTCondor that is made of values which no encoder made."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.JoinedStr):
            words = "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
            values = [ast.unparse(part.value) for part in node.values if isinstance(part, ast.FormattedValue)]
            if OPERATORS.search(words) and (bad := [value for value in values if not ENCODED.fullmatch(value)]):
                yield f"{node.lineno}: {bad} in an expression"
            if LANGUAGE.search(words) and values:
                yield f"{node.lineno}: a submit description made of strings"
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and OPERATORS.search(ast.unparse(node.left)):
            yield f"{node.lineno}: % in an expression"


@pytest.mark.attack("A23")
@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_runs_what_a_value_says(path: Path) -> None:
    assert list(found_in(path.read_text())) == []


@pytest.mark.attack("A16", "A23")
@pytest.mark.parametrize("folder", ["pool", "pilots", "store", "render", "loops"])
def test_no_expression_of_htcondors_is_made_of_bare_values(folder: str) -> None:
    found = [
        f"{path.name}:{each}" for path in (ROOT / "router" / folder).glob("*.py") for each in joined(path.read_text())
    ]
    assert found == []


@pytest.mark.attack("A23")
@pytest.mark.parametrize(
    "text",
    [
        "eval(x)",
        "exec(x)",
        "import pickle",
        "from pickle import loads",
        "import os\nos.system(x)",
        "subprocess.run(x, shell=True)",
        "requests.get(x, verify=False)",
        "yaml.load(x)",
        "yaml.compose(x, Loader=yaml.Loader)",
        "tarfile.open(x).extractall(y)",
        "tarfile.open(x).extractall(y, filter='tar')",
        "tempfile.mktemp()",
        "np.load(x, allow_pickle=True)",
        "connection.execute(f'SELECT {x}')",
        "connection.execute('SELECT ' + x)",
    ],
)
def test_what_is_banned_is_found(text: str) -> None:
    assert list(found_in(text))


@pytest.mark.attack("A16")
@pytest.mark.parametrize(
    "text", ["f'Owner == {owner}'", "f'a =?= \"{task}\"'", "'Owner == %s' % owner", "f'executable = {x}\\nqueue'"]
)
def test_a_bare_value_in_an_expression_is_found(text: str) -> None:
    assert list(joined(text))


SHELL = sorted(path for path in (ROOT / "glidein_scripts").iterdir() if path.suffix in (".sh", ".bash", ".source"))


@pytest.mark.attack("A46")
@pytest.mark.parametrize("path", SHELL, ids=lambda path: path.name)
def test_no_glidein_script_evaluates_text(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    assert not [line for line in lines if re.search(r"\beval\b|\bbash -c\b|\bsh -c\b|`", line)]
    assert not [line for line in lines if re.search(r"\b(curl|wget)\b", line)]
