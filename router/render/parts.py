"""Job descriptions: what the wrapper of each job reads, as JSON, those of many jobs in one file.

A task may have a hundred thousand jobs, and where files are slow to create, a file for each takes as long as injecting
them. So a batch is cut into parts; a job is sent its part, and told its own name.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from router.model.files import Located
from router.model.merging import NO_TREE, MergeNode, MergeTree
from router.model.payload import COPY, Payload
from router.model.sweep import Point, filled
from router.model.task import MERGE_BATCH, Batch, Chunk, Piece, Task, merges, numbered

VERSION = 2
MERGER = "merge_files.pyz"
MANIFEST = ".manifest.json"
"""What follows a merged file's name in that of the list of its parts, which lies beside it."""
SELECTION = "GLIDEROUTE_SELECTION"
"""The environment variable in which a program finds which events it is asked for."""

PART_JOBS = 100
"""Jobs in a part, at most."""

PART_COPIES = 1_000
"""Copies of inputs that the jobs of a part name together, at most, unless one job names more: about 200 kB of text."""


@dataclass(frozen=True, slots=True)
class Part:
    """Jobs of a batch that are described in one file."""

    name: str
    """Unique in the task; the file's name without `.json`."""
    chunks: tuple[Chunk, ...]


def parts(batch: Batch) -> tuple[Part, ...]:
    """A batch cut into parts, always in the same way."""
    return tuple(Part(f"{batch.key}-{number}", chunks) for number, chunks in enumerate(_cut(batch)))


def _cut(batch: Batch) -> Iterator[tuple[Chunk, ...]]:
    part: list[Chunk] = []
    copies = 0
    for chunk in batch.chunks:
        more = sum(len(piece.located.replicas) for piece in chunk.pieces)
        if part and (len(part) == PART_JOBS or copies + more > PART_COPIES):
            yield tuple(part)
            part, copies = [], 0
        part.append(chunk)
        copies += more
    if part:
        yield tuple(part)


def part_text(task: Task, batch: str, part: Part, directory: str) -> str:
    """What the wrappers of a part's jobs read; outputs go to `directory` of the catalogue."""
    payload = task.payload
    environment = dict(payload.environment) | ({SELECTION: payload.selection} if payload.selection else {})
    jobs = {
        chunk.job: _at_point(payload.arguments, environment, chunk.point)
        | {
            "inputs": [_input(piece) for piece in chunk.pieces],
            "outputs": [
                {"name": output.name, "lfn": f"{directory}/{numbered(output.name, chunk.job)}"}
                for output in payload.outputs
            ],
        }
        for chunk in part.chunks
    }
    return _json(
        task,
        batch,
        jobs,
        **({"folder": payload.folder} if payload.folder else {}),
        **({"access": payload.access} if payload.access != COPY else {}),
        executable=payload.executable,
        arguments=list(payload.arguments),
        environment=environment,
    )


def _at_point(arguments: Iterable[str], environment: Mapping[str, str], point: Point) -> dict[str, Any]:
    """What is one job's own where parameters are swept."""
    if not point:
        return {}
    return {
        "arguments": [filled(each, point) for each in arguments],
        "environment": {name: filled(value, point) for name, value in environment.items()},
        "parameters": dict(point),
    }


def part_again(texts: Iterable[str], batch: str, jobs: Collection[str]) -> str:
    """The description of `jobs` as a part of another batch, from the texts of the parts they were in.

    Raises ValueError where a job is in none of them.
    """
    found: dict[str, Any] = {}
    alike: dict[str, Any] = {}
    for text in texts:
        part = json.loads(text)
        if mine := {job: part["jobs"][job] for job in jobs if job in part["jobs"]}:
            found |= mine
            alike = {**part, "batch": batch}
    if missing := sorted(set(jobs) - set(found)):
        raise ValueError(f"nothing describes job {missing[0]}")
    return json.dumps({**alike, "jobs": found})


def merge_jobs(payload: Payload) -> tuple[str, ...]:
    """The names of the merge jobs: one for each output that is merged."""
    return tuple(job for job, _ in merges(payload))


def merge_text(task: Task, expected: int, directory: str, tree: MergeTree = NO_TREE) -> str:
    """What the wrappers of the last merge jobs read, a part of its own.

    Each joins `expected` files, or those that the tree says.
    """
    named = dict(tree.last)
    jobs = {
        job: _merge_job(task, output, f"{directory}/{numbered(output, 'merged')}", expected, named.get(job, ()))
        for job, output in merges(task.payload)
    }
    return _json(task, MERGE_BATCH, jobs, executable=MERGER, environment={}, inputs=[])


def node_text(task: Task, node: MergeNode) -> str:
    """What the wrapper of a merge job of a tree reads."""
    job = _merge_job(task, node.output, task.output(node.output, node.job), len(node.parts), node.parts)
    return _json(task, node.job, {node.job: job}, executable=MERGER, environment={}, inputs=[])


def _merge_job(task: Task, output: str, lfn: str, expected: int, parts: tuple[str, ...]) -> dict[str, Any]:
    command = {each.name: each.command for each in task.payload.outputs}[output]
    named = {"expected_parts": len(parts), "jobs": list(parts)} if parts else {"expected_parts": expected}
    return {
        "arguments": [*(["--command", command] if command else []), output],
        "merge": {"parts_of": output, **named},
        "outputs": [{"name": output, "lfn": lfn}, {"name": f"{output}{MANIFEST}", "lfn": f"{lfn}{MANIFEST}"}],
    }


def _json(task: Task, batch: str, jobs: Mapping[str, Mapping[str, Any]], **alike: Any) -> str:
    # One line: with an indent Python's json is five times slower.
    shown = {"token": task.payload.token} if task.payload.token else {}
    return json.dumps({"version": VERSION, "task": task.id, "batch": batch, **shown, **alike, "jobs": jobs})


def copies_of(files: Iterable[Located]) -> dict[str, dict[str, Any]]:
    """Where files are, by logical name, as the plug-in for `lfn://` reads it."""
    return {each.file.lfn: _input(Piece(each)) for each in files}


def _input(piece: Piece) -> dict[str, Any]:
    file = piece.located.file
    told = {
        "lfn": file.lfn,
        "size": file.size,
        "adler32": file.adler32,
        "replicas": [{"se": r.se, "site": r.site, "pfn": r.pfn} for r in piece.located.replicas],
        "first_event": piece.first_event,
        "events": piece.events,
        "file_events": file.events,
    }
    return told | {"lumis": piece.lumis.document()} if piece.lumis else told
