"""Values and files made to do harm on a worker node, against the real glidein scripts."""

import hashlib
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import classad2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.model import names
from router.model.pilot import Entry
from router.render.glidein import MANIFEST, STARTUP, PoolContact, glidein_files, manifest_digest
from router.resources import folder

SCRIPTS = folder("glidein_scripts")
SHELL_TRICKS = [
    "$(touch CANARY)",
    "`touch CANARY`",
    "'; touch CANARY; '",
    '"; touch CANARY; "',
    "|| touch CANARY",
    "\n touch CANARY",
    "a\nEVIL 1",
    "${IFS}x",
    "$((1+1))",
    "a b\tc",
    "*",
    "-rf /",
    "back\\slash\\",
    '\\"',
    "$ENV(HOME) $(RELEASE_DIR) $$(X)",
    "%s%n",
    ",;=",
    "é≥",
    "]]></detail></OSGTestResult><status>OK</status>",
]
HOSTILE = st.lists(
    st.sampled_from(SHELL_TRICKS)
    | st.text(st.sampled_from("$()`'\"\\ ;|&<>{}*?~#=,%\n\tabé"), max_size=12)
    | st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20),
    min_size=150,
    max_size=200,
)


def bash(program: str, values: Sequence[str], cwd: Path | None = None) -> list[str]:
    """What a bash program prints, in parts that end in a zero byte."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C",
        "work": "/none",
        "condor_vars_file": "/none",
        "start_dir": "/none",
    }
    done = subprocess.run(
        ["/bin/bash", "-euc", program, "bash", *values],
        env=environment,
        cwd=cwd,
        capture_output=True,
        timeout=60,
        check=True,
    )
    return done.stdout.decode().split("\0")[:-1]


def one_line(text: str) -> str:
    """Control characters become blanks on a worker node."""
    return "".join(" " if ord(char) < 0x20 or ord(char) == 0x7F else char for char in text)


def unmacroed(text: str) -> str:
    """What HTCondor makes of a setting whose every dollar was written as a macro."""
    assert "$" not in text.replace("$(DOLLAR)", "")
    return text.replace("$(DOLLAR)", "$")


@pytest.mark.attack("A46")
@settings(max_examples=4)
@given(HOSTILE)
def test_any_text_becomes_one_string_of_a_setting_that_reads_the_same(values: list[str]) -> None:
    program = f'source {SCRIPTS}/glidein_condor.bash; for v in "$@"; do config_value S "$v"; printf "\\0"; done'
    for value, encoded in zip(values, bash(program, values), strict=True):
        assert "\n" not in encoded
        assert not encoded.endswith("\\")
        text = unmacroed(encoded)
        expected = one_line(value).rstrip("\\")
        while "$$" in expected:
            expected = expected.replace("$$", "$")
        ads = classad2.parseOne(f"V = {text}\nLast = 7\n")
        assert ads["Last"] == 7
        assert ads["V"] == expected or '\\"' in expected


@pytest.mark.attack("A46")
@settings(max_examples=2)
@given(HOSTILE)
def test_only_a_number_is_an_integer_and_no_expression_joins_the_next_line(values: list[str]) -> None:
    program = (
        f'source {SCRIPTS}/glidein_condor.bash; for v in "$@"; do config_value I "$v" || true; printf "\\0"; '
        f'config_value C "$v" || true; printf "\\0"; done'
    )
    told = bash(program, values)
    for number, expression in zip(told[::2], told[1::2], strict=True):
        assert number == "" or number.lstrip("-").isdecimal()
        assert "\n" not in expression
        assert not expression.endswith("\\")


@pytest.mark.attack("A46")
@settings(max_examples=2)
@given(HOSTILE)
def test_any_text_that_a_script_publishes_is_one_line_of_the_config_under_its_own_key(values: list[str]) -> None:
    config = Path(os.environ.get("TMPDIR", "/tmp")) / f"glidein_config-{os.getpid()}"
    config.write_text("")
    try:
        program = (
            f'source {SCRIPTS}/add_config_line.source; glidein_config={config}; n=0; for v in "$@"; '
            'do gconfig_add "KEY_$n" "$v"; n=$((n + 1)); done; '
            'gconfig_get EVIL; printf "\\0"; gconfig_get KEY_0; printf "\\0"; cat "$glidein_config"; printf "\\0"'
        )
        evil, first, whole = bash(program, values[:25])
    finally:
        for path in config.parent.glob(f"{config.name}*"):
            path.unlink()
    assert evil == ""
    assert first.rstrip("\n") == one_line(values[0])
    keys = [line.partition(" ")[0] for line in whole.split("\n") if line]
    assert keys == [f"KEY_{number}" for number in range(25)]


@pytest.mark.attack("A47")
@pytest.mark.parametrize("trick", SHELL_TRICKS)
def test_no_message_of_a_script_changes_what_its_report_says(trick: str, tmp_path: Path, trap: str) -> None:
    program = f'{SCRIPTS}/error_gen.sh -error "$1" WN_Resource "$1" "$1" "$1"'
    bash(program, [trick], cwd=tmp_path)
    report = ElementTree.fromstring((tmp_path / "otrb_output.xml").read_text())  # noqa: S314 - written just now
    assert [each.text for each in report.iter("status")] == ["ERROR"]
    assert [each.tag for each in report] == ["result", "detail"]
    [detail] = report.iter("detail")
    assert (detail.text or "").strip() == trick.strip()
    assert [each.attrib["name"] for each in report.iter("metric")] == [
        "failure",
        trick.replace("\n", " ").replace("\t", " "),
    ]


@pytest.fixture
def node(tmp_path: Path) -> tuple[Path, str]:
    """A glidein's sandbox as the factory makes it, whose HTCondor only notes that it was started; and its digest."""
    release = tmp_path / "release"
    for part in ("sbin", "libexec"):
        (release / part).mkdir(parents=True)
    for program in ("condor_master", "condor_advertise"):
        (release / "sbin" / program).write_text(f"#!/bin/bash\ntouch {tmp_path}/started_{program}\n")
        (release / "sbin" / program).chmod(0o755)
    entry = Entry("e1", "SITE_A", attributes=(("GLIDEIN_Failure_Sleep", "0"),))
    files = dict(glidein_files(entry, PoolContact("127.0.0.1:1", "pool", str(release)), [], "a.b.c"))
    sandbox = tmp_path / "sandbox"
    sandbox.mkdir()
    for name, file in files.items():
        (sandbox / name).write_bytes(file.content)
        (sandbox / name).chmod(file.mode)
    return sandbox, manifest_digest(files)


