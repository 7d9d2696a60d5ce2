"""No part has more rights than it needs, and what is old or unknown is told."""

import configparser
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from router.decide.advisories import ADVISORIES, known, version
from router.decide.health import HOLE, health
from router.model.policy import BrokerPolicy
from router.testing.build import a_site
from router.testing.clock import NOON

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "packaging" / "systemd").glob("*.service"))
MOST_EXPOSED = 1.5
"""From 0 to 10; what is left is the network, which a daemon is there for."""
HARDENED = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "AmbientCapabilities": "",
    "ProtectSystem": "strict",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectClock": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectControlGroups": "yes",
    "ProtectProc": "invisible",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6",
    "LockPersonality": "yes",
    "MemoryDenyWriteExecute": "yes",
    "RemoveIPC": "yes",
    "SystemCallArchitectures": "native",
}


@pytest.mark.attack("A55")
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_daemon_runs_as_a_user_of_its_own_without_any_right_it_does_not_use(path: Path) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(path)
    service = unit["Service"]
    assert {name: service.get(name) for name in HARDENED} == HARDENED
    assert service["User"] not in ("root", "condor", "")
    assert service["UMask"] in ("0027", "0077")


@pytest.mark.attack("A55")
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_systemd_itself_finds_little_that_a_daemon_is_exposed_to(path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not on this machine")
    command = [program, "security", "--offline=true", "--no-pager", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    [score] = re.findall(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    assert float(score) <= MOST_EXPOSED


@pytest.mark.attack("A59")
@pytest.mark.parametrize(
    ("text", "weak"),
    [
        ("24.0.21", True),
        ("24.0.22", False),
        ("24.12.4", True),
        ("24.12.22", False),
        ("25.0.11", True),
        ("25.0.12", False),
        ("25.3.0", True),
        ("25.11.0", True),
        ("25.11.1", False),
        ("25.14.1", False),
        ("26.0.1", False),
        ("23.9.6", True),
        ("$CondorVersion: 25.0.7 2026-01-01 BuildID: 1 $", True),
    ],
)
def test_a_version_with_a_known_weakness_is_named_with_its_advisory(text: str, weak: bool) -> None:
    found = version(text)
    assert found is not None
    assert ("HTCONDOR-2026-0001" in {each.name for each in known(found)}) is weak


@pytest.mark.attack("A59")
@pytest.mark.parametrize(
    ("text", "weak"), [("24.12.13", True), ("24.12.14", False), ("25.0.2", True), ("25.0.3", False), ("25.3.0", True)]
)
def test_a_version_in_which_a_crafted_job_runs_as_another_user_is_named(text: str, weak: bool) -> None:
    found = version(text)
    assert found is not None
    assert ("HTCONDOR-2025-0002" in {each.name for each in known(found)}) is weak


@pytest.mark.attack("A59")
def test_every_advisory_has_a_page_and_its_mended_versions_in_order() -> None:
    for each in ADVISORIES:
        assert re.fullmatch(r"https://htcondor\.org/security/vulnerabilities/HTCONDOR-\d{4}-\d{4}", each.address)
        assert list(each.fixed) == sorted(each.fixed)


@pytest.mark.attack("A60")
def test_every_dependency_is_locked_with_its_hashes() -> None:
    lock = (ROOT / "requirements" / "lock.txt").read_text()
    entries = re.findall(
        r"^([A-Za-z0-9._-]+)==([^\s\\]+)((?:\s*\\\n\s+--hash=sha256:[0-9a-f]{64})*)", lock, re.MULTILINE
    )
    assert entries
    assert [name for name, _, hashes in entries if not hashes] == []
    assert not re.search(r"^\s*(-e|git\+|https?://|--extra-index-url|--trusted-host)", lock, re.MULTILINE)
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    locked = {name.lower().replace("_", "-") for name, _, _ in entries}
    assert {re.split(r"[<>=!~ \[]", each)[0].lower().replace("_", "-") for each in wanted} <= locked


@pytest.mark.attack("A60")
def test_the_environment_is_made_of_what_the_lock_says_and_checked() -> None:
    text = (ROOT / "tools" / "bootstrap.sh").read_text()
    assert "--require-hashes" in text


@pytest.mark.attack("A51")
def test_a_site_that_ends_every_job_at_once_gets_no_more_and_does_not_close_the_others() -> None:
    policy = BrokerPolicy()
    others = tuple(a_site(name, succeeded=20) for name in ("SITE_B", "SITE_C", "SITE_D"))
    row = {"streak": policy.hole_failures, "streak_tasks": 2, "streak_at": NOON, "failed": policy.hole_failures}
    closed = health((a_site("SITE_A", **row), *others), (), policy, NOON).closed
    assert {name: each.tag for name, each in closed.items()} == {"SITE_A": HOLE}
