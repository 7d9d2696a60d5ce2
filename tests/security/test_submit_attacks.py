"""Whatever stands in a payload, HTCondor's submit language never reads it as language."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import htcondor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.errors import UserError
from router.model import payload as payloads
from router.model.payload import Output, Payload
from router.packages.zipapps import zip_application
from router.render import jdl, parts
from router.testing.build import a_batch, a_payload, a_task

CONTROLS = ["\n", "\r", "\r\n", "\x00", "\x0b", "\x0c", "\x1b", "\x7f", "\x85", "\u2028", "\u2029"]
COMMANDS = {
    "A02": ["1\nqueue 1000", "1\rqueue 1000", "queue 1000"],
    "A03": [
        "x\ninclude : touch CANARY |",
        "x\ninclude command : touch CANARY |",
        "x\ninclude :/etc/passwd",
        "x\nuse template : Glideroute",
        "x\nY @=end\ntouch CANARY\n@end",
        "x\nif true\nexecutable = /bin/false\nelif false\nendif",
        "include : touch CANARY |",
        "@=end",
    ],
    "A04": ["x\nqueue y from touch CANARY |", "x\nqueue y from /etc/shadow", "queue y from touch CANARY |"],
    "A05": ["x\\", "\\", "x\\\\", "x\\ "],
    "A06": [
        "$ENV(SEEDED_SECRET)",
        "$(DOLLAR)ENV(SEEDED_SECRET)",
        "$(DOLLAR)",
        "$RANDOM_CHOICE(a,b)",
        "$F(executable)",
        "$INT(X)",
        "$(X)",
        "$$(X)",
        "$$([ 1 + 1 ])",
    ],
    "A07": ["x\x00", "\x00"],
    "A08": ["x\nexecutable", "+Owner", "MY.Owner", "oWnEr", "QUEUE", "x = y\nexecutable = /bin/false"],
    "A13": ["{{7*7}}", "{% include '/etc/passwd' %}", "{{ job.__class__ }}", "{# #}"],
    "A14": ["/etc/shadow", "../../x", "file:///etc/shadow", "https://evil/x", "a,/etc/shadow", "~/x", "."],
}
TRICKS = [value for values in COMMANDS.values() for value in values]

FIELDS: dict[str, Callable[[str], dict[str, Any]]] = {
    "name": lambda text: {"name": text},
    "executable": lambda text: {"executable": text},
    "arguments": lambda text: {"arguments": [text]},
    "environment": lambda text: {"environment": {text: "x"}},
    "environment.A": lambda text: {"environment": {"A": text}},
    "files": lambda text: {"files": [text]},
    "input.dataset": lambda text: {"input": {"dataset": text}},
    "outputs[0].name": lambda text: {"outputs": [{"name": text, "merge": "auto"}]},
    "group": lambda text: {"group": text},
    "container": lambda text: {"container": text},
    "sites.allow": lambda text: {"sites": {"allow": [text]}},
    "sites.block": lambda text: {"sites": {"block": [text]}},
    "requests.arch": lambda text: {"requests": {"arch": text}},
    "requests.os": lambda text: {"requests": {"os": text}},
    "requests.software": lambda text: {"requests": {"software": [text]}},
}
FREE = ("arguments", "environment.A")
"""What users write freely; it travels in the jobs' JSON descriptions only."""


def read(field: str, text: str) -> Payload:
    """The payload with this text in a field. Raises UserError."""
    return payloads.parse(json.dumps({"name": "a", "executable": "run.sh", **FIELDS[field](text)}))


def commands_of(payload: Payload) -> list[htcondor2.Submit]:
    """What HTCondor understands of a payload's descriptions."""
    task = a_task("a-1", payload=payload)
    batch = a_batch(jobs=2)
    merges = [jdl.merge_injection(task)] if parts.merge_jobs(payload) else []
    return [htcondor2.Submit(each.text) for each in (jdl.batch_injection(task, batch), *merges)]


def is_only_data(payload: Payload, secret: str) -> None:
    """HTCondor reads the commands that templates have, queues nothing by itself, and expands nothing of the user's."""
    conditional = {"container_image", "requirements"}
    plain = {key.lower() for key in commands_of(a_payload())[0]}
    for found in commands_of(payload):
        told = {key.lower() for key in found}
        extra = {key for key in told - plain if not key.startswith("my.router")} - conditional
        assert extra <= {"hold"}
        assert found.getQArgs() in ("", None)
        assert found.expand("executable") == "/tasks/alice/a-1/code/run_job.pyz"
        assert not [key for key in found if found[key] and secret in found.expand(key)]


