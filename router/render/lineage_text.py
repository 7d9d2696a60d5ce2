"""A lineage as people read it: a tree from the files back to what they were made of, jobs that are alike together.

Much of it is in others' words, of which nothing that leads a terminal comes through.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from router.model.provenance import Artifact, Execution, Lineage, Source, Standing, TaskFacts
from router.model.steps import Step, steps, unmade
from router.render.quantities import size

SHORT = 12
"""Digits of a digest that are shown."""
STANDINGS = {
    Standing.REMOVED: "removed since",
    Standing.CHANGED: "another file has this name by now",
    Standing.UNSEEN: "gone, or not for you to read",
}
TOLD_BY = {
    Source.BATCH: "as the ledger says of all jobs of the batch together",
    Source.DESCRIPTION: "as they were given",
    Source.NOBODY: "nobody tells what they read",
}


_What = tuple[Artifact, ...] | Step


@dataclass(frozen=True, slots=True)
class _Branch:
    """Files or a step that is still to be written, and what stands before its lines."""

    what: _What
    first: str
    rest: str


def text(lineage: Lineage) -> str:
    """The tree, and below it what is known of each task."""
    lines = [*_tree(lineage), *(["", "More lies behind that."] if lineage.cut else [])]
    for facts in sorted(lineage.tasks.values(), key=lambda each: (each.created, each.id)):
        lines += ["", *_task(facts)]
    return "".join(f"{plain(line)}\n" for line in lines)


def plain(words: str) -> str:
    """Words that others chose, without anything that a terminal or its reader is led by."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in words)