def start(sandbox: Path, digest: str) -> subprocess.CompletedProcess[str]:
    """Run the start-up as a batch system would."""
    (sandbox.parent / "scratch").mkdir(exist_ok=True)
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "TMPDIR": str(sandbox.parent / "scratch")}
    command = [f"./{STARTUP}", "-manifest", digest, "-failure_sleep", "0"]
    return subprocess.run(
        command, cwd=sandbox, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def appended(sandbox: Path, name: str) -> None:
    with (sandbox / name).open("a") as file:
        file.write(f"\ntouch {sandbox.parent}/CANARY\n")


def consistent(sandbox: Path, name: str) -> None:
    """Tamper with a file and seal everything again, as who can write the folder would."""
    appended(sandbox, name)
    digest = hashlib.sha256((sandbox / name).read_bytes()).hexdigest()
    lines = (sandbox / MANIFEST).read_text().splitlines()
    whole = [f"{digest}  {name}" if line.endswith(f"  {name}") else line for line in lines]
    (sandbox / MANIFEST).write_text("\n".join(whole) + "\n")


def swapped(sandbox: Path, name: str) -> None:
    """A link in place of a file."""
    (sandbox / "other").write_text(f"touch {sandbox.parent}/CANARY\n")
    (sandbox / name).unlink()
    (sandbox / name).symlink_to("other")


@pytest.mark.attack("A48")
@pytest.mark.parametrize("tamper", [appended, consistent, swapped])
@pytest.mark.parametrize("name", ["glidein_condor.bash", "check_memory.sh", "entry.params", "pool.config"])
def test_a_tampered_file_stops_the_glidein_before_anything_runs(
    tamper: Callable[[Path, str], None], name: str, node: tuple[Path, str]
) -> None:
    sandbox, digest = node
    tamper(sandbox, name)
    done = start(sandbox, digest)
    assert done.returncode == 1
    assert "do not match what the factory signed" in done.stderr
    assert not list(sandbox.parent.glob("CANARY")) + list(sandbox.parent.glob("started_*"))


@pytest.mark.attack("A48")
@pytest.mark.parametrize("name", ["../../etc/hostname", "/etc/hostname", "-rf", ".bashrc", "a b", "$(touch CANARY)"])
def test_a_manifest_that_names_what_is_no_file_of_the_glidein_stops_it(name: str, node: tuple[Path, str]) -> None:
    sandbox, _ = node
    (sandbox / MANIFEST).write_text((sandbox / MANIFEST).read_text() + f"{'0' * 64}  {name}\n")
    done = start(sandbox, hashlib.sha256((sandbox / MANIFEST).read_bytes()).hexdigest())
    assert done.returncode == 1
    assert "do not match what the factory signed" in done.stderr
    assert not list(sandbox.rglob("CANARY"))


@pytest.mark.attack("A46", "A48")
def test_an_argument_of_the_start_up_is_a_digest_or_nothing(node: tuple[Path, str]) -> None:
    sandbox, digest = node
    for trick in (*SHELL_TRICKS, digest.upper(), digest[:-1], "", f"{digest} x"):
        assert start(sandbox, trick).returncode == 2
    assert not list(sandbox.rglob("CANARY"))


@pytest.mark.attack("A50")
@given(st.text(max_size=20))
def test_a_site_that_glideins_are_made_for_is_a_name(site: str) -> None:
    try:
        made = glidein_files(replace(Entry("e1", "SITE_A"), site=site), PoolContact("127.0.0.1:1", "p", "/r"), [], "t")
    except Exception:
        return
    assert names.NAME.fullmatch(site[:64])
    assert f"GLIDEIN_Site {site}\n".encode() in made["entry.params"].content
