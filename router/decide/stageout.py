"""Which outputs to copy now, what becomes of a copy that failed, and which outputs of a job move at all."""

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from router.model.files import Located
from router.model.job import EndedJob
from router.model.merging import is_merge
from router.model.policy import StageOutPolicy
from router.model.task import MERGE_BATCH, Task
from router.model.transfer import (
    Clear,
    Copy,
    Fault,
    GiveUp,
    Look,
    Recall,
    Send,
    StageOutAction,
    StageOutWorld,
    Transfer,
    TransferCause,
    TransferState,
)

HOPELESS = frozenset({TransferCause.NOT_DECLARED})
FEW_TRIES = frozenset({TransferCause.PERMISSION, TransferCause.SOURCE_MISSING, TransferCause.CHECKSUM})
"""Causes that seldom pass by themselves."""


def to_move(task: Task, job: EndedJob, outputs: Iterable[Located]) -> tuple[Transfer, ...]:
    """The outputs of a job that are to move; parts that a merge job joins stay, and what joins some of them."""
    destination = task.payload.destination
    if not destination or (is_merge(job.batch) and job.batch != MERGE_BATCH):
        return ()
    parts = {task.output(each.name, job.job) for each in task.payload.outputs if each.merge}
    stay = parts if job.batch != MERGE_BATCH else set()
    return tuple(
        Transfer(each.file, task.owner, task.id, job.job, replica.se, destination)
        for each in outputs
        for replica in each.replicas[:1]
        if each.file.lfn not in stay and replica.se != destination
    )


def plan(world: StageOutWorld, policy: StageOutPolicy) -> Iterator[StageOutAction]:
    """What to do now: what has arrived is cleared up first, which makes room; a bad destination is only probed."""
    yield from (Clear(each) for each in world.arrived)
    if not world.looked:
        yield from _follow(world, policy)
    begun: dict[str, int] = {}
    given: dict[tuple[str, str], list[Transfer]] = {}
    for each in world.waiting:
        if missing := sorted({each.source, each.destination} - world.elements):
            words = f"no site declares the storage element {' or '.join(missing)}"
            yield GiveUp(each, Fault(TransferCause.NOT_DECLARED, words))
            continue
        begun[each.destination] = begun.get(each.destination, 0) + 1
        if begun[each.destination] > _room(world, each.destination, policy):
            continue
        if world.service.brings(each):
            given.setdefault((each.source, each.destination), []).append(each)
        else:
            yield Copy(each)
    yield from _bulks(given, policy.most_sent - len(world.sent), policy)


def _follow(world: StageOutWorld, policy: StageOutPolicy) -> Iterator[StageOutAction]:
    """Ask for what the service has, and take back what it has had for too long."""
    of: dict[str, list[Transfer]] = {}
    for each in world.sent:
        of.setdefault(each.bulk, []).append(each)
    for bulk, several in of.items():
        if not world.service.destinations:
            words = "the settings name no transfer service any more"
            yield Recall(bulk, tuple(several), Fault(TransferCause.OTHER, words))
        elif world.now < min(each.due for each in several) + policy.sent_s:
            yield Look(bulk, tuple(several))
        else:
            words = f"the transfer service has not brought it in {policy.sent_s / 3600:.0f} h"
            yield Recall(bulk, tuple(several), Fault(TransferCause.TIME_OUT, words))


def _bulks(given: dict[tuple[str, str], list[Transfer]], room: int, policy: StageOutPolicy) -> Iterator[StageOutAction]:
    """Outputs of one source and destination together, as a service treats each such link by itself."""
    for several in given.values():
        for start in range(0, len(several), policy.bulk):
            together = tuple(several[start : start + policy.bulk][: max(room, 0)])
            room -= len(together)
            if together:
                yield Send(_name(together), together)


def _name(together: Sequence[Transfer]) -> str:
    told = "\n".join(f"{each.file.lfn} {each.epoch + 1}" for each in together)
    return f"glideroute-{hashlib.sha256(told.encode()).hexdigest()[:32]}"


def _room(world: StageOutWorld, se: str, policy: StageOutPolicy) -> int:
    """How many copies a destination gets at once."""
    known = world.destinations.get(se)
    if known is None or known.streak < policy.bad_streak:
        return policy.per_pass
    return policy.probes if world.now >= known.at + policy.probe_s else 0


def after(transfer: Transfer, fault: Fault, now: float, policy: StageOutPolicy) -> Transfer:
    """A transfer after a copy of it failed: when it is tried again, or that it is not."""
    tries = transfer.tries + 1
    failed = replace(
        transfer, state=TransferState.WAITING, bulk="", tries=tries, cause=str(fault.cause), words=fault.words
    )
    most = 0 if fault.cause in HOPELESS else policy.few_tries if fault.cause in FEW_TRIES else policy.tries
    if tries > most:
        return replace(failed, state=TransferState.FAILED, due=0.0)
    return replace(failed, due=now + _delay(transfer, tries, policy))


def _delay(transfer: Transfer, tries: int, policy: StageOutPolicy) -> float:
    """Twice as long each time, up to a limit; spread by the name, so that what failed together is not tried together.

    Exponential back-off with jitter, the jitter drawn from the name.
    """
    base = min(policy.delay_s * 2.0 ** min(tries - 1, 32), policy.most_delay_s)
    spread = zlib.crc32(f"{transfer.file.lfn} {tries}".encode()) / 2**32
    return base * (0.75 + 0.5 * spread)
