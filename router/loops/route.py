"""The route loop: observe, decide, apply, and remember why."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from router.decide.focus import Focus, is_open
from router.decide.health import HEALTHY, Health, health
from router.decide.policies import decide
from router.decide.prudence import prudent
from router.decide.retry import treat
from router.decide.running import stops
from router.decide.settle import settle
from router.errors import TemporaryError
from router.loops.books import Books
from router.loops.careful import Careful
from router.loops.counts import Counts, words_of
from router.loops.fetches import FetchReader
from router.loops.following import Following
from router.loops.history import History
from router.loops.lease import Alone, Leader
from router.loops.observe import Declared, observe, tape_of
from router.loops.placing import Placing
from router.loops.pressure import Pressure
from router.loops.reading import ReportReader
from router.loops.reads import Reads
from router.loops.runs import Runs
from router.loops.watch import Watch
from router.model.action import Action, Diagnose, Mend, Place, Release, Vacate, Wait
from router.model.event import Events, ended_jobs, tally
from router.model.files import Located
from router.model.node_outcomes import tally_nodes
from router.model.policy import BrokerPolicy, RetryPolicy, RunningPolicy
from router.model.record import DecisionRecord
from router.model.streak import streaks
from router.model.task import Task
from router.model.world import CATALOGUE, COLLECTOR, EVENT_LOG, World
from router.ports import Clock, EventSource, Memory, Pool, Reports

log = logging.getLogger(__name__)

NO_EDIT_TAKEN = (
    "the schedd took no edit of this pass. If that lasts, the router may not edit others' jobs: it must be in "
    "QUEUE_SUPER_USERS, and the schedd must know it (condor_qusers -add)."
)

CLOCK_STEP_S = 2.0
"""A clock that moves this much against the monotonic one between two passes was set, or the machine slept."""


@dataclass
class Route:
    """One router: its sources, its policy, and the last world it saw."""

    pool: Pool
    memory: Memory
    reports: Callable[[Task], Reports]
    sites: Sequence[Declared]
    policy: BrokerPolicy
    clock: Clock
    events: EventSource | None = None
    """None: nobody writes an event log; outcomes of sites are then what history shows."""
    retry: RetryPolicy = RetryPolicy()
    running: RunningPolicy = RunningPolicy()
    misplaced: Callable[[Located], str] = lambda _: ""
    """Says of an output why it cannot be where a report says; empty where it can."""
    keep: Callable[[World], None] = lambda _: None
    """Gets every world in which something is decided."""
    leader: Leader = field(default_factory=Alone)
    books: Books | None = None
    """Kept after each pass; None: nobody asks for usage."""
    following: Following | None = None
    """Asks data services anew after each pass; None: there are none."""
    fetches: FetchReader | None = None
    """Reads what jobs tell of copies, after each pass; None: nobody asks."""
    placing: Placing | None = None
    """Decides on further copies of datasets after each pass; None: there are none."""
    pressure: Pressure = field(default_factory=Pressure)
    monotonic: Callable[[], float] = time.monotonic
    world: World | None = None
    health: Health = HEALTHY
    """What the last pass held against sites."""
    counts: Counts = field(default_factory=Counts)

    _term: int = 0
    """In which the last pass was."""
    _ahead: float | None = None
    """What the clock has more than the monotonic one, in seconds."""

    def __post_init__(self) -> None:
        """See the pool with care."""
        self.watch = Watch(self.pool, self.clock)
        self._history = History(self.pool, self.memory, self.clock)
        self._report_reader = ReportReader(self.memory, self.reports, self.clock, self.misplaced)
        self._runs = Runs(self.pool, self.memory, self.clock, self.running)
        self.careful = Careful(self.pool, self.clock, self.watch)
        self.look_anew()

    def look_anew(self) -> None:
        """Forget what was followed: the next pass looks at the whole queue and decides all of it."""
        self.watch.forget()
        self._reads, self._focus = Reads(self.clock, tape_of(self.sites)), Focus()
        self._runs.forget()

    def step(self) -> list[Action]:
        """Do one pass; returns what was done. Safe to repeat: what is already so is observed, not decided again."""
        if not self.leader.lead():
            return []
        self._check_clock()
        self._check_term()
        self._learn()
        self.world = self._observe()
        self.leader.saw(max((group.decision.term for group in self.world.jobs if group.decision), default=0))
        self._judge(self.world)
        if not self.world.stale:
            self._note_glideins(self.world)
            self.memory.settle_all(settle(self.memory.open(), self.world.jobs))
        focused = self._focus.on(self.world, self.policy) if self.events else self.world
        wanted = decide(focused, self.policy) if is_open(focused) else ()
        treatment = () if self.world.stale else treat(self.world, self.retry)
        stopped = () if self.world.stale else stops(self.world, self.policy, self.running)
        news = self._news([*prudent(wanted, self.world), *treatment, *stopped])
        actions = [self._signed(action) for action in news]
        if any(isinstance(action, Place) for action in actions):
            actions = self.pressure.admitted(actions, self._duty_cycle())
        if actions:
            self.keep(focused)
        done = self.apply(actions)
        if self.books:
            self.books.step()
        self._look_after_inputs(self.world)
        if self.fetches:
            self.fetches.step()
        return done

    def _look_after_inputs(self, world: World) -> None:
        """Follow where inputs lie; where copies came or went, the next pass decides all jobs anew."""
        if world.stale:
            return
        changed = [each.step(world) for each in (self.following, self.placing) if each]
        if any(changed):
            self._reads.forget()
            self._focus = Focus()

    def _check_clock(self) -> None:
        """Where the clock was set: no time that was noted before is compared with one that is read from now on."""
        ahead, before = self.clock.now() - self.monotonic(), self._ahead
        self._ahead = ahead
        if before is None or abs(ahead - before) < CLOCK_STEP_S:
            return
        log.warning("the clock was set by %+.0f s: looking at the whole queue anew", ahead - before)
        self.look_anew()
        self.watch.mistrust()
        self.careful.clock_was_set(ahead - before)
        self._history.clock_was_set()

    def _check_term(self) -> None:
        """Where the lease was taken over: no event tells what another router wrote into jobs meanwhile."""
        if self.leader.term != self._term:
            self._term = self.leader.term
            self.look_anew()

    def _observe(self) -> World:
        """The world now, with what is not believed of it."""
        found = observe(self.careful, self.memory, self.sites, self.policy, self.clock.now(), self._reads)
        read = {**self.careful.read, CATALOGUE: found.now}
        if self.events is not None:
            read[EVENT_LOG] = self.memory.events_read()
        if (stale := tuple(sorted(self.careful.stale.items()))) and (not self.world or self.world.stale != stale):
            log.warning("jobs keep their sites meanwhile: %s", "; ".join(f"the {name} {why}" for name, why in stale))
        runs = () if stale else self._runs.look()
        return replace(found, stale=stale, runs=runs, read=tuple(sorted(read.items())))

    def _judge(self, world: World) -> None:
        """Note what is held against sites, and tell operators once where that is too much to believe."""
        found = health(world.sites, world.jobs, self.policy, world.now)
        if found.warning and found.spared != self.health.spared:
            log.warning("%s", found.warning)
        self.health = found

    def apply(self, actions: Sequence[Action]) -> list[Action]:
        """Write the actions down, do them, write down what became of them; returns those that were applied."""
        if not actions:
            return []
        numbers = self.memory.note_all(actions, self.clock.now())
        outcomes = ["unknown"] * len(actions)
        try:
            for index, outcome in self._do(actions):
                outcomes[index] = outcome
        except TemporaryError:
            self.memory.settle_all(zip(numbers, outcomes, strict=True))
            raise
        self.memory.settle_all(zip(numbers, outcomes, strict=True))
        for action, outcome in zip(actions, outcomes, strict=True):
            self.counts.add(action, outcome)
            log.info("%s, cluster %d: %s", outcome, action.cluster, words_of(action))
        if any(isinstance(action, Place) for action in actions) and set(outcomes) == {"superseded"}:
            log.warning("%s", NO_EDIT_TAKEN)
        return [action for action, outcome in zip(actions, outcomes, strict=True) if outcome == "applied"]

    def _signed(self, action: Action) -> Action:
        """An action with the term in which it is decided."""
        if isinstance(action, Place | Vacate):
            return replace(action, decision=replace(action.decision, term=self.leader.term))
        return action

    def _note_glideins(self, world: World) -> None:
        present = [site.name for site in world.sites if site.cores]
        self.memory.note_glideins(present, [site.name for site in world.sites if site.waiting_jobs], world.now)

    def _learn(self) -> None:
        """Remember what happened and which jobs ended since the last pass, and register what they left behind."""
        found = self._read_events()
        self._history.learn(anyway=found is None or not found.whole)
        if found is not None:
            self.memory.record_ended(ended_jobs(found.events))
            told = tally(found.events), found.position, self.clock.now(), streaks(found.events)
            self.memory.record_events(*told, tally_nodes(found.events))
        self.watch.happened(found)
        self._report_reader.read_all()

    def _read_events(self) -> Events | None:
        """What the event log told since the last pass; None where there is none to read."""
        if self.events is None:
            return None
        try:
            found = self.events.read(self.memory.event_position())
        except TemporaryError as error:  # history tells most of it
            log.warning("%s", error)
            return None
        if found.lost:
            log.warning("the event log was rotated away before it was read; outcomes of that time are not known")
        if found.skipped:
            log.warning("%d events of the event log cannot be read", found.skipped)
        return found

    def _news(self, actions: Iterable[Action]) -> Iterable[Action]:
        """Without what stands in the log already: waits for the same reason and, where nothing is bound, the rest."""
        actions = _one_wait_each(actions)
        asked = [action.cluster for action in actions if isinstance(action, Wait) or not self.policy.bind]
        last = self.memory.newest(asked) if asked else {}
        said = [action for action in actions if _said(last.get(action.cluster), action)]
        # The parts of a cluster that are only written down stand in the log together.
        whole = set() if self.policy.bind else {action.cluster for action in said}
        return (action for action in actions if action not in said and action.cluster not in whole)

    def _duty_cycle(self) -> float | None:
        """How busy the schedd is; None where the collector, which tells it, does not answer."""
        if COLLECTOR in self.careful.stale:
            return None
        try:
            return self.pool.duty_cycle()
        except TemporaryError:
            return None

    def _place(self, actions: Sequence[Place]) -> tuple[int, ...]:
        """Make the edits of a pass, and learn from how long they take."""
        count, started = sum(action.count for action in actions), self.monotonic()
        try:
            placed = self.pool.place_all(actions)
        except TemporaryError:
            self.watch.forget()
            self.pressure.lost(count)
            raise
        self.pressure.went(count, self.monotonic() - started)
        self.watch.placed(actions, placed)
        return placed

    def _treat(self, actions: Sequence[Action]) -> Iterator[tuple[int, str]]:
        """Do what concerns failed jobs; yields the index of each action and what became of it."""
        found = [(index, action) for index, action in enumerate(actions) if isinstance(action, Diagnose)]
        due = [(index, action) for index, action in enumerate(actions) if isinstance(action, Mend)]
        if not self.policy.bind:
            yield from ((index, "tagged") for index, _ in (*found, *due))
            return
        self.watch.doubt(action.cluster for action in actions if isinstance(action, Diagnose | Mend))
        written = self.pool.diagnose_all([action for _, action in found])
        yield from ((index, _outcome(count)) for (index, _), count in zip(found, written, strict=True))
        mended = self.pool.mend_all([action for _, action in due])
        yield from ((index, _outcome(count)) for (index, _), count in zip(due, mended, strict=True))

    def _stop(self, found: Sequence[tuple[int, Vacate]]) -> Iterator[tuple[int, str]]:
        """Stop runs; yields the index of each action and what became of it."""
        if not self.policy.bind:
            yield from ((index, "tagged") for index, _ in found)
            return
        self.watch.doubt(action.cluster for _, action in found)
        stopped = self.pool.vacate_all([action for _, action in found])
        yield from ((index, _outcome(count)) for (index, _), count in zip(found, stopped, strict=True))

    def _do(self, actions: Sequence[Action]) -> Iterator[tuple[int, str]]:
        """Do the actions; yields the index of each and what became of it."""
        placed = [(index, action) for index, action in enumerate(actions) if isinstance(action, Place)]
        if not self.policy.bind:
            yield from ((index, "tagged") for index, _ in placed)
            placed = []
        jobs = self._place([action for _, action in placed])
        yield from ((index, _outcome(count)) for (index, _), count in zip(placed, jobs, strict=True))
        yield from self._treat(actions)
        yield from self._stop([(index, action) for index, action in enumerate(actions) if isinstance(action, Vacate)])
        for index, action in enumerate(actions):
            match action:
                case Place() | Diagnose() | Mend() | Vacate():
                    pass
                case Wait():
                    yield index, "applied"
                case Release() if not self.policy.bind:
                    yield index, "tagged"
                case Release():
                    yield index, _outcome(self.pool.release(action.cluster, action.words))
                case _:
                    assert_never(action)


def _one_wait_each(actions: Iterable[Action]) -> list[Action]:
    """One wait for each cluster, also where its jobs wait for different reasons: the log is asked for its last only."""
    found: dict[object, Action] = {}
    for number, action in enumerate(actions):
        key: object = number
        if isinstance(action, Wait):
            key = ("wait", action.cluster)
            if isinstance(other := found.get(key), Wait):
                words = " / ".join(sorted({*other.words.split(" / "), action.words}))
                action = replace(other, count=other.count + action.count, words=words)
        found[key] = action
    return list(found.values())


def _outcome(jobs: int) -> str:
    return "applied" if jobs else "superseded"


def _said(last: DecisionRecord | None, action: Action) -> bool:
    """Whether the last decision on a cluster says the same, and nothing came of it."""
    if last is None:
        return False
    if isinstance(action, Wait):
        return last.kind == "wait" and last.words == action.words
    if last.outcome != "tagged":
        return False
    if isinstance(action, Release):
        return last.kind == "release"
    if isinstance(action, Diagnose | Mend):
        return (last.epoch, last.tag) == (action.remedy.hold, action.remedy.cause)
    made = action.decision
    return (last.epoch, last.sites, last.came_from) == (made.epoch, made.sites, made.came_from)
