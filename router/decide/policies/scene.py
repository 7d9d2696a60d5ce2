"""What all policies see and must do alike: what they are asked, what refuses a site, how an answer becomes an action.

A policy only says which sites a group of jobs should have. That a job never goes where it cannot run, leaves a site
that was closed, and carries a numbered decision with its reason, is the same for all and written here once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from router.decide.bars import Bars
from router.decide.columns import Booleans, Numbers, shape_columns, site_columns
from router.decide.filters import filters, refused
from router.decide.health import OPINIONS
from router.decide.ranked import Ranked
from router.decide.reconcile import mixed_clusters, movable, nothing_fits, shape_of
from router.model.action import Action, Choice, Place, Refusal, Verdict, Wait
from router.model.job import Decision, JobGroup, JobState
from router.model.policy import BrokerPolicy
from router.model.task import Inputs, Shape
from router.model.world import World

OWN_JUDGEMENT = OPINIONS | {"no-glideins", "source-crowded"}
"""Refusals that are the default policy's opinion; a job could run there, and other policies judge for themselves."""


@dataclass(frozen=True, slots=True)
class Case:
    """One group of idle jobs that a policy is asked about."""

    group: JobGroup
    shape: Shape
    codes: np.ndarray
    """(S,): number of the filter that refuses, from 1; 0: it fits."""
    local: Numbers
    """(S,): share of the input that lies at each site, 0..1."""
    sites: tuple[str, ...] = ()
    """The sites that it has and may keep; empty: it must be placed."""

    @property
    def inputs(self) -> Inputs:
        """What the jobs read."""
        return self.shape.inputs

    @property
    def fits(self) -> Booleans:
        """(S,): where it can run."""
        found: Booleans = self.codes == 0
        return found


@dataclass(frozen=True, slots=True)
class Part:
    """Some jobs of a group, and the sites they should have."""

    sites: tuple[str, ...]
    jobs: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a policy says of one group."""

    parts: tuple[Part, ...] = ()
    """Empty: it stays as it is, or waits where it has no sites."""
    tag: str = "placed"
    words: str = ""
    score: Mapping[str, float] = field(default_factory=dict)
    """How much each site is wanted, 0..1; 0 where it is not named."""
    terms: Mapping[str, tuple[tuple[str, float], ...]] = field(default_factory=dict)
    """What the score of a site is made of."""
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    """The policy's own reasons against sites that the filters let pass."""


Policy = Callable[["Scene", Sequence[Case]], Iterator[Answer]]
"""A way to choose: an answer for each case, in their order."""


