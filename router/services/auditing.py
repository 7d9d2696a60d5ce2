"""What a user asks for is written into the audit: before it is done, and what became of it."""

import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from router.errors import OutcomeUnknown, RouterError, TemporaryError
from router.model.answer import PartialMerge
from router.model.audit import AuditEntry, AuditState
from router.model.task import Task
from router.ports import Clock, UserMemory

log = logging.getLogger(__name__)


class Journal(Protocol):
    """Where entries go."""

    def note_audit(self, entries: Sequence[AuditEntry]) -> None:
        """Append entries; all of them, or none."""
        ...


class Asker(Protocol):
    """On whose behalf something is asked."""

    @property
    def memory(self) -> Journal:
        """Where that is written down."""
        ...

    @property
    def user(self) -> str:
        """The user."""
        ...

    @property
    def account(self) -> str:
        """The account of the operating system."""
        ...

    @property
    def clock(self) -> Clock:
        """Tells when."""
        ...

    def identity(self) -> str:
        """As whom the schedd authenticates it."""
        ...


@dataclass(frozen=True)
class Requester:
    """Somebody who asks for something without the user's interface."""

    memory: Journal
    user: str
    account: str
    clock: Clock

    def identity(self) -> str:
        """Nobody: the schedd is not asked."""
        return ""


@dataclass
class Request:
    """What is being asked; whoever does it adds what came of it."""

    about: str = ""
    task: str = ""
    words: str = ""
    identity: str = ""


A = TypeVar("A", bound=Asker)
P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def asked(asker: Asker, act: str, about: str, task: str = "") -> Iterator[Request]:
    """Write down that `act` is asked, and afterwards what became of it."""
    request = Request(about, task)
    begun = AuditEntry(
        at=asker.clock.now(),
        who=asker.user,
        act=act,
        about=about,
        outcome="asked",
        account=asker.account,
        task=task,
        request=secrets.token_hex(8),
    )
    asker.memory.note_audit([begun])
    try:
        yield request
    except BaseException as error:
        _end(asker, begun, request, _outcome(error), str(error) or type(error).__name__)
        raise
    _end(asker, begun, request, "done", request.words)


def audited(
    act: str,
    about: Callable[..., Request],
    told: Callable[[Any], Request] = lambda answer: Request(words=str(answer)),
    at_pool: bool = True,
) -> Callable[[Callable[Concatenate[A, P], R]], Callable[Concatenate[A, P], R]]:
    """A method that changes something for a user, with its entries in the audit.

    `about` gets what the method gets and says what it is about; `told` says what its answer means for that. What is
    done `at_pool` is noted with the identity that the pool knows.
    """

    def made(method: Callable[Concatenate[A, P], R]) -> Callable[Concatenate[A, P], R]:
        @wraps(method)
        def call(self: A, /, *args: P.args, **kwargs: P.kwargs) -> R:
            wanted = about(self, *args, **kwargs)
            with asked(self, act, wanted.about, wanted.task) as request:
                answer = method(self, *args, **kwargs)
                found = told(answer)
                request.about, request.task = found.about or wanted.about, found.task or wanted.task
                request.words, request.identity = found.words, _identity(self) if at_pool else ""
            return answer

        call.audited = act  # type: ignore[attr-defined]
        return call

    return made


def of_jobs(router: Any, wanted: str) -> Request:
    """About a task, a cluster or a job. Raises NotFound for a task that nobody knows."""
    return Request(f"job {wanted}") if wanted.partition(".")[0].isdecimal() else of_task(router, wanted)


def of_task(router: Any, wanted: str, *_: Any, **__: Any) -> Request:
    """About a task, by its whole id. Raises NotFound."""
    found = router.memory.task(wanted).id
    return Request(f"task {found}", found)


def of_job(router: Any, wanted: str, job: str, *_: Any, **__: Any) -> Request:
    """About a job of a task, by the task's whole id. Raises NotFound."""
    found = router.memory.task(wanted).id
    return Request(f"job {job} of task {found}", found)


def of_known(_: Any, task: Task, *__: Any, **___: Any) -> Request:
    """About a task that was looked up already."""
    return Request(f"task {task.id}", task.id)


def of_site(_: Any, site: str, *said: Any, **__: Any) -> Request:
    """About a site, with what is said of it."""
    return Request(" ".join((f"site {site}:", *(str(each) for each in said if each))))


def named(kind: str, name: Callable[[Any], str] = str) -> Callable[..., Request]:
    """About what the first argument names."""

    def about(_: Any, what: Any, *__: Any, **___: Any) -> Request:
        return Request(f"{kind} {name(what)}")

    return about


def nothing_more(_: Any) -> Request:
    """An answer that tells no more than that it is done."""
    return Request()


def as_task(answer: Any) -> Request:
    """An answer that has, or is, a task."""
    task: Task = getattr(answer, "task", answer)
    clusters = ", ".join(str(cluster) for _, cluster in getattr(answer, "clusters", ()))
    return Request(f"task {task.id}", task.id, f"clusters {clusters}" if clusters else "")


def merged(answer: Sequence[PartialMerge]) -> Request:
    """Which merge jobs there are now."""
    return Request(words="; ".join(f"cluster {each.cluster}: {each.parts} files into {each.lfn}" for each in answer))


def about(memory: UserMemory, what: str) -> tuple[str, int]:
    """The task, or the cluster, that a word names: a task's id or name, `12` or `12.0`. Raises NotFound."""
    cluster = what.partition(".")[0]
    if cluster.isdecimal():
        return "", int(cluster)
    return (memory.task(what).id, 0) if what else ("", 0)


def checked(memory: UserMemory, digest: str) -> AuditState:
    """Whether the audit is as it was written, and still has a `digest` that somebody kept."""
    state = memory.audit_state()
    if digest and not state.fault and not memory.has_audit_digest(digest):
        return replace(state, fault=f"no entry has the digest {digest[:64]}: the end was cut off or made anew")
    return state


def _end(asker: Asker, begun: AuditEntry, request: Request, outcome: str, words: str) -> None:
    entry = replace(begun, at=asker.clock.now(), outcome=outcome, words=words, about=request.about)
    try:
        asker.memory.note_audit([replace(entry, task=request.task, identity=request.identity)])
    except RouterError as error:  # it is done all the same, and must not be asked for again
        log.warning("what became of `%s` is not in the audit: %s", begun.act, error)


def _identity(asker: Asker) -> str:
    try:
        return asker.identity()
    except RouterError:  # what was asked for is done; the jobs themselves say whose they are
        return ""


def _outcome(error: BaseException) -> str:
    match error:
        case OutcomeUnknown():
            return "unknown"
        case TemporaryError():
            return "failed"
        case RouterError():
            return "refused"
        case Exception():
            return "failed"
    return "unknown"  # interrupted
