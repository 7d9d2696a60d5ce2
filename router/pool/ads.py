"""From HTCondor's attributes to our values, and back.

A row is what an ad held of the attributes asked for; an attribute that is missing, undefined, an error or of a type
nobody expected has the default that stands here, and nowhere else.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from router.model import names
from router.model.cause import Cure
from router.model.job import Decision, EndedJob, JobGroup, JobState, Kind, Remedy, SlotGroup
from router.model.node import UNKNOWN, Gpus, Platform, image_kind, system_of
from router.model.payload import Requests
from router.model.pilot import ValidationFailure
from router.render.encode import quoted

Row = Mapping[str, Any]

STATES = {
    1: JobState.IDLE,
    2: JobState.RUNNING,
    3: JobState.REMOVED,
    4: JobState.FINISHED,
    5: JobState.HELD,
    6: JobState.RUNNING,  # transferring output
    7: JobState.RUNNING,  # suspended
}

EPOCH = re.compile(r"[0-9]{1,12}")

IMAGES = {"docker": "HasDockerURL", "sif": "HasSIF", "directory": "HasSandboxImage"}
"""What a machine ad says where a kind of container image can be run; the starter found HasContainer true as well."""

REQUESTS = (
    "RequestCpus",
    "RequestMemory",
    "RequestDisk",
    "MaxWallTimeMins",
    "RequestGPUs",
    "GPUsMinMemory",
    "GPUsMinCapability",
    "RouterArch",
    "RouterOS",
    "RouterSoftware",
    "ContainerImage",
)
"""What Requests is made of."""

KIND = (
    *REQUESTS,
    "RouterDataset",
    "RouterInputs",
    "RouterOutputs",
    "RouterAllowSites",
    "RouterBlockSites",
    "RouterFixed",
    "AcctGroup",
    "RouterRemedy",
)
"""What Kind is made of."""

JOB = (
    "ClusterId",
    "Owner",
    "JobStatus",
    "JobUniverse",
    "RouterTask",
    "RouterBatch",
    *KIND,
    "DESIRED_Sites",
    "RouterDecision",
    "MachineAttrGLIDEIN_Site0",
    "HoldReasonCode",
    "HoldReasonSubCode",
    "NumHolds",
    "NumShadowStarts",
    "RouterWrapper",
    "QDate",
)

ENDED = (
    "ClusterId",
    "ProcId",
    "Owner",
    "JobStatus",
    "RouterTask",
    "RouterBatch",
    "RouterJob",
    "ExitCode",
    "MachineAttrGLIDEIN_Site0",
    "CompletionDate",
    "EnteredCurrentStatus",
    "RemoteWallClockTime",
    "RemoveReason",
    "RequestCpus",
)

GLIDEIN = re.compile(r"glidein-([^@]+)@.+")
"""An identity that is good for one site only, as the collector writes it into what it took from there."""

SLOT = (
    "AuthenticatedIdentity",
    "GLIDEIN_Site",
    "GLIDEIN_Entry_Name",
    "Machine",
    "GLIDEIN_ToRetire",
    "SlotType",
    "Cpus",
    "TotalSlotCpus",
    "TotalSlotMemory",
    "TotalSlotDisk",
    "NumDynamicSlots",
    "MyCurrentTime",
    "TotalSlotGPUs",
    "GPUs_GlobalMemoryMb",
    "GPUs_Capability",
    "Arch",
    "Microarch",
    "OpSysName",
    "OpSysMajorVer",
    "ROUTER_SOFTWARE",
    *IMAGES.values(),
)

FAILURE = (
    "AuthenticatedIdentity",
    "GLIDEIN_Site",
    "GLIDEIN_Entry_Name",
    "GLIDEIN_LAST_SCRIPT",
    "GLIDEIN_FAILURE_TYPE",
    "GLIDEIN_FAILURE_REASON",
    "LastHeardFrom",
)


def text(row: Row, name: str) -> str:
    """A text attribute of one line; empty when it is none."""
    value = row.get(name)
    return names.CONTROL.sub(" ", value)[: names.MAX_TEXT] if isinstance(value, str) else ""


def number(row: Row, name: str, default: int = 0) -> int:
    """A number as a whole one; a flag is none."""
    value = row.get(name)
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else default


def amount(row: Row, name: str, default: int) -> int:
    """What a job asks for, at least one: less would be taken off what others ask for."""
    return max(1, number(row, name, default))


def real(row: Row, name: str) -> float:
    """A number; a flag is none."""
    value = row.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def checked(row: Row, name: str, check: Callable[[str], str]) -> str:
    """A text attribute in its canonical form; empty when `check` takes it for none."""
    value = row.get(name)
    try:
        return check(value) if isinstance(value, str) else ""
    except ValueError:
        return ""


def tags(row: Row, name: str) -> tuple[str, ...]:
    """A list of software in HTCondor's comma form, sorted; what is no tag is left out."""
    parts = {part.strip() for part in text(row, name).split(",")}
    return tuple(sorted(part for part in parts if names.SOFTWARE.fullmatch(part)))