class Scene:
    """The sites of one world in the order of their names, and the filters that every policy asks."""

    def __init__(self, world: World, policy: BrokerPolicy) -> None:
        """See `world` with the thresholds of `policy`."""
        self.world, self.policy = world, policy
        self.sites = tuple(sorted(world.sites, key=lambda site: site.name))
        self.names = tuple(site.name for site in self.sites)
        self.place = {name: number for number, name in enumerate(self.names)}
        self.columns = site_columns(self.sites, policy)
        self.asked = tuple(each for each in filters(policy) if each.tag not in OWN_JUDGEMENT and not each.soft)
        self._mixed = mixed_clusters(world.jobs)
        self._harmless = np.array([False, *(each.harmless for each in self.asked)])

    def cases(self) -> list[Case]:
        """The idle groups that may be placed, the oldest first."""
        inputs, bars = dict(self.world.inputs), Bars.of(self.world)
        return self.look([(group, shape_of(group, inputs, bars)) for group in movable(self.world, self._mixed)])

    def look(self, asked: Sequence[tuple[JobGroup, Shape]]) -> list[Case]:
        """What the filters say of groups with these shapes."""
        numbers: dict[Shape, int] = {}
        rows = [numbers.setdefault(shape, len(numbers)) for _, shape in asked]
        columns = shape_columns(list(numbers), self.names)
        codes = refused(columns, self.columns, self.asked)
        return [
            Case(group, shape, codes[row], columns.local[row], self._kept(group, codes[row]))
            for (group, shape), row in zip(asked, rows, strict=True)
        ]

    def _kept(self, group: JobGroup, codes: np.ndarray) -> tuple[str, ...]:
        """The sites of a group that it may keep: those that fit; with one of these, also those that do no harm."""
        known = [site for site in group.sites or () if site in self.place]
        if not any(codes[self.place[site]] == 0 for site in known):
            return ()
        return tuple(site for site in known if self._harmless[codes[self.place[site]]] or not codes[self.place[site]])

    def names_where(self, chosen: Booleans) -> tuple[str, ...]:
        """The names of the chosen sites, sorted."""
        return tuple(self.names[column] for column in np.flatnonzero(chosen))

    def decide(self, rule: Policy) -> Iterator[Action]:
        """What a policy makes of all idle groups."""
        cases = self.cases()
        for case, answer in zip(cases, rule(self, cases), strict=True):
            yield from self._actions(case, answer)

    def _actions(self, case: Case, answer: Answer) -> Iterator[Action]:
        group, verdicts = case.group, Scored(self, case, answer)
        kind = group.kind if group.cluster in self._mixed else None
        if parts := self._unfinished(case) or answer.parts or self._rest(case):
            for part in parts:
                decision = self._decision(case, part, answer)
                if part.sites != group.sites or group.under_way:
                    names = (group.cluster, group.task, group.batch, part.jobs, group.sites)
                    yield Place(*names, decision, verdicts, kind)
        elif not case.sites:
            words = nothing_fits(verdicts)
            yield Wait(group.cluster, group.task, group.batch, group.count, words, verdicts)

    def _unfinished(self, case: Case) -> tuple[Part, ...]:
        """The decision under way, where the group still may have its sites: it is taken up again."""
        group = case.group
        if not group.decision or not group.under_way or any(self._code(case, site) for site in group.decision.sites):
            return ()
        return (Part(group.decision.sites, group.count),)

    def _rest(self, case: Case) -> tuple[Part, ...]:
        """What is left of a set that lost a site, or that a decision was on its way to change."""
        if case.sites and (case.sites != case.group.sites or case.group.under_way):
            return (Part(case.sites, case.group.count),)
        return ()

    def _decision(self, case: Case, part: Part, answer: Answer) -> Decision:
        group, last, now = case.group, case.group.decision, int(self.world.now)
        if last and group.under_way and last.sites == part.sites:
            return last
        epoch = 1 + (last.epoch if last else 0)
        moves = last.moves - int(group.under_way and bool(last.came_from)) if last else 0
        name, there = self.policy.name, " or ".join(part.sites)
        before, because = group.sites or (), f": {answer.words}" if answer.words else ""
        if not before:
            return Decision(epoch, moves, part.sites, (), "placed", f"placed at {there} by {name}{because}", now)
        old, new = ",".join(before), ",".join(part.sites)
        if set(before) <= set(part.sites):
            words = f"widened from {old} to {new} by {name}{because}"
            return Decision(epoch, moves, part.sites, (), answer.tag, words, now)
        tag, grounds = self._grounds(case, answer)
        words = f"moved from {old} to {new} by {name}: {grounds}"
        return Decision(epoch, moves + 1, part.sites, before, tag, words, now)

    def _grounds(self, case: Case, answer: Answer) -> tuple[str, str]:
        """Tag and words of why jobs leave their sites: closed ones, else as the policy says."""
        lost = [site for site in case.group.sites or () if self._code(case, site)]
        if not lost or (case.sites and case.sites == case.group.sites):
            return answer.tag, answer.words
        told = [(site, self.refusal(case, site)) for site in lost]
        return told[0][1].tag, "; ".join(f"{site} {refusal.words}" for site, refusal in told)

    def _code(self, case: Case, site: str) -> int:
        return int(case.codes[self.place[site]]) if site in self.place else -1

    def refusal(self, case: Case, site: str) -> Refusal:
        """Why a filter refuses a site."""
        code = self._code(case, site)
        if code < 0:
            return Refusal("unknown-site", "is not a known site")
        return self.asked[code - 1].refusal(case.shape, self.sites[self.place[site]])

    # What users ask

    def choose(self, shape: Shape, rule: Policy, jobs: int = 1, owner: str = "") -> tuple[Choice, tuple[str, ...]]:
        """The verdict on every site for `jobs` new jobs of a shape, and all the sites they would get now."""
        group = JobGroup(0, owner, JobState.IDLE, jobs, requests=shape.requests, oldest=int(self.world.now))
        [case] = self.look([(group, shape)])
        [answer] = rule(self, [case])
        sites = sorted({site for part in answer.parts for site in part.sites})
        return Choice(Scored(self, case, answer)), tuple(sites)


class Scored(Ranked[str]):
    """The verdicts on one case: the most wanted site first."""

    __slots__ = ("_answer", "_case", "_scene")

    def __init__(self, scene: Scene, case: Case, answer: Answer) -> None:
        """The verdicts of a policy's answer."""
        super().__init__()
        self._scene, self._case, self._answer = scene, case, answer

    def __len__(self) -> int:
        """As many as there are sites."""
        return len(self._scene.names)

    def refusals(self) -> dict[str, int]:
        """How many sites each reason refuses, by its tag; no words are made."""
        found: dict[str, int] = {}
        for site, code in zip(self._scene.sites, self._case.codes.tolist(), strict=True):
            own = self._answer.refusals.get(site.name)
            if tag := self._scene.asked[code - 1].tag_at(site) if code else own.tag if own else "":
                found[tag] = found.get(tag, 0) + 1
        return found

    def _ranked(self) -> Sequence[str]:
        score = self._answer.score
        return sorted(self._scene.names, key=lambda name: (self._is_refused(name), -score.get(name, 0.0)))

    def _is_refused(self, name: str) -> bool:
        return bool(self._case.codes[self._scene.place[name]]) or name in self._answer.refusals

    def _verdict(self, name: str) -> Verdict:
        if self._case.codes[self._scene.place[name]]:
            return Verdict(name, self._scene.refusal(self._case, name))
        if own := self._answer.refusals.get(name):
            return Verdict(name, own)
        return Verdict(name, None, round(self._answer.score.get(name, 0.0), 4), self._answer.terms.get(name, ()))


def each_alone(answer: Callable[[Scene, Case], Answer]) -> Policy:
    """A policy that answers every case on its own."""

    def rule(scene: Scene, cases: Sequence[Case]) -> Iterator[Answer]:
        return (answer(scene, case) for case in cases)

    return rule


def at(sites: Iterable[str], case: Case, tag: str = "placed", words: str = "") -> Answer:
    """The answer that all jobs of a case should have these sites, each wanted alike."""
    names = tuple(sorted(sites))
    parts = (Part(names, case.group.count),) if names else ()
    return Answer(parts, tag, words, dict.fromkeys(names, 1.0))
