"""Batches as submit descriptions."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

from jinja2 import Environment

from router.model.payload import Requests
from router.model.sweep import Point
from router.model.task import MERGE_BATCH, Batch, Task
from router.render.encode import classad_string, file_list, submit_value
from router.render.parts import MERGER, merge_jobs, parts
from router.render.templates import environment
from router.resources import folder

WRAPPER = "run_job.pyz"
LEVEL = 10_000
"""Steps of JobPrio between two priorities of a user's tasks."""
STEP = 100
"""Jobs of a task for each of which JobPrio is one lower, so that a user's tasks take turns: PanDA's rule has 5."""
MERGE_REQUESTS = Requests(cpus=1, memory_mb=1024, disk_mb=1024, walltime_s=3600)


@dataclass(frozen=True, slots=True)
class Description:
    """What a template sees of one batch."""

    task: str
    batch: str
    directory: str
    """The task's directory on the access point; other paths are relative to it."""
    wrapper: str
    """Absolute path of the program HTCondor starts: a relative one would be looked for where the user is."""
    files: tuple[str, ...]
    requests: Requests
    common: tuple[str, ...] = ()
    """Files that a glidein is sent once for all jobs of the cluster."""
    container: str = ""
    dataset: str = ""
    inputs: str = ""
    writes: bool = False
    """Whether its jobs leave outputs at a site's storage."""
    allow: str = ""
    block: str = ""
    group: str = ""
    token: str = ""
    """The service whose token comes with the job."""
    priority: int = 0
    """JobPrio of the first job; HTCondor orders the jobs of one user by it, and nobody else's."""
    fixed: str = "False"
    swept: bool = False
    """Whether parameters differ from job to job."""

    @property
    def priority_step(self) -> int:
        """Jobs for each of which JobPrio is one lower."""
        return STEP

    @property
    def walltime_min(self) -> int:
        """Whole minutes, rounded up."""
        return -(-self.requests.walltime_s // 60)

    @property
    def capability(self) -> str:
        """The GPUs' capability as a ClassAd number."""
        return f"{self.requests.gpus.capability:g}"

    @property
    def software(self) -> str:
        """The tags as one list."""
        return ",".join(self.requests.platform.software)


@dataclass(frozen=True, slots=True)
class Injection:
    """One cluster to submit: the description and the values that differ from job to job."""

    batch: str
    text: str
    items: tuple[tuple[tuple[str, str], ...], ...]


def batch_injection(task: Task, batch: Batch) -> Injection:
    """The cluster of a batch."""
    payload = task.payload
    description = Description(
        task=task.id,
        batch=batch.key,
        directory=task.directory,
        wrapper=f"{task.directory}/code/{WRAPPER}",
        files=tuple(f"code/{name}" for name in (payload.executable, *payload.files, payload.bundle_digest) if name),
        requests=payload.requests,
        common=(f"code/{payload.bundle}",) if payload.bundle else (),
        container=payload.container,
        dataset=payload.dataset,
        inputs=",".join(sorted(batch.sites)),
        writes=bool(payload.outputs),
        allow=",".join(payload.allow),
        block=",".join(payload.block),
        group=payload.group,
        token=payload.token,
        priority=payload.priority * LEVEL - int(batch.chunks[0].job) // STEP,
        fixed=str(not payload.move),
        swept=bool(payload.sweep.values),
    )
    items = tuple(_item(chunk.job, part.name, chunk.point) for part in parts(batch) for chunk in part.chunks)
    return Injection(batch.key, _render("analysis.jdl.j2", f"{task.id} {batch.key}", description), items)


def merge_injection(task: Task) -> Injection:
    """The cluster of the task's last merge jobs."""
    return _merging(task, MERGE_BATCH, merge_jobs(task.payload))


def node_injection(task: Task, job: str, disk_mb: int = 0) -> Injection:
    """The cluster of a merge job that knows its parts, which ask for so much disk at least."""
    return _merging(task, job, (job,), max(disk_mb, MERGE_REQUESTS.disk_mb))


def _merging(task: Task, batch: str, jobs: Iterable[str], disk_mb: int = MERGE_REQUESTS.disk_mb) -> Injection:
    payload = task.payload
    description = Description(
        task=task.id,
        batch=batch,
        directory=task.directory,
        wrapper=f"{task.directory}/code/{WRAPPER}",
        files=tuple(f"code/{name}" for name in (MERGER, *payload.merge_commands)),
        requests=replace(MERGE_REQUESTS, disk_mb=disk_mb),
        writes=True,
        allow=",".join(payload.allow),
        block=",".join(payload.block),
        group=payload.group,
        token=payload.token,
        priority=payload.priority * LEVEL + 1,
        fixed=str(not payload.move),
    )
    items = tuple(_item(job, batch) for job in jobs)
    return Injection(batch, _render("merge.jdl.j2", f"{task.id} {batch}", description), items)


def _item(job: str, part: str, point: Point = ()) -> tuple[tuple[str, str], ...]:
    named = (("RouterJob", job), ("RouterPart", part))
    if not point:
        return named
    return (*named, ("RouterPoint", submit_value(" ".join(f"{name}={value}" for name, value in point))))


def _render(template: str, title: str, description: Description) -> str:
    return templates().get_template(template).render(job=description, title=title)


@cache
def templates() -> Environment:
    """Where descriptions come from; every value goes through the encoder."""
    # Once for all batches: reading and compiling the templates takes longer than rendering.
    made = environment(folder("jdl_templates"), submit_value)
    made.filters |= {"classad": classad_string, "files": file_list}
    return made