def word(row: Row, name: str) -> str:
    """A text attribute that must be a name; empty when it is none."""
    value = row.get(name)
    return value if isinstance(value, str) and names.NAME.fullmatch(value) else ""


def glidein_site(row: Row) -> str:
    """The site of a glidein; empty when it is no name, or not that of the token it came with."""
    site = word(row, "GLIDEIN_Site")
    known = GLIDEIN.fullmatch(text(row, "AuthenticatedIdentity"))
    return "" if known and known[1] != site else site


def words(value: object) -> tuple[str, ...]:
    """A list in HTCondor's comma form, or a real list, as sorted names; what is no name is left out."""
    if isinstance(value, str):
        return _listed(value)
    return _names(tuple(part for part in value if isinstance(part, str))) if isinstance(value, list) else ()


@lru_cache(maxsize=4096)
def _listed(text: str) -> tuple[str, ...]:
    """The names in a text; few lists of sites are distinct."""
    return _names(text.split(","))


def _names(parts: Iterable[str]) -> tuple[str, ...]:
    found = {part.strip() for part in parts}
    return tuple(sorted(part for part in found if names.NAME.fullmatch(part)))


def sites(value: object) -> tuple[str, ...] | None:
    """What the attribute DESIRED_Sites holds; None where the jobs are not placed yet."""
    return words(value) if isinstance(value, str) else None


def decision(value: object) -> Decision | None:
    """What the attribute RouterDecision holds; None when it is no decision of ours."""
    if not isinstance(value, dict) or not isinstance(value.get("Epoch"), int):
        return None
    return Decision(
        epoch=number(value, "Epoch"),
        moves=number(value, "Moves"),
        sites=words(value.get("Sites")),
        came_from=words(value.get("CameFrom")),
        tag=text(value, "Tag"),
        words=text(value, "Words"),
        at=number(value, "At"),
        left=left(value.get("Left")),
        term=number(value, "Term"),
    )


def left(value: object) -> tuple[tuple[str, int], ...]:
    """Sites and when jobs left them, from a list like `NORTH@1700000000,SOUTH@1700000600`; sorted."""
    parts = (part.strip().rpartition("@") for part in value.split(",")) if isinstance(value, str) else ()
    found = {site: int(at) for site, _, at in parts if names.NAME.fullmatch(site) and EPOCH.fullmatch(at)}
    return tuple(sorted(found.items()))


CURES = frozenset(Cure)


def remedy(value: object) -> Remedy | None:
    """What the attribute RouterRemedy holds; None when it is no remedy of ours."""
    if not isinstance(value, dict) or value.get("Cure") not in CURES or not isinstance(value.get("Hold"), int):
        return None
    return Remedy(
        hold=number(value, "Hold"),
        tries=number(value, "Tries"),
        cause=text(value, "Cause"),
        cure=Cure(value["Cure"]),
        site=word(value, "Site"),
        avoid=words(value.get("Avoid")),
        until=number(value, "Until"),
        words=text(value, "Words"),
        due=number(value, "Due"),
        memory_mb=number(value, "MemoryMb"),
        walltime_s=60 * number(value, "WalltimeMins"),
        starts=number(value, "Starts"),
    )


def remedy_text(made: Remedy) -> str:
    """A remedy as ClassAd text for the attribute RouterRemedy; `made` is as an ad can carry it."""
    more = f"MemoryMb = {made.memory_mb}; " if made.memory_mb else ""
    more += f"WalltimeMins = {made.walltime_s // 60}; " if made.walltime_s else ""
    more += f"Starts = {made.starts}; " if made.starts else ""
    return (
        f"[ Hold = {made.hold}; Tries = {made.tries}; Cause = {quoted(made.cause)}; Cure = {quoted(made.cure)}; "
        f"Site = {quoted(made.site)}; Avoid = {site_list(made.avoid)}; Until = {made.until}; {more}"
        f"Due = {made.due}; Words = {quoted(made.words)} ]"
    )


