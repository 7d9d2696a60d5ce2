"""Batches as submit descriptions and job descriptions."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from router.model.files import Located
from router.model.payload import Payload, Requests
from router.model.task import MERGE_BATCH, Batch, Chunk, Task
from router.render.encode import classad_string, file_list, submit_value
from router.resources import folder

VERSION = 1
WRAPPER = "run_job.py"
MERGER = "merge_files.py"
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
    dataset: str = ""
    inputs: str = ""
    allow: str = ""
    block: str = ""
    group: str = ""

    @property
    def walltime_min(self) -> int:
        """Whole minutes, rounded up."""
        return -(-self.requests.walltime_s // 60)


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
        files=tuple(f"code/{name}" for name in (payload.executable, *payload.files)),
        requests=payload.requests,
        dataset=payload.dataset,
        inputs=",".join(sorted(batch.sites)),
        allow=",".join(payload.allow),
        block=",".join(payload.block),
        group=payload.group,
    )
    items = tuple((("RouterJob", chunk.job),) for chunk in batch.chunks)
    return Injection(batch.key, _render("analysis.jdl.j2", f"{task.id} {batch.key}", description), items)


def merge_injection(task: Task) -> Injection:
    """The cluster of the task's merge job."""
    payload = task.payload
    description = Description(
        task=task.id,
        batch=MERGE_BATCH,
        directory=task.directory,
        wrapper=f"{task.directory}/code/{WRAPPER}",
        files=(f"code/{MERGER}",),
        requests=MERGE_REQUESTS,
        allow=",".join(payload.allow),
        block=",".join(payload.block),
        group=payload.group,
    )
    items = tuple((("RouterJob", job),) for job in merge_jobs(payload))
    return Injection(MERGE_BATCH, _render("merge.jdl.j2", f"{task.id} {MERGE_BATCH}", description), items)


def merge_jobs(payload: Payload) -> tuple[str, ...]:
    """The names of the merge jobs: one for each output that is merged."""
    count = sum(output.merge for output in payload.outputs)
    return tuple(f"merge{i}" if count > 1 else "merge" for i in range(count))


def job_description(task: Task, batch: str, chunk: Chunk, directory: str) -> str:
    """What the wrapper of one job reads, as JSON; outputs go to `directory` of the catalogue."""
    payload = task.payload
    return _json(
        task,
        batch,
        chunk.job,
        executable=payload.executable,
        arguments=list(payload.arguments),
        environment=dict(payload.environment),
        inputs=[
            _input(piece.located) | {"first_event": piece.first_event, "events": piece.events} for piece in chunk.pieces
        ],
        outputs=[
            {"name": output.name, "lfn": f"{directory}/{_numbered(output.name, chunk.job)}"}
            for output in payload.outputs
        ],
    )


def merge_descriptions(task: Task, parts: int, directory: str) -> dict[str, str]:
    """What the wrapper of each merge job reads, by the job's name; it joins `parts` files."""
    merged = [output for output in task.payload.outputs if output.merge]
    return {
        job: _json(
            task,
            MERGE_BATCH,
            job,
            executable=MERGER,
            arguments=[output.name],
            environment={},
            inputs=[],
            merge={"parts_of": output.name, "expected_parts": parts},
            outputs=[{"name": output.name, "lfn": f"{directory}/{_numbered(output.name, 'merged')}"}],
        )
        for job, output in zip(merge_jobs(task.payload), merged, strict=True)
    }


def _json(task: Task, batch: str, job: str, **rest: Any) -> str:
    # One line: with an indent Python's json is five times slower, and a task may have a hundred thousand of these.
    return json.dumps({"version": VERSION, "task": task.id, "batch": batch, "job": job, **rest})


def _input(located: Located) -> dict[str, Any]:
    file = located.file
    return {
        "lfn": file.lfn,
        "size": file.size,
        "adler32": file.adler32,
        "replicas": [{"se": r.se, "site": r.site, "pfn": r.pfn} for r in located.replicas],
    }


def _numbered(name: str, job: str) -> str:
    stem, dot, suffix = name.partition(".")
    return f"{stem}_{job}{dot}{suffix}"


def _render(template: str, title: str, description: Description) -> str:
    return _templates().get_template(template).render(job=description, title=title)


@cache
def _templates() -> Environment:
    # Once for all batches: reading and compiling the templates takes longer than rendering.
    environment = Environment(
        loader=FileSystemLoader(folder("jdl_templates")),
        undefined=StrictUndefined,
        finalize=submit_value,
        autoescape=False,  # noqa: S701 - not HTML: every value goes through submit_value
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"classad": classad_string, "files": file_list}
    return environment
