"""Builders: a value of ours with sensible defaults, every field changed by its name.

`a_site("SITE_B", memory_mb=1000)`. A field that does not exist is a TypeError.
"""

import json
from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from router.model.action import Place
from router.model.cause import Cure
from router.model.files import Dataset, File, Located, Replica, StorageElement
from router.model.job import FAILED, Decision, EndedJob, JobGroup, JobState, Remedy, Source
from router.model.lumis import Lumis
from router.model.payload import Output, Payload, Requests
from router.model.pilot import Entry, EntryState, GlideinState, ValidationFailure
from router.model.site import Limits, Outcomes, Site
from router.model.task import Batch, Chunk, Inputs, Piece, Shape, Task
from router.model.transfer import Transfer
from router.model.usage import Run
from router.model.world import World
from router.testing.clock import NOON

ROOMY = Limits(cpus=8, memory_mb=16_384, disk_mb=102_400, walltime_s=86_400)


def _split_off(kind: type, given: dict[str, Any]) -> dict[str, Any]:
    """Take the fields of a nested value out of `given`."""
    return {each.name: given.pop(each.name) for each in fields(kind) if each.name in given}


def a_site(name: str = "SITE_A", **changes: Any) -> Site:
    """An online, empty site with room for any ordinary job; limits and outcomes are fields like the others."""
    limits = changes.pop("limits", replace(ROOMY, **_split_off(Limits, changes)))
    outcomes = changes.pop("outcomes", replace(Outcomes(), **_split_off(Outcomes, changes)))
    return replace(Site(name, limits=limits, outcomes=outcomes), **changes)


def a_run(**changes: Any) -> Run:
    """A run of alice's at SITE_A that held one core for an hour from NOON on and ended well; its job goes on."""
    began = int(NOON)
    default = Run(
        1, 0, began - 100, 0, "alice", site="SITE_A", started=began, ended=began + 3600, cpu_ms=1_800_000, exit_code=0
    )
    return replace(default, **changes)


def a_shape(**changes: Any) -> Shape:
    """A shape without input that any site takes; requests are fields like the others."""
    requests = changes.pop("requests", replace(Requests(), **_split_off(Requests, changes)))
    return replace(Shape(requests=requests), **changes)


def inputs_at(*sites: str, size: int = 1000) -> Inputs:
    """An input of `size` bytes that lies whole at each of `sites`."""
    return Inputs(size, tuple((site, size) for site in sorted(sites)))


def a_group(cluster: int = 1, **changes: Any) -> JobGroup:
    """Ten idle jobs of alice's that nobody has placed; requests are fields like the others."""
    requests = changes.pop("requests", replace(Requests(), **_split_off(Requests, changes)))
    default = JobGroup(cluster, "alice", JobState.IDLE, 10, task="zmumu-1", batch="b0", requests=requests)
    return replace(default, **changes)


def a_failed_group(cluster: int = 1, **changes: Any) -> JobGroup:
    """Ten jobs of our wrapper's that failed for the first time, at SITE_A, where an input could not be read."""
    default = {
        "state": JobState.HELD, "hold_code": FAILED, "hold_subcode": 71, "holds": 1, "site": "SITE_A",
        "wrapped": True, "sites": ("SITE_A",),
    }  # fmt: skip
    return a_group(cluster, **{**default, **changes})


def a_remedy(**changes: Any) -> Remedy:
    """A first retry away from SITE_A, due at noon."""
    noon = int(NOON)
    default = Remedy(1, 1, "stage-in-failed", Cure.ELSEWHERE, "SITE_A", ("SITE_A",), noon + 21_600, "failed", noon)
    return replace(default, **changes)


def a_decision(*sites: str, **changes: Any) -> Decision:
    """A first placement at `sites`."""
    made = tuple(sorted(sites))
    return replace(Decision(1, 0, made, (), "placed", f"placed at {' or '.join(made)}", int(NOON)), **changes)


def a_place(cluster: int = 1, *, decision: Decision | None = None, **changes: Any) -> Place:
    """A first placement of a cluster's jobs at SITE_A."""
    return replace(Place(cluster, "zmumu-1", "b0", 10, None, decision or a_decision("SITE_A")), **changes)


def a_world(*sites: Site, jobs: Iterable[JobGroup] = (), inputs: Iterable[Any] = (), **changes: Any) -> World:
    """A world of `sites` at noon; `inputs` may name a cluster where all its jobs read the same."""
    groups = tuple(jobs)
    read: dict[Source, Inputs] = {}
    for source, found in inputs:
        alike = [group.source for group in groups if group.cluster == source] if isinstance(source, int) else [source]
        read |= dict.fromkeys(alike, found)
    return replace(World(NOON, sites, groups, tuple(read.items())), **changes)