def is_own(value: object) -> bool:
    """Whether a decision says that it was written into the jobs' own ads, and not into their cluster's."""
    return isinstance(value, dict) and value.get("Own") is True


def decision_text(made: Decision, own: bool = False) -> str:
    """A decision as ClassAd text for the attribute RouterDecision; `made` is as an ad can carry it."""
    left = f"; Left = {quoted(','.join(f'{site}@{at}' for site, at in made.left))}" if made.left else ""
    term = f"; Term = {made.term}" if made.term else ""
    return (
        f"[ Epoch = {made.epoch}; Moves = {made.moves}; Sites = {site_list(made.sites)}; "
        f"CameFrom = {site_list(made.came_from)}; Tag = {quoted(made.tag)}; Words = {quoted(made.words)}; "
        f"At = {made.at}{left}{term}{'; Own = true' if own else ''} ]"
    )


def site_list(sites: tuple[str, ...]) -> str:
    """Sites as ClassAd text: sorted, comma-separated, no blanks, so that equal sets are one autocluster."""
    return quoted(",".join(sorted(sites)))


def whole_ads(dry_run: str, attributes: Sequence[str]) -> str:
    """The ads of a dry run's output, cut to `attributes`, each whole: it gives only a cluster's first job in full.

    Blocks end in a line of a single dot; one without ClusterId adds to the cluster before it.
    """
    wanted = {name.lower() for name in attributes}
    found: list[str] = []
    cluster: dict[str, str] = {}
    for block in re.split(r"^\.$", dry_run, flags=re.MULTILINE):
        lines = (line.partition("=") for line in block.splitlines())
        told = {name.strip().lower(): f"{name.strip()} = {value}" for name, equals, value in lines if equals}
        told = {name: line for name, line in told.items() if name in wanted}
        if "clusterid" in told:
            cluster = told
        if told:
            found.append("\n".join({**cluster, **told}.values()))
    return "\n\n".join(found)


