"""Programs for worker nodes as zip applications (PEP 441): of many modules, and yet one file to send."""

import io
import re
import zipfile
from functools import cache
from pathlib import Path

from router import worker

SUFFIX = ".pyz"
_PACKAGE = worker.__name__
_FOLDER = Path(worker.__file__).parent
_IMPORT = re.compile(rf"^ *from ({re.escape(_PACKAGE)}\.[\w.]+) import", re.MULTILINE)
_SHEBANG = b"#!/usr/bin/env python3\n"
_MAIN = "import sys\n\nfrom {module} import main\n\nsys.exit(main(sys.argv[1:]))\n"
_TIME = (1980, 1, 1, 0, 0, 0)
"""The first that a zip archive can tell."""
_UNIX = 3
_MODE = 0o100644


@cache
def zip_application(name: str) -> bytes:
    """The program `name`, such as `run_job.pyz`: its module of router.worker with those of them that it imports.

    The same bytes on every machine and with every Python: nothing is compressed, for zlib's versions differ in that.
    """
    entry = f"{_PACKAGE}.{name.removesuffix(SUFFIX)}"
    modules = _imported(entry)
    packages = {".".join(module.split(".")[:depth]) for module in modules for depth in range(1, module.count(".") + 1)}
    members = {
        "__main__.py": _MAIN.format(module=entry),
        # Empty, as a package must be that is only a place: of ours, `router` itself would import all the rest.
        **{f"{package.replace('.', '/')}/__init__.py": "" for package in packages},
        **{f"{module.replace('.', '/')}.py": source for module, source in modules.items()},
    }
    content = io.BytesIO()
    content.write(_SHEBANG)
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for path, source in sorted(members.items()):
            member = zipfile.ZipInfo(path, _TIME)
            member.create_system, member.external_attr = _UNIX, _MODE << 16
            archive.writestr(member, source)
    return content.getvalue()


def _imported(entry: str) -> dict[str, str]:
    """The source of a module and of all of router.worker that it needs, by module."""
    found: dict[str, str] = {}
    wanted = [entry]
    while wanted:
        module = wanted.pop()
        if module not in found:
            path = _FOLDER.joinpath(*module.removeprefix(f"{_PACKAGE}.").split("."))
            found[module] = path.with_suffix(".py").read_text(encoding="utf-8")
            wanted += _IMPORT.findall(found[module])
    return found
