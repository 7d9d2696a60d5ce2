"""Trees of merge jobs: which parts each job joins, where an output says how many parts one job may join."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from router.model.payload import Payload
from router.model.task import MERGE_BATCH, Task, merges

PARTIAL = "partial"
"""How the batches begin that merge what is there, when somebody asks for it."""
_NODE = re.compile(rf"{MERGE_BATCH}\d*-\d+-\d+")
_PARTIAL = re.compile(rf"{PARTIAL}(\d*)-(\d+)")


@dataclass(frozen=True, slots=True)
class MergeNode:
    """A merge job below the last one, or of a part of the outputs. It is a batch of its own, of the same name."""

    job: str
    """`merge-LEVEL-NUMBER` or `partial-NUMBER`; of the first of several outputs `merge0-…` or `partial0-…`."""
    output: str
    parts: tuple[str, ...]
    """The jobs whose outputs it joins."""


@dataclass(frozen=True, slots=True)
class MergeTree:
    """All merge jobs of a task whose parts are named beforehand."""

    nodes: tuple[MergeNode, ...] = ()
    """Each after those it waits for; empty: there are last jobs alone."""
    last: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """What each of the last jobs joins."""


@dataclass(frozen=True, slots=True)
class PartCopy:
    """A copy of a part that is joined and not kept."""

    lfn: str
    se: str


NO_TREE = MergeTree()


def is_merge(batch: str) -> bool:
    """Whether a batch merges the outputs of others."""
    return batch == MERGE_BATCH or is_node(batch) or is_partial(batch)


def is_node(batch: str) -> bool:
    """Whether a batch is a merge job below the last one."""
    return _NODE.fullmatch(batch) is not None


def is_partial(batch: str) -> bool:
    """Whether a batch merges what was there when somebody asked; nothing waits for it."""
    return _PARTIAL.fullmatch(batch) is not None


def partial_number(payload: Payload, output: str, batch: str) -> int:
    """Which one of the partial merges of an output a batch is, from 1; 0 where it is none of them."""
    found = _PARTIAL.fullmatch(batch)
    return int(found[2]) if found and batch == partial_job(payload, output, int(found[2])) else 0


def partial_job(payload: Payload, output: str, number: int) -> str:
    """The name of a merge job of what is there, and of its batch."""
    names = [each.name for each in payload.outputs]
    return f"{PARTIAL}{names.index(output) if len(names) > 1 else ''}-{number}"


def output_of(payload: Payload, job: str) -> str:
    """The output that a merge job of this name joins; empty where it is none of the payload's."""
    if found := _PARTIAL.fullmatch(job):
        number = int(found[1] or 0)
        return payload.outputs[number].name if number < len(payload.outputs) else ""
    return dict(merges(payload)).get(job.partition("-")[0], "")


def merge_tree(payload: Payload, jobs: Sequence[str]) -> MergeTree:
    """The merge jobs for the outputs of `jobs`; neighbours are joined first, so these should be neighbours in place."""
    fan_in = {output.name: output.fan_in for output in payload.outputs}
    nodes: list[MergeNode] = []
    last: list[tuple[str, tuple[str, ...]]] = []
    for name, output in merges(payload):
        parts = tuple(jobs)
        for level in _levels(len(parts), fan_in[output]):
            below = tuple(_level(name, output, level, parts, fan_in[output]))
            nodes.extend(below)
            parts = tuple(node.job for node in below)
        last.append((name, parts))
    return MergeTree(tuple(nodes), tuple(last)) if nodes else NO_TREE


def _levels(count: int, fan_in: int) -> Iterator[int]:
    level = 1
    while fan_in and count > fan_in:
        yield level
        count, level = -(-count // fan_in), level + 1


def _level(name: str, output: str, level: int, parts: Sequence[str], fan_in: int) -> Iterator[MergeNode]:
    """Jobs of nearly the same number of parts each."""
    count = -(-len(parts) // fan_in)
    for number in range(count):
        mine = parts[number * len(parts) // count : (number + 1) * len(parts) // count]
        yield MergeNode(f"{name}-{level}-{number}", output, tuple(mine))


def files_of(task: Task, node: MergeNode) -> tuple[str, ...]:
    """The logical names of what a merge job joins."""
    return tuple(task.output(node.output, part) for part in node.parts)
