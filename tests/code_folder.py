"""A user's folder of code."""

from pathlib import Path


def a_code_folder(place: Path) -> Path:
    """A module, and a program in a folder below."""
    made = place / "mylib"
    (made / "inner").mkdir(parents=True)
    (made / "a.py").write_text("print(1)\n")
    (made / "inner" / "run.sh").write_text("#!/bin/sh\n")
    (made / "inner" / "run.sh").chmod(0o755)
    return made
