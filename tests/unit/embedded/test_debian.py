"""The prefix is made from Debian packages, once; a stand-in for apt plays the archive."""

import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from router.embedded import debian, prefix
from router.errors import RouterError, TemporaryError

PACKAGES = {
    "condor_25.14.1+dfsg-1_amd64.deb": "aa11",
    "libc6_2%3a2.43-7_amd64.deb": "bb22",
    "perl-base_5.42.3-1_amd64.deb": "cc33",
}
# Says what it is asked in a file beside it; a downloaded package holds its own name.
APT_GET = """#!/bin/sh
echo "$@" >> {folder}/asked
{failure}
case "$*" in
  *--print-uris*) cat {folder}/uris ;;
  *" download "*) touch condor_25.14.1+dfsg-1_amd64.deb ;;
esac
"""
DPKG_DEB = """#!/bin/sh
mkdir -p "$3/usr/bin" "$3/usr/sbin"
cp {folder}/program "$3/usr/bin/condor_version"
cp {folder}/program "$3/usr/bin/ls"
printf '#!/bin/sh\\n' > "$3/usr/sbin/condor_script"
"""


class Archive:
    """An apt-get and a dpkg-deb of our own, first on PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.offer(PACKAGES)
        self.fail("")
        self._program("dpkg-deb", DPKG_DEB.format(folder=folder))
        shutil.copy("/bin/true", folder / "program")

    def offer(self, packages: dict[str, str]) -> None:
        lines = [f"'http://archive/{file}' {file} 100 SHA256:{digest}\n" for file, digest in packages.items()]
        (self.folder / "uris").write_text("Reading package lists...\n" + "".join(lines))

    def fail(self, command: str) -> None:
        self._program("apt-get", APT_GET.format(folder=self.folder, failure=command))

    def asked(self, word: str) -> int:
        file = self.folder / "asked"
        return sum(f" {word} " in line for line in file.read_text().splitlines()) if file.exists() else 0

    def _program(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o755)


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    folder = tmp_path / "archive"
    folder.mkdir()
    keyring = folder / "keyring.gpg"
    keyring.touch()
    monkeypatch.setattr(debian, "KEYRING", keyring)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return Archive(folder)


def silent(_: str) -> None:
    pass


def test_a_prefix_is_named_by_version_and_packages_and_its_programs_use_its_own_libraries(
    archive: Archive, tmp_path: Path
) -> None:
    made = debian.build(tmp_path / "cache", silent)
    assert made.name.startswith("htcondor-25.14.1-")
    interpreter = subprocess.run(
        [debian._patchelf(), "--print-interpreter", made / "usr/bin/condor_version"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert interpreter == str(made / debian.LOADER)


def test_a_prefix_puts_the_condor_programs_alone_on_a_path(archive: Archive, tmp_path: Path) -> None:
    made = debian.build(tmp_path / "cache", silent)
    programs = {each.name: each.resolve() for each in (made / "programs").iterdir()}
    assert programs == {
        "condor_version": made / "usr/bin/condor_version",
        "condor_script": made / "usr/sbin/condor_script",
    }


def test_nothing_is_left_of_a_build_but_the_prefix(archive: Archive, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (cache / "building-killed").mkdir(parents=True)
    made = debian.build(cache, silent)
    assert {each.name for each in cache.iterdir()} == {made.name, "build.lock"}


def test_packages_the_pool_never_loads_are_not_fetched(archive: Archive, tmp_path: Path) -> None:
    debian.build(tmp_path / "cache", silent)
    fetch = next(line for line in (archive.folder / "asked").read_text().splitlines() if " download " in line)
    assert fetch.endswith("download condor=25.14.1+dfsg-1 libc6=2:2.43-7")


def test_the_same_packages_are_not_fetched_twice(archive: Archive, tmp_path: Path) -> None:
    first = debian.build(tmp_path / "cache", silent)
    assert debian.build(tmp_path / "cache", silent) == first
    assert archive.asked("download") == 1


def test_other_packages_make_another_prefix(archive: Archive, tmp_path: Path) -> None:
    first = debian.build(tmp_path / "cache", silent)
    archive.offer({**PACKAGES, "libc6_2%3a2.43-7_amd64.deb": "dd44"})
    assert debian.build(tmp_path / "cache", silent) != first
    assert len(debian.prefixes(tmp_path / "cache")) == 2


def test_two_builds_at_once_make_one_prefix(archive: Archive, tmp_path: Path) -> None:
    made: list[Path] = []
    threads = [threading.Thread(target=lambda: made.append(debian.build(tmp_path / "cache", silent))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 3
    assert len(set(made)) == 1
    assert archive.asked("download") == 1


def test_apt_keeps_to_folders_of_its_own_and_checks_signatures(archive: Archive, tmp_path: Path) -> None:
    debian.build(tmp_path / "cache", silent)
    for asked in (archive.folder / "asked").read_text().splitlines():
        options = dict(word.split("=", 1) for word in asked.split() if "::" in word)
        assert {options[name].startswith(str(tmp_path / "cache")) for name in debian_folders(options)} == {True}
        assert options["Dir::Etc::sourceparts"] == "-"
        assert not any("Insecure" in name or "AllowUnauthenticated" in name for name in options)


def debian_folders(options: dict[str, str]) -> set[str]:
    folders = {"Dir::Etc::sourcelist", "Dir::State", "Dir::State::lists", "Dir::State::status", "Dir::Cache"}
    assert folders <= set(options)
    return folders


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ("echo \"E: Could not resolve 'deb.debian.org'\" >&2; exit 100", "check the network"),
        ("echo \"E: Could not resolve 'deb.debian.org'\" >&2; exit 100", "Could not resolve 'deb.debian.org'"),
        ("echo 'E: The repository is not signed.' >&2; exit 100", "not signed"),
        ('echo "E: You don\'t have enough free space in /x/." >&2; exit 100', "Free some space"),
        ("echo 'write: No space left on device' >&2; exit 2", "Free some space"),
    ],
)
def test_what_stops_apt_is_said_with_what_to_do(archive: Archive, tmp_path: Path, failure: str, words: str) -> None:
    archive.fail(failure)
    with pytest.raises(TemporaryError) as raised:
        debian.build(tmp_path / "cache", silent)
    assert words in str(raised.value)
    assert debian.prefixes(tmp_path / "cache") == []


def test_a_full_disk_is_noticed_before_anything_is_fetched(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debian, "NEEDED_BYTES", 1 << 60)
    with pytest.raises(TemporaryError, match="MB are free on the disk"):
        debian.build(tmp_path / "cache", silent)
    assert archive.asked("update") == 0


def test_a_cache_that_cannot_be_written_is_named(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, no folder")
    with pytest.raises(TemporaryError, match="XDG_CACHE_HOME"):
        debian.build(tmp_path / "cache", silent)


def test_a_machine_without_apt_is_told_what_to_install(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RouterError, match="apt-get and dpkg-deb cannot be found here"):
        debian.build(tmp_path / "cache", silent)


def test_a_machine_without_debians_keys_is_told_what_to_install(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debian, "KEYRING", tmp_path / "none.gpg")
    with pytest.raises(RouterError, match="debian-archive-keyring"):
        debian.build(tmp_path / "cache", silent)


def test_another_kind_of_machine_is_told_to_bring_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(RouterError, match="this machine is linux on aarch64"):
        debian.build(tmp_path / "cache", silent)


def an_htcondor(root: Path, version: str) -> Path:
    """A folder that looks like an installation; its condor_version says this version."""
    for name in ("usr/bin", "usr/sbin", "usr/libexec/condor", "programs"):
        (root / name).mkdir(parents=True)
    for name in ("usr/sbin/condor_master", "usr/libexec/condor/condor_shared_port", "usr/bin/condor_version"):
        (root / name).write_text(f"#!/bin/sh\necho '$CondorVersion: {version} 2026-10-16 PackageID: 1 $'\n")
        (root / name).chmod(0o755)
    return root


@pytest.fixture
def no_htcondor_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefix, "SYSTEM_FOLDERS", ())
    monkeypatch.setenv("PATH", "/nowhere")


@pytest.mark.usefixtures("no_htcondor_on_path")
def test_a_recent_htcondor_on_path_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = an_htcondor(tmp_path / "own", "25.0.3")
    monkeypatch.setenv("PATH", f"{root / 'usr/sbin'}:/bin")
    found = prefix.provide(tmp_path / "cache", silent)
    assert (found.version, found.release.libexec) == ("25.0.3", root / "usr/libexec/condor")


@pytest.mark.usefixtures("no_htcondor_on_path")
def test_an_old_htcondor_on_path_is_passed_over_for_the_newest_prefix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = an_htcondor(tmp_path / "own", "23.9.6")
    monkeypatch.setenv("PATH", f"{old / 'usr/sbin'}:/bin")
    an_htcondor(tmp_path / "cache/htcondor-25.9.1-aaaa", "25.9.1")
    an_htcondor(tmp_path / "cache/htcondor-25.14.1-bbbb", "25.14.1")
    assert prefix.provide(tmp_path / "cache", silent).version == "25.14.1"


@pytest.mark.usefixtures("no_htcondor_on_path")
def test_a_prefix_that_does_not_run_is_passed_over(tmp_path: Path) -> None:
    an_htcondor(tmp_path / "htcondor-25.9.1-aaaa", "25.9.1")
    broken = an_htcondor(tmp_path / "htcondor-25.14.1-bbbb", "25.14.1")
    (broken / "usr/bin/condor_version").unlink()
    found = prefix.find(tmp_path)
    assert found is not None
    assert found.version == "25.9.1"
    assert found.programs == tmp_path / "htcondor-25.9.1-aaaa/programs"


@pytest.mark.usefixtures("no_htcondor_on_path")
def test_a_new_prefix_that_does_not_run_here_is_reported(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{archive.folder}:/usr/bin:/bin")
    with pytest.raises(RouterError, match="does not run on this machine"):
        prefix.provide(tmp_path / "cache", silent)


def test_the_cache_follows_the_desktop_convention() -> None:
    assert prefix.cache_folder({"XDG_CACHE_HOME": "/c"}) == Path("/c/glideroute")
    assert prefix.cache_folder({"XDG_CACHE_HOME": "relative"}) == Path.home() / ".cache/glideroute"
    assert prefix.cache_folder({}) == Path.home() / ".cache/glideroute"
