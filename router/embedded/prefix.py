"""Which HTCondor the embedded pool runs: the machine's own, or a relocatable copy made once and cached."""

import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from router.embedded import debian
from router.embedded.programs import call
from router.errors import RouterError, TemporaryError
from router.render.pool_config import Release

OLDEST = (25, 0)
# Where packages put daemons; an ordinary user's PATH often leaves it out.
SYSTEM_FOLDERS = ("/usr/sbin",)


@dataclass(frozen=True, slots=True)
class Installation:
    """An HTCondor that can run a pool; `programs` is a folder for PATH with its programs and nothing else."""

    version: str
    release: Release
    programs: Path


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Return where prefixes are kept between runs: below XDG_CACHE_HOME, by default ~/.cache."""
    base = environment.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "glideroute"


def provide(cache: Path, progress: Callable[[str], None]) -> Installation:
    """Find an HTCondor that is recent enough, or make one. Raise RouterError when neither is possible."""
    if found := find(cache):
        return found
    prefix = debian.build(cache, progress)
    installation = _at(_prefix_release(prefix), prefix / "programs")
    if installation is None:
        raise RouterError(
            f"The HTCondor just made in {prefix} does not run on this machine. "
            f"Try {prefix / 'programs' / 'condor_version'} by hand to see why; "
            "an HTCondor 25.0 or newer installed by the machine's administrator is used instead when on PATH."
        )
    return installation


def find(cache: Path) -> Installation | None:
    """Return the HTCondor on PATH if recent enough, else the newest cached prefix, else None."""
    return _on_path() or _cached(cache)


def _on_path() -> Installation | None:
    master = shutil.which("condor_master", path=":".join((os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS)))
    if master is None:
        return None
    sbin = Path(master).resolve().parent
    root = sbin.parent
    libexec = next(
        (each for each in (root / "libexec/condor", root / "libexec") if (each / "condor_shared_port").exists()),
        None,
    )
    if libexec is None:
        return None
    lib = next((each for each in (root / "lib64/condor", root / "lib/condor") if each.is_dir()), root / "lib")
    return _at(Release(root / "bin", sbin, lib, libexec), root / "bin")


def _cached(cache: Path) -> Installation | None:
    prefixes = sorted(
        debian.prefixes(cache),
        key=lambda prefix: ([int(part) for part in re.findall(r"\d+", prefix.name.split("-")[1])], prefix.name),
        reverse=True,
    )
    found = (_at(_prefix_release(prefix), prefix / "programs") for prefix in prefixes)
    return next((each for each in found if each is not None), None)


def _prefix_release(prefix: Path) -> Release:
    usr = prefix / "usr"
    return Release(usr / "bin", usr / "sbin", usr / "lib/condor", usr / "libexec/condor")


def _at(release: Release, programs: Path) -> Installation | None:
    version = _version(release.bin / "condor_version")
    if version is None or tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        return None
    return Installation(version, release, programs)


def _version(program: Path) -> str | None:
    try:
        finished = call([program], {"CONDOR_CONFIG": os.devnull, "PATH": os.defpath}, 30)
    except (OSError, TemporaryError):
        return None
    match = re.search(r"\$CondorVersion: (\d+\.\d+\.\d+)", finished.stdout)
    return match[1] if match else None