@pytest.mark.attack("A01", "A07")
@pytest.mark.parametrize("field", FIELDS)
def test_a_control_character_in_any_field_is_refused_with_the_field(field: str) -> None:
    for control in CONTROLS:
        for text in (f"a{control}b", f"{control}a", f"a{control}", f"a{control}queue 1000"):
            with pytest.raises(UserError, match=r"control character|is not") as caught:
                read(field, text)
            assert field.split(".")[0].split("[")[0] in str(caught.value)


@pytest.mark.attack("A02", "A03", "A04", "A05", "A06", "A08", "A13", "A14")
@pytest.mark.parametrize("field", FIELDS)
def test_a_trick_in_any_field_is_refused_or_is_only_data(field: str, trap: str) -> None:
    for trick in TRICKS:
        try:
            payload = read(field, trick)
        except UserError:
            continue
        is_only_data(payload, trap)


@pytest.mark.attack("A02", "A03", "A04", "A05", "A06")
@pytest.mark.parametrize("trick", [each for case in ("A02", "A03", "A04", "A05", "A06") for each in COMMANDS[case]])
def test_a_trick_that_slipped_past_every_check_of_payloads_still_makes_no_command(trick: str, trap: str) -> None:
    for changes in (
        {"dataset": trick},
        {"group": trick},
        {"allow": (trick,)},
        {"block": (trick,)},
        {"executable": trick},
        {"files": (trick,)},
        {"container": trick},
    ):
        try:
            is_only_data(a_payload(**changes), trap)
        except UserError:
            continue


@pytest.mark.attack("A14")
@pytest.mark.parametrize("path", COMMANDS["A14"])
def test_no_file_from_elsewhere_is_sent_with_a_job(path: str) -> None:
    for field in ("executable", "files", "outputs[0].name"):
        with pytest.raises(UserError, match="is not allowed"):
            read(field, path)


HOSTILE = [
    *('"', "'", "''", '""', "a b", "", " ", "it's", 'say "x"', "a\tb".replace("\t", " "), "1\\", "\\n", ";", "a;b='c'"),
    *("$ENV(HOME)", "$(X)", "$$(Y)", "`id`", "$(id)", "--", "-rf", "*", "{{7*7}}", "a=b", "=", "é≥", "%s", "<&>|"),
]


def run_at_the_worker(folder: Path, payload: Payload) -> dict[str, Any]:
    """What a program that lists its arguments and environment is given by the wrapper."""
    batch = a_batch("b0")
    task = a_task("a-1", payload=replace(payload, executable="told.py", outputs=()))
    (folder / "part.json").write_text(parts.part_text(task, "b0", parts.parts(batch)[0], "/user/alice/a-1"))
    program = "import json, os, sys\njson.dump([sys.argv[1:], dict(os.environ)], open('told.json', 'w'))\n"
    (folder / "told.py").write_text(f"#!{sys.executable} -S\n{program}")
    (folder / jdl.WRAPPER).write_bytes(zip_application(jdl.WRAPPER))
    command = [sys.executable, "-S", jdl.WRAPPER, "part.json", "0000"]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    arguments, environment = json.loads((folder / "told.json").read_text())
    return {"arguments": arguments, "environment": environment}


@pytest.mark.attack("A06", "A09", "A10", "A13")
def test_arguments_and_environment_arrive_at_the_program_byte_for_byte(tmp_path: Path) -> None:
    named = {f"V{number}": value for number, value in enumerate(HOSTILE)}
    text = json.dumps({"name": "a", "executable": "told.py", "arguments": HOSTILE, "environment": named})
    told = run_at_the_worker(tmp_path, payloads.parse(text))
    assert told["arguments"] == HOSTILE
    assert {name: told["environment"].get(name) for name in named} == named


anything = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40)


@pytest.mark.attack("A01", "A03", "A06", "A09", "A10")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(field=st.sampled_from(sorted(FIELDS)), text=anything)
def test_any_text_in_any_field_is_refused_or_is_only_data(field: str, text: str, trap: str) -> None:
    try:
        payload = read(field, text)
    except UserError:
        return
    is_only_data(payload, trap)
    described = json.loads(parts.part_text(a_task(payload=payload), "b0", parts.parts(a_batch("b0"))[0], "/user/a"))
    if field in FREE:
        assert text in (*described["arguments"], *described["environment"].values())


@pytest.mark.attack("A01", "A08")
@given(anything)
def test_the_name_of_an_output_never_leaves_the_task(name: str) -> None:
    task = a_task("a-1", payload=a_payload(outputs=(Output("x", merge=True),)))
    try:
        payload = read("outputs[0].name", name)
    except UserError:
        return
    task = replace(task, payload=payload)
    [job] = json.loads(parts.part_text(task, "b0", parts.parts(a_batch("b0"))[0], task.outputs))["jobs"].values()
    [output] = job["outputs"]
    assert output["lfn"].rpartition("/")[0] == "/user/alice/a-1"