def moment(seconds: float) -> str:
    """A time in ISO 8601, UTC; empty where there is none."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else ""


def _tree(lineage: Lineage) -> Iterator[str]:
    known = [lineage.artifacts[lfn] for lfn in lineage.roots if lfn in lineage.artifacts]
    seen: set[tuple[str, str]] = set()
    waiting = [_Branch((each,), "", "") for each in reversed(known)]
    while waiting:
        branch = waiting.pop()
        below: list[_What]
        if isinstance(branch.what, Step):
            keys = {(each.maker.task, each.maker.job) for each in branch.what.executions}
            again = keys <= seen
            below = [] if again or not branch.what.reads else [branch.what.reads]
            lines = _step(branch.what, again)
            seen |= keys
        else:
            below = list(_made_by(lineage, branch.what))
            lines = [_files(branch.what, lineage)]
        bar = "│  " if below else "   "
        for number, line in enumerate(lines):
            yield f"{branch.first}{line}" if number == 0 else f"{branch.rest}{bar}{line}"
        waiting += reversed(list(_hung(below, branch.rest)))


def _hung(below: Sequence[_What], before: str) -> Iterator[_Branch]:
    for number, what in enumerate(below, 1):
        last = number == len(below)
        yield _Branch(what, f"{before}{'└─ ' if last else '├─ '}", f"{before}{'   ' if last else '│  '}")


def _made_by(lineage: Lineage, artifacts: Sequence[Artifact]) -> list[Step]:
    return steps(lineage, [each.lfn for each in artifacts])


def _files(artifacts: Sequence[Artifact], lineage: Lineage) -> str:
    told = [_size(artifacts)]
    if len(artifacts) == 1:
        only = artifacts[0]
        told += [f"adler32 {only.adler32}"] if only.adler32 else []
        told += [f"{only.events:,} events"] if only.events else []
    else:
        told.insert(0, f"{len(artifacts):,} files")
    if found := unmade(lineage, artifacts):
        told += _registered(found)
    told += _standings(artifacts)
    return f"{_names(artifacts)}  {', '.join(each for each in told if each)}"


def _registered(artifacts: Sequence[Artifact]) -> list[str]:
    owners = sorted({each.owner for each in artifacts if each.owner and each.maker is None})
    return [f"registered by {', '.join(owners)}"] if owners else []


def _standings(artifacts: Iterable[Artifact]) -> list[str]:
    counts = Counter(each.standing for each in artifacts if each.standing in STANDINGS)
    return [f"{count:,} {STANDINGS[standing]}" for standing, count in sorted(counts.items())]


def _names(artifacts: Sequence[Artifact]) -> str:
    first, last = artifacts[0].lfn, artifacts[-1].lfn
    if len(artifacts) == 1:
        return first
    directory = f"{first.rpartition('/')[0]}/"
    return f"{first} … {last.removeprefix(directory)}"


def _size(artifacts: Sequence[Artifact]) -> str:
    known = [each.size for each in artifacts if each.size >= 0]
    return size(sum(known)) if len(known) == len(artifacts) else ""


def _step(step: Step, again: bool) -> list[str]:
    first, count = step.first, len(step.executions)
    who = f"job {first.maker.job} ({first.maker.id})"
    if count > 1:
        who = f"{count:,} jobs {first.maker.job} … {step.executions[-1].maker.job}"
    command = " ".join((first.program, *first.arguments)) if _alike(step.executions) else first.program
    head = f"{who} of {first.maker.task}: {command}".rstrip(": ")
    if again:
        return [f"{head}, as above"]
    return [head, *(line for line in (_where(step.executions), _with_what(step.executions), _reading(step)) if line)]


def _alike(executions: Sequence[Execution]) -> bool:
    return len({each.arguments for each in executions}) == 1


def _where(executions: Sequence[Execution]) -> str:
    sites = Counter(each.site for each in executions if each.site)
    told = ", ".join(f"{site} {count:,}" for site, count in sorted(sites.items()))
    started = min((each.started for each in executions if each.started), default=0.0)
    ended = max((each.ended for each in executions), default=0.0)
    if len(executions) == 1:
        slot = dict(executions[0].node).get("Name") or executions[0].host
        told = ", ".join(each for each in (executions[0].site, slot) if each)
    when = " to ".join(each for each in (moment(started), moment(ended)) if each)
    return "; ".join(each for each in (f"at {told}" if told else "", when) if each)


def _with_what(executions: Sequence[Execution]) -> str:
    """The software that the nodes say they have, and the digest of the program, where these are the same for all."""
    software = {_software(dict(each.node)) for each in executions if each.node}
    program = {dict(each.code).get(each.program, "") for each in executions}
    told = [*software] if len(software) == 1 else ["nodes with different software"] if software else []
    if len(program) == 1 and "" not in program:
        told += [f"{executions[0].program} {next(iter(program))[:SHORT]}"]
    return "; ".join(each for each in told if each)


def _software(node: dict[str, str]) -> str:
    python = node.get("ROUTER_PYTHON_VERSION")
    told = [node.get("OpSysAndVer", ""), node.get("Arch", ""), f"python {python}" if python else ""]
    return ", ".join(each for each in (*told, node.get("ROUTER_MODULE_VERSIONS", "").replace(",", ", ")) if each)


def _reading(step: Step) -> str:
    events = sum(use.events for each in step.executions for use in each.uses)
    told = [f"{events:,} events"] if events else []
    told += sorted({TOLD_BY[each.told_by] for each in step.executions if each.told_by in TOLD_BY and each.uses})
    if not any(each.uses for each in step.executions) and any(
        each.told_by is Source.NOBODY for each in step.executions
    ):
        return TOLD_BY[Source.NOBODY]
    return f"reading {', '.join(told)}" if told else ""


def _task(facts: TaskFacts) -> list[str]:
    rows = [
        ("document", f"sha256 {facts.document_digest}"),
        ("program", f"{facts.program} sha256 {facts.program_digest}" if facts.program_digest else facts.program),
        ("input", facts.reads),
        ("split", facts.split),
        ("container", facts.container),
        ("software", ", ".join(facts.software)),
    ]
    head = f"Task {facts.id} of {facts.owner}, submitted {moment(facts.created)}"
    return [head, *(f"  {name:9} {words}" for name, words in rows if words)]
