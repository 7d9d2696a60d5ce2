"""What the child process can ask of the negotiator and tell it. Arguments and answers are plain data."""

import re
from collections.abc import Callable
from typing import Any

import classad2
import htcondor2
from htcondor2.htcondor2_impl import _negotiator_command_return, _negotiator_command_user_value

from router.pool.operations import Row, _plain

NUMBERED = re.compile(r"([A-Za-z]+?)(\d+)")
EMPTY = "Not defined"
"""What a daemon says of a setting that is set to nothing."""
KINDS = {"factor": ("_SET_PRIORITYFACTOR", float), "ceiling": ("_SET_CEILING", int), "floor": ("_SET_FLOOR", int)}


def _location() -> Any:
    return htcondor2.Collector().locate(htcondor2.DaemonType.Negotiator)


def negotiator_settings(pattern: str) -> dict[str, str]:
    """The settings of the running negotiator whose names match, as it has read them."""
    remote = htcondor2.RemoteParam(_location())
    wanted = re.compile(pattern, re.IGNORECASE)
    found = {name: str(remote[name]) for name in remote.keys() if wanted.fullmatch(name)}  # noqa: SIM118
    return {name: "" if value == EMPTY else value for name, value in found.items()}


def accounting() -> list[Row]:
    """The accountant's record of every group and submitter."""
    # Negotiator.getPriorities loses every record past the ninth.
    whole = _negotiator_command_return(_location()["MyAddress"], htcondor2.Negotiator._GET_PRIORITY)
    rows: dict[str, Row] = {}
    for attribute in whole:
        if found := NUMBERED.fullmatch(attribute):
            rows.setdefault(found.group(2), {})[found.group(1)] = _plain(whole.eval(attribute))
    return [row for row in rows.values() if isinstance(row.get("Name"), str)]


def set_submitters(changes: list[tuple[str, str, float]]) -> None:
    """Set a submitter's `factor`, `ceiling` or `floor`. A refusal is silent: read back."""
    address = _location()["MyAddress"]
    for name, kind, value in changes:
        command, number = KINDS[kind]
        _negotiator_command_user_value(address, getattr(htcondor2.Negotiator, command), name, number(value))


def reconfigure(kinds: list[str]) -> None:
    """Have the negotiator's machine's daemons of these kinds (`Schedd`, `Master`) and itself read their files again."""
    collector = htcondor2.Collector()
    wanted = ["MyType", "MyAddress", "Name", "Machine"]
    own = collector.query(htcondor2.AdType.Negotiator, projection=wanted)
    machines = {ad.get("Machine") for ad in own}
    others = [ad for kind in kinds for ad in collector.query(getattr(htcondor2.AdType, kind), projection=wanted)]
    for ad in (*own, *(ad for ad in others if ad.get("Machine") in machines)):
        htcondor2.send_command(ad, htcondor2.DaemonCommand.Reconfig)


def complaints(expressions: list[str]) -> list[str]:
    """What is wrong with each ClassAd expression; empty where it parses."""
    return [_complaint(text) for text in expressions]


def _complaint(text: str) -> str:
    try:
        classad2.ExprTree(text)
    except Exception as error:  # the parser has a class of its own for every release
        return " ".join(str(error).split()) or "it does not parse"
    return ""


OPERATIONS: dict[str, Callable[..., Any]] = {
    each.__name__: each for each in (negotiator_settings, accounting, set_submitters, reconfigure, complaints)
}