def an_entry(name: str = "e1", **changes: Any) -> Entry:
    """A way to start one-core glideins at SITE_A."""
    return replace(Entry(name, "SITE_A"), **changes)


def an_entry_state(entry: Entry | None = None, failure: ValidationFailure | None = None, **counts: int) -> EntryState:
    """The glideins of an entry: `an_entry_state(idle=2)`."""
    found = tuple((GlideinState(state), count) for state, count in counts.items())
    return EntryState(entry or an_entry(), found, failure)


def a_failure(**changes: Any) -> ValidationFailure:
    """A glidein at SITE_A that found too little disk."""
    default = ValidationFailure("e1", "SITE_A", "main/check_disk.sh", "WN_Resource", "3 MB are free", NOON)
    return replace(default, **changes)


def a_payload(**changes: Any) -> Payload:
    """A program without input; requests are fields like the others."""
    requests = changes.pop("requests", replace(Requests(), **_split_off(Requests, changes)))
    return replace(Payload("zmumu", "analyse.py", requests=requests), **changes)


def an_output(name: str = "hist.root", *, merge: bool = False) -> Output:
    """A file that every job leaves."""
    return Output(name, merge)


def a_storage(site: str = "SITE_A", prefix: str = "") -> StorageElement:
    """A site's storage element."""
    return StorageElement(f"{site}_DISK", site, prefix or f"file:///se/{site}")


def a_file(lfn: str = "/demo/f1.root", *sites: str, **changes: Any) -> Located:
    """A file of 1000 bytes and 100 events with a copy at each of `sites`."""
    found = replace(File(lfn, 1000, "0badcafe", 100), **changes)
    copies = (Replica(f"{site}_DISK", site, f"file:///se/{site}{lfn}") for site in sorted(sites))
    return Located(found, tuple(copies))


def some_lumis(*ranges: tuple[int, int, int]) -> Lumis:
    """Luminosity sections, each a run with a first and a last; of run 1 the first ten when none are given."""
    return Lumis.of(ranges or [(1, 1, 10)])


def a_dataset(name: str = "/demo/zmumu", files: Iterable[Located] = ()) -> Dataset:
    """A dataset of `files`; of one file at SITE_A when none are given."""
    return Dataset(name, tuple(files) or (a_file("/demo/f1.root", "SITE_A"),))


def a_batch(key: str = "b0", jobs: int = 1, files: Iterable[Located] = (), **changes: Any) -> Batch:
    """A batch of `jobs` that each read all of `files`."""
    pieces = tuple(Piece(located, 0, located.file.events) for located in files)
    chunks = tuple(Chunk(f"{number:04d}", pieces) for number in range(jobs))
    return replace(Batch(key, chunks), **changes)


def a_task(task: str = "zmumu-1", **changes: Any) -> Task:
    """A task of alice's; fields of the payload are changed with `payload=a_payload(…)`."""
    return replace(Task(task, "alice", a_payload(), f"/tasks/alice/{task}", NOON), **changes)


def an_ended_job(**changes: Any) -> EndedJob:
    """A job of alice's that ended well at SITE_A."""
    default = EndedJob(1, 0, "zmumu-1", "b0", "0000", "alice", JobState.FINISHED, 0, "SITE_A", NOON)
    return replace(default, **changes)


def a_transfer(lfn: str = "/user/alice/zmumu-1/hist_0000.root", **changes: Any) -> Transfer:
    """An output of alice's that is to go from SITE_A to SITE_B; size and checksum are fields like the others."""
    file = changes.pop("file", replace(File(lfn, 1000, "0badcafe", 100), **_split_off(File, changes)))
    return replace(Transfer(file, "alice", "zmumu-1", "0000", "SITE_A_DISK", "SITE_B_DISK"), **changes)


def a_report(job: str = "0000", *, outputs: Iterable[Located] = (), **changes: Any) -> str:
    """What the wrapper says of a job that ended well, as JSON."""
    told = [
        {
            "lfn": each.file.lfn,
            "size": each.file.size,
            "adler32": each.file.adler32,
            "events": each.file.events,
            "se": each.replicas[0].se,
            "site": each.replicas[0].site,
            "pfn": each.replicas[0].pfn,
        }
        for each in outputs
    ]
    report = {"version": 1, "task": "zmumu-1", "batch": "b0", "job": job, "site": "SITE_A", "exit_code": 0}
    return json.dumps({**report, "outputs": told, **changes})
