"""What an ignore file leaves out, as git would."""

import pytest

from router.model import ignore


@pytest.mark.parametrize(
    ("lines", "path", "folder", "out"),
    [
        ("*.root", "a.root", False, True),
        ("*.root", "deep/er/a.root", False, True),
        ("/*.root", "deep/a.root", False, False),
        ("data/", "data", True, True),
        ("data/", "sub/data", True, True),
        ("data/", "data", False, False),
        ("a/b", "a/b", False, True),
        ("a/b", "x/a/b", False, False),
        ("a/**", "a/x/y", False, True),
        ("**/z", "a/b/z", False, True),
        ("a/**/z", "a/z", False, True),
        ("?.txt", "ab.txt", False, False),
        ("*.txt\n!keep.txt", "keep.txt", False, False),
        ("# *.txt", "a.txt", False, False),
        ("a+b[1]", "a+b[1]", False, True),
        ("", "x/.git", True, True),
        ("", "m/__pycache__", True, True),
        ("!.venv/", ".venv", True, False),
    ],
)
def test_a_path_is_left_out_as_git_would(lines, path, folder, out):
    assert ignore.ignored(ignore.parse(lines), path, folder) is out
