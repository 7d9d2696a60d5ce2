"""Reading submit descriptions and job ads as far as FakePool needs them: no expressions, no files, no commands."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from router.errors import RouterError
from router.model.job import JobGroup, JobState
from router.model.node import Gpus, Platform, image_kind
from router.model.payload import Requests

SUBMITTED_ON_HOLD = 15
"""HTCondor's HoldReasonCode of a job submitted on hold (condor_holdcodes.h)."""

_LINE = re.compile(r"(\+?[A-Za-z_][A-Za-z0-9_.]*)\s*=\s*(.*?)\s*")
_MACRO = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_SIZE = re.compile(r"(\d+)\s*([KMG]?)B?", re.IGNORECASE)
_KB = {"K": 1, "M": 1024, "G": 1024**2}

_COMMANDS = {
    "request_cpus": "requestcpus",
    "request_memory": "requestmemory",
    "request_disk": "requestdisk",
    "accounting_group": "acctgroup",
    "request_gpus": "requestgpus",
    "gpus_minimum_memory": "gpusminmemory",
    "gpus_minimum_capability": "gpusmincapability",
    "container_image": "containerimage",
}
"""Submit commands, and the attributes they become."""


@dataclass(frozen=True, slots=True)
class Described:
    """One job as a description has it."""

    job: str
    """RouterJob."""
    like: JobGroup
    """All else, in a group of one job."""


def described_job(text: str, item: Mapping[str, str]) -> Described:
    """The job that a submit description and one item make, after the schedd's transforms.

    Raises RouterError for a line that is no `key = value`, and for any universe but vanilla.
    """
    values: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#") or line.split() == ["queue"]:
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise RouterError(f"This line of the description is no `key = value`: {line!r}. Correct it.")
        key = found.group(1).lower().removeprefix("my.").removeprefix("+")
        values[_COMMANDS.get(key, key)] = _MACRO.sub(lambda macro: _expanded(macro.group(1), item), found.group(2))
    if values.get("universe", "vanilla").lower() != "vanilla":
        raise RouterError(f"The universe {values['universe']} is not known. Use vanilla.")
    # The schedd's transform takes the access point's architecture where the description says nothing of any.
    values.setdefault("routerarch", '"any"' if "arch" in values.get("requirements", "").lower() else '"x86_64"')
    return Described(_text(values, "routerjob"), _group(values))


def described_ads(dry_run: str) -> Iterator[JobGroup]:
    """The jobs that a dry run of condor_submit prints: each ends in a line of a dot and adds to its cluster's first."""
    cluster: dict[str, str] = {}
    for block in re.split(r"^\.$", dry_run, flags=re.MULTILINE):
        found = [match for line in block.splitlines() if (match := _LINE.fullmatch(line))]
        told = {match.group(1).lower(): match.group(2) for match in found}
        if "clusterid" in told:
            cluster = told
        if told:
            yield _group({**cluster, **told})


def _expanded(name: str, item: Mapping[str, str]) -> str:
    return "$" if name == "DOLLAR" else item.get(name, "")


def _group(values: Mapping[str, str]) -> JobGroup:
    held = values.get("hold", "").lower() == "true"
    default = Requests()
    return JobGroup(
        cluster=0,
        owner="",
        state=JobState.HELD if held else JobState.IDLE,
        count=1,
        task=_text(values, "routertask"),
        batch=_text(values, "routerbatch"),
        requests=Requests(
            cpus=_number(values, "requestcpus", default.cpus),
            memory_mb=-(-_kilobytes(values, "requestmemory", default.memory_mb, "M") // 1024),
            disk_mb=-(-_kilobytes(values, "requestdisk", default.disk_mb * 1024, "K") // 1024),
            walltime_s=60 * _number(values, "maxwalltimemins", default.walltime_s // 60),
            gpus=_gpus(values),
            platform=_platform(values),
        ),
        dataset=_text(values, "routerdataset"),
        held_by=_sites(_text(values, "routerinputs")),
        # The schedd's transform turns a user's own lists of sites into wishes.
        allow=_sites(_text(values, "desired_sites") or _text(values, "routerallowsites")),
        block=_sites(_text(values, "undesired_sites") or _text(values, "routerblocksites")),
        group=values.get("acctgroup", "").strip('"'),
        hold_code=SUBMITTED_ON_HOLD if held else 0,
        fixed=values.get("routerfixed", "").lower() == "true",
        wrapped=_number(values, "routerwrapper", 0) > 0,
        holds=int(held),
        writes=values.get("routeroutputs", "").lower() == "true",
    )


def _gpus(values: Mapping[str, str]) -> Gpus:
    memory_mb = _kilobytes(values, "gpusminmemory", 0, "M") // 1024
    capability = float(values.get("gpusmincapability", "0"))
    return Gpus(count, memory_mb, capability) if (count := _number(values, "requestgpus", 0)) else Gpus()


def _platform(values: Mapping[str, str]) -> Platform:
    kind = image_kind(values.get("containerimage", "").strip('"'))
    return Platform(
        arch=_text(values, "routerarch"),
        os=_text(values, "routeros"),
        software=_sites(_text(values, "routersoftware")),
        images=(kind,) if kind else (),
    )


def _text(values: Mapping[str, str], key: str) -> str:
    found = _STRING.fullmatch(values.get(key, ""))
    return re.sub(r"\\(.)", r"\1", found.group(1)) if found else ""


def _number(values: Mapping[str, str], key: str, default: int) -> int:
    value = values.get(key, "")
    return int(value) if value.isdecimal() else default


def _kilobytes(values: Mapping[str, str], key: str, default: int, unit: str) -> int:
    found = _SIZE.fullmatch(values.get(key, ""))
    number, given = (int(found.group(1)), found.group(2).upper()) if found else (default, "")
    return number * _KB[given or unit]


def _sites(text: str) -> tuple[str, ...]:
    return tuple(sorted({part.strip() for part in text.split(",") if part.strip()}))
