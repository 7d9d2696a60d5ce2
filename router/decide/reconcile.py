"""The route loop's decision: what the pool has against what brokerage wants, as actions."""

from collections.abc import Iterator

from router.decide.broker import choose, site_set
from router.model.action import Action, Choice, Place, Release, Wait
from router.model.job import SUBMITTED_HELD, Decision, JobGroup, JobState
from router.model.policy import BrokerPolicy
from router.model.task import Inputs, Shape
from router.model.world import World


def decide(world: World, policy: BrokerPolicy) -> Iterator[Action]:
    """What to do now. The same world gives the same actions; a world they were applied to gives none."""
    choices: dict[Shape, Choice] = {}
    inputs = dict(world.inputs)
    for group in world.jobs:
        if group.state is not JobState.IDLE:
            continue
        shape = shape_of(group, inputs)
        if shape not in choices:
            choices[shape] = choose(shape, world.sites, policy)
        if action := _for_group(group, choices[shape], world, policy):
            yield action
    yield from _merges(world)


def shape_of(group: JobGroup, inputs: dict[int, Inputs]) -> Shape:
    """The shape of a group's jobs, given what each cluster reads."""
    return Shape(
        group.requests, inputs.get(group.cluster, Inputs()), group.allow, group.block, group.group, group.dataset
    )


def _for_group(group: JobGroup, choice: Choice, world: World, policy: BrokerPolicy) -> Action | None:
    if group.fixed and group.sites:
        return None
    sites = site_set(choice, group.sites, policy)
    if not sites:
        return Wait(group.cluster, group.task, group.batch, group.count, _nothing_fits(choice), choice.verdicts)
    if sites == group.sites and not _under_way(group):
        return None
    decision = _decision(group, sites, choice, int(world.now))
    return Place(group.cluster, group.task, group.batch, group.count, group.sites, decision, choice.verdicts)


def _under_way(group: JobGroup) -> bool:
    """Whether a decision is written in the ad that DESIRED_Sites does not follow."""
    return group.decision is not None and group.decision.sites != (group.sites or ())


def _decision(group: JobGroup, sites: tuple[str, ...], choice: Choice, now: int) -> Decision:
    """The decision that takes a group to `sites`; one that was under way to the same sites is taken up again."""
    last, under_way = group.decision, _under_way(group)
    if last and under_way and last.sites == sites:
        return last
    moves = 0 if last is None else last.moves - int(under_way and bool(last.came_from))
    epoch = 1 + (last.epoch if last else 0)
    if not group.sites:
        return Decision(epoch, moves, sites, (), "placed", f"placed at {' or '.join(sites)}: {_why(choice)}", now)
    if sites == group.sites:
        return Decision(epoch, moves, sites, (), "kept", f"kept at {' or '.join(sites)}: {_why(choice)}", now)
    lost = [site for site in group.sites if choice.refusal_words(site)]
    words = "; ".join(f"{site} {choice.refusal_words(site)}" for site in lost)
    moved = f"moved from {','.join(group.sites)} to {','.join(sites)}: {words}"
    return Decision(epoch, moves + 1, sites, group.sites, choice.refusal_tag(lost[0]), moved, now)


def _why(choice: Choice) -> str:
    best = choice.fit[0]
    return f"best is {best.site} with " + ", ".join(f"{name} {value:.2f}" for name, value in best.terms)


def _nothing_fits(choice: Choice) -> str:
    if not choice.verdicts:
        return "no site is known; declare sites in glideroute.yaml"
    return "no site can run it: " + "; ".join(
        f"{verdict.site} {verdict.refusal.words}" for verdict in choice.verdicts if verdict.refusal
    )


def _merges(world: World) -> Iterator[Action]:
    """Release each merge job whose parts are all there."""
    held = {group.cluster for group in world.jobs if group.state is JobState.HELD and group.hold_code == SUBMITTED_HELD}
    for progress in world.progress:
        if progress.merge_cluster in held and progress.finished >= progress.expected:
            yield Release(progress.merge_cluster, progress.task, f"all {progress.expected} parts are there")