def requests(row: Row) -> Requests:
    """A row of the attributes REQUESTS."""
    default = Requests()
    return Requests(
        cpus=amount(row, "RequestCpus", default.cpus),
        memory_mb=amount(row, "RequestMemory", default.memory_mb),
        disk_mb=-(-amount(row, "RequestDisk", default.disk_mb * 1024) // 1024),
        walltime_s=60 * amount(row, "MaxWallTimeMins", default.walltime_s // 60),
        gpus=_gpus_wanted(row),
        platform=_platform_wanted(row),
    )


def kind(row: Row) -> Kind:
    """A row of the attributes KIND."""
    return job_group(row).kind


def job_group(row: Row) -> JobGroup:
    """A row of the attributes JOB and JobCount."""
    state = STATES.get(number(row, "JobStatus"), JobState.REMOVED)
    return JobGroup(
        cluster=number(row, "ClusterId"),
        owner=text(row, "Owner"),
        state=state,
        count=number(row, "JobCount"),
        task=text(row, "RouterTask"),
        batch=text(row, "RouterBatch"),
        requests=requests(row),
        dataset=text(row, "RouterDataset"),
        held_by=words(row.get("RouterInputs")),
        allow=words(row.get("RouterAllowSites")),
        block=words(row.get("RouterBlockSites")),
        group=text(row, "AcctGroup"),
        sites=sites(row.get("DESIRED_Sites")),
        decision=decision(row.get("RouterDecision")),
        site="" if state is JobState.IDLE else word(row, "MachineAttrGLIDEIN_Site0"),
        hold_code=number(row, "HoldReasonCode"),
        hold_subcode=number(row, "HoldReasonSubCode"),
        oldest=number(row, "QDate"),
        fixed=row.get("RouterFixed") is True,
        wrapped=number(row, "RouterWrapper") > 0,
        holds=number(row, "NumHolds"),
        starts=number(row, "NumShadowStarts") if state is JobState.HELD else 0,
        remedy=remedy(row.get("RouterRemedy")),
        writes=row.get("RouterOutputs") is True,
    )


def _gpus_wanted(row: Row) -> Gpus:
    count = number(row, "RequestGPUs")
    return Gpus(count, number(row, "GPUsMinMemory"), real(row, "GPUsMinCapability")) if count > 0 else Gpus()


def _platform_wanted(row: Row) -> Platform:
    kind = image_kind(text(row, "ContainerImage"))
    return Platform(
        arch=checked(row, "RouterArch", names.arch),
        os=checked(row, "RouterOS", names.system),
        software=tags(row, "RouterSoftware"),
        images=(kind,) if kind else (),
    )


def ended_job(row: Row) -> EndedJob:
    """A row of the attributes ENDED."""
    exit_code = row.get("ExitCode")
    return EndedJob(
        cluster=number(row, "ClusterId"),
        proc=number(row, "ProcId"),
        task=text(row, "RouterTask"),
        batch=text(row, "RouterBatch"),
        job=text(row, "RouterJob"),
        owner=text(row, "Owner"),
        state=JobState.FINISHED if number(row, "JobStatus") == 4 else JobState.REMOVED,
        exit_code=exit_code if isinstance(exit_code, int) else None,
        site=word(row, "MachineAttrGLIDEIN_Site0"),
        ended=float(number(row, "CompletionDate") or number(row, "EnteredCurrentStatus")),
        wall_s=float(number(row, "RemoteWallClockTime")),
        reason=text(row, "RemoveReason"),
        cpus=max(1, number(row, "RequestCpus", 1)),
    )


def slot_groups(rows: list[dict[str, Any]]) -> tuple[SlotGroup, ...]:
    """Partitionable slots, each with its dynamic ones, added up by site, entry and kind of nodes."""
    found: dict[tuple[str, str, Platform, Gpus], list[Row]] = {}
    for row in rows:
        if (site := glidein_site(row)) and row.get("SlotType") != "Dynamic":
            kind = site, word(row, "GLIDEIN_Entry_Name"), _platform(row), _gpus(row)
            found.setdefault(kind, []).append(row)
    return tuple(_slot_group(*kind, found[kind]) for kind in sorted(found, key=repr))


def _platform(row: Row) -> Platform:
    arch, level = checked(row, "Arch", names.arch), checked(row, "Microarch", names.arch)
    return Platform(
        arch=(level if level.partition("-")[0] == arch else arch) or UNKNOWN,
        os=checked({"": system_of(text(row, "OpSysName"), number(row, "OpSysMajorVer"))}, "", names.system) or UNKNOWN,
        software=tags(row, "ROUTER_SOFTWARE"),
        images=tuple(kind for kind, name in sorted(IMAGES.items()) if row.get(name) is True),
    )


def _gpus(row: Row) -> Gpus:
    """The GPUs of a glidein; where they differ, HTCondor says nothing of what they are."""
    count = number(row, "TotalSlotGPUs")
    return Gpus(count, number(row, "GPUs_GlobalMemoryMb"), real(row, "GPUs_Capability")) if count > 0 else Gpus()


def _slot_group(site: str, entry: str, platform: Platform, gpus: Gpus, rows: list[Row]) -> SlotGroup:
    return SlotGroup(
        gpus=gpus,
        platform=platform,
        site=site,
        entry=entry,
        glideins=len(rows),
        nodes=frozenset(name for row in rows if (name := word(row, "Machine"))),
        cores=sum(number(row, "TotalSlotCpus") for row in rows),
        idle_cores=sum(number(row, "Cpus") for row in rows if not _retiring(row)),
        memory_mb=max(number(row, "TotalSlotMemory") for row in rows),
        disk_mb=max(number(row, "TotalSlotDisk") for row in rows) // 1024,
        slot_cpus=max(number(row, "TotalSlotCpus") for row in rows),
        running_jobs=sum(number(row, "NumDynamicSlots") for row in rows),
        retiring=sum(_retiring(row) for row in rows),
        idle_glideins=sum(number(row, "NumDynamicSlots") == 0 and not _retiring(row) for row in rows),
    )


def _retiring(row: Row) -> bool:
    return 0 < number(row, "GLIDEIN_ToRetire") <= number(row, "MyCurrentTime")


def validation_failure(row: Row) -> ValidationFailure:
    """A row of the attributes FAILURE."""
    return ValidationFailure(
        entry=word(row, "GLIDEIN_Entry_Name"),
        site=glidein_site(row),
        script=text(row, "GLIDEIN_LAST_SCRIPT"),
        kind=text(row, "GLIDEIN_FAILURE_TYPE"),
        message=text(row, "GLIDEIN_FAILURE_REASON"),
        at=float(number(row, "LastHeardFrom")),
    )
