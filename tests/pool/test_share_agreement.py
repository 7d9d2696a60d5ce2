"""The model of the accountant and the negotiator agrees with the real ones: 200 slots, and jobs that really run."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pool_backend
import pytest
import scratch

from router.decide.share_diff import submitter_changes
from router.decide.share_model import Model
from router.decide.share_wait import outlook
from router.embedded.rehearsal import CYCLE_S, slot_settings
from router.model.share_load import Submission
from router.model.shares import Group, Person, Quota, SharePolicy
from router.pool.channel import Channel
from router.pool.negotiator import Negotiator
from router.render import negotiator
from router.resources import folder

pytestmark = [pytest.mark.pool, pytest.mark.slow]

CORES = 200
USERS = ("ada", "bob", "cem")
CHURN_S = (20, 24, 28, 32, 36)
"""Seconds that jobs run whose ends decide who is next; of one length they would all end together, again and again."""
MANY = 900
"""Jobs of a user that do not run out while shares settle."""
AGREED = 0.03
"""Parts of the pool that the model may be off."""


@dataclass
class Bench:
    """A pool with slots, and what it does with a policy."""

    live: pool_backend.LivePool
    negotiator: Negotiator
    work: Path
    seen: list[tuple[float, dict[str, float]]] = field(default_factory=list)

    def apply(self, policy: SharePolicy) -> None:
        """Begin anew under a policy, with nobody having used anything."""
        pool = self.live.pool
        self.live.queue("router").act("Remove", "true", "the next policy")
        self.until(lambda used: not used)
        files = negotiator.render(policy, folder("negotiator_policies"), "test")
        (pool.home / "config.d" / scratch.FRAGMENT).write_text(files[scratch.FRAGMENT])
        scratch.run(pool, "admin", "condor_reconfig", "-negotiator")
        for name in self.negotiator.submitters():
            scratch.run(pool, "admin", "condor_userprio", "-delete", name)
        domain = self.negotiator.settings()["UID_DOMAIN"]
        self.negotiator.set_submitters(submitter_changes(policy, {}, domain))

    def submit(self, *found: Submission) -> None:
        """Queue jobs, to be seen by the negotiator in the same moment."""
        for submitter in {each.submitter for each in found}:
            group, _, user = submitter.rpartition(".")
            lines = ["executable = /bin/sleep", "should_transfer_files = NO", "hold = true"]
            lines += ["request_memory = 1", "request_disk = 1"]
            lines += [f"accounting_group = {group}", f"accounting_group_user = {user}"] if group else []
            own = [each for each in found if each.submitter == submitter]
            lines += ["queue arguments from (", *(f"{each.run_s:g}" for each in own for _ in range(each.jobs)), ")"]
            file = self.work / f"{submitter}.sub"
            file.write_text("\n".join([*lines, ""]))
            scratch.run(self.live.pool, user, "condor_submit", "-terse", str(file), cwd=self.work)
        self.live.queue("router").act("Release", "JobStatus == 5", "all are there")

    def left(self) -> int:
        """Jobs in the queue."""
        return sum(int(row["JobCount"]) for row in self.live.queue("router").count("true", ["JobStatus"]))

    def used(self) -> dict[str, float]:
        """Cores each submitter uses now, without the domain."""
        return {
            each.name.partition("@")[0]: each.used
            for each in self.negotiator.states()
            if not each.is_group and each.used > 0
        }

    def watch(self, seconds: float) -> list[tuple[float, dict[str, float]]]:
        """What is used, twice in each cycle."""
        began, self.seen = time.monotonic(), []
        while (at := time.monotonic() - began) < seconds:
            self.seen.append((at, self.used()))
            time.sleep(CYCLE_S / 2)
        return self.seen

    def waiting(self, user: str) -> int:
        """Idle jobs of a user."""
        rows = self.live.queue("router").count("true", ["JobStatus", "Owner"])
        return sum(int(row["JobCount"]) for row in rows if row["Owner"] == user and row["JobStatus"] == 1)

    def priorities(self) -> dict[str, float]:
        """What the accountant remembers of each submitter, without the factor."""
        return {
            each.name.partition("@")[0]: each.priority / each.factor
            for each in self.negotiator.states()
            if not each.is_group
        }

    def occupied(self, seen: list[tuple[float, dict[str, float]]], ended: int) -> float:
        """Seconds that a job holds its core, with its start and end; those that run still are half done."""
        used = [sum(each.values()) for _, each in seen]
        return sum(used) / len(used) * seen[-1][0] / (ended + used[-1] / 2)

    def until(self, holds: Callable[[dict[str, float]], bool], seconds: float = 60) -> dict[str, float]:
        """What is used as soon as it is as wanted."""
        end = time.monotonic() + seconds
        while not holds(used := self.used()):
            assert time.monotonic() < end, used
            time.sleep(0.5)
        return used


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with scratch.scratch(slot_settings(CORES)) as live:
        work = tmp_path_factory.mktemp("work")
        work.chmod(0o777)
        made = Bench(live, Negotiator(Channel(live.pool.env("admin"), "admin")), work)
        yield made
        made.negotiator.close()


def parts(used: Mapping[str, float]) -> dict[str, float]:
    """Each one's part of all that is used."""
    total = sum(used.values()) or 1.0
    return {name: cores / total for name, cores in used.items()}


def mean(seen: list[tuple[float, dict[str, float]]], since: float) -> dict[str, float]:
    """Each one's part of what was used from a time on."""
    sums: dict[str, float] = {}
    for at, used in seen:
        for name, cores in used.items() if at >= since else ():
            sums[name] = sums.get(name, 0.0) + cores
    return parts(sums)


def in_use(seen: list[tuple[float, dict[str, float]]], since: float) -> float:
    """Cores that were in use on average from a time on: a real one is free from a job's end to the next match."""
    totals = [sum(used.values()) for at, used in seen if at >= since]
    return sum(totals) / len(totals)


def modelled(
    policy: SharePolicy, load: list[Submission], seconds: float, cores: float = CORES
) -> list[tuple[float, dict[str, float]]]:
    """What the model says is used, cycle by cycle."""
    model, seen = Model(policy, cores), []
    for cycle in range(int(seconds / CYCLE_S) + 1):
        for each in load:
            if (cycle - 1) * CYCLE_S < each.at_s <= cycle * CYCLE_S:
                model.submit(each)
        model.step(cycle * CYCLE_S)
        seen.append((cycle * CYCLE_S, {name: who.used for name, who in model.submitters.items()}))
    return seen


def agree(real: Mapping[str, float], model: Mapping[str, float]) -> None:
    """Within three hundredths of the pool."""
    print("pool", {name: round(part, 3) for name, part in real.items()})  # noqa: T201 - pytest -s shows the figures
    print("model", {name: round(part, 3) for name, part in model.items() if part})  # noqa: T201
    assert real == pytest.approx({name: part for name, part in model.items() if part}, abs=AGREED)


def of_the_pool(used: Mapping[str, float]) -> dict[str, float]:
    """Each one's part of all the cores there are, used or not."""
    return {name: cores / CORES for name, cores in used.items()}


def jobs(name: str, count: int = MANY, at_s: float = 0.0) -> list[Submission]:
    """Short jobs of several lengths in no order."""
    chance = random.Random(name)  # noqa: S311 - the same lengths at every run
    return [Submission(name, at_s, 1, chance.choice(CHURN_S)) for _ in range(count)]


def endless(*names: str) -> list[Submission]:
    """More jobs than there are cores, which outlast the test."""
    return [Submission(name, 0, CORES, 3600) for name in names]


def settled(bench: Bench, policy: SharePolicy, load: list[Submission]) -> dict[str, float]:
    """What is used once the model's cores are in use, and a few cycles more change nothing."""
    wanted = sum(modelled(policy, load, 3 * CYCLE_S)[-1][1].values())
    bench.apply(policy)
    bench.submit(*load)
    bench.until(lambda used: sum(used.values()) >= wanted, 120)
    return bench.watch(3 * CYCLE_S)[-1][1]


def compare(
    bench: Bench, policy: SharePolicy, load: list[Submission], seconds: float, since: float
) -> dict[str, float]:
    """Run it for some seconds, let pool and model agree on the means from a time on; returns the pool's."""
    bench.apply(policy)
    bench.submit(*load)
    seen = bench.watch(seconds)
    real, cores = mean(seen, since), round(in_use(seen, since))
    agree(real, mean(modelled(policy, load, seconds, cores), since))
    return real


def test_simulated_and_measured_shares_of_users_without_groups(bench: Bench) -> None:
    load = [each for user in USERS for each in jobs(user)]
    real = compare(bench, SharePolicy(half_life_s=40), load, 70, 30)
    assert real == pytest.approx(dict.fromkeys(USERS, 1 / 3), abs=AGREED)


def test_simulated_and_measured_shares_of_users_with_priority_factors(bench: Bench) -> None:
    people = (Person("ada", factor=1000), Person("bob", factor=2000), Person("cem", factor=4000))
    load = [each for user in USERS for each in jobs(user)]
    real = compare(bench, SharePolicy(people=people, half_life_s=20), load, 120, 70)
    # Shares settle at one over the root of the factor, and not at one over the factor: that would be 0.57.
    assert real["ada"] == pytest.approx(0.453, abs=0.05)


def test_simulated_and_measured_shares_of_two_levels_with_surplus(bench: Bench) -> None:
    policy = SharePolicy(
        groups=(
            Group("a", Quota(0.5, True), surplus=True),
            Group("a.x", Quota(0.6, True), surplus=True),
            Group("a.y", Quota(0.4, True), surplus=True),
            Group("b", Quota(0.3, True), surplus=True),
            Group("c", Quota(0.2, True), surplus=True),
        )
    )
    load = endless("a.x.ada", "a.y.bob", "b.cem")
    real = settled(bench, policy, load)
    agree(of_the_pool(real), of_the_pool(modelled(policy, load, 6)[-1][1]))
    assert real["b.cem"] > 0.3 * CORES, "c leaves its fifth to a and b"


def test_simulated_and_measured_shares_of_two_levels_without_surplus(bench: Bench) -> None:
    policy = SharePolicy(
        groups=(Group("a", Quota(50, False)), Group("a.x", Quota(0.5, True)), Group("b", Quota(0.4, True)))
    )
    load = endless("a.x.ada", "a.bob", "b.cem")
    real = settled(bench, policy, load)
    agree(of_the_pool(real), of_the_pool(modelled(policy, load, 6)[-1][1]))
    assert sum(real.values()) < 0.6 * CORES, "cores stay idle beside waiting jobs"


def test_simulated_and_measured_shares_under_ceilings(bench: Bench) -> None:
    policy = SharePolicy(people=(Person("ada", ceiling=30), Person("bob", ceiling=60)), half_life_s=40)
    load = [each for user in USERS for each in jobs(user)]
    real = compare(bench, policy, load, 70, 30)
    assert real["ada"] <= 30 / CORES + 0.001
    assert real["cem"] > 0.5, "who has no ceiling takes what the others may not"


def test_simulated_and_measured_shares_above_floors(bench: Bench) -> None:
    people = (Person("ada", factor=1000), Person("bob", factor=100_000, floor=20), Person("cem", factor=1000))
    load = [each for user in USERS for each in jobs(user)]
    real = compare(bench, SharePolicy(people=people, half_life_s=20), load, 160, 60)
    assert real["bob"] >= 20 / CORES, "a hundred times worse a priority, and the floor nevertheless"


def test_simulated_and_measured_shares_after_usage_has_decayed(bench: Bench) -> None:
    policy = SharePolicy(half_life_s=30)
    bench.apply(policy)
    bench.submit(*jobs("ada"))
    alone = bench.watch(60)
    extra = bench.occupied(alone, MANY - bench.left()) - sum(CHURN_S) / len(CHURN_S)
    bench.submit(*jobs("bob"))
    bench.until(lambda used: "bob" in used)
    began = bench.priorities()
    both = bench.watch(90)
    load = [replace(each, run_s=each.run_s + extra) for each in [*jobs("ada"), *jobs("bob", at_s=60)]]
    model = [(at - 60, used) for at, used in modelled(policy, load, 150, round(in_use(both, 30))) if at >= 60]
    agree(mean(both, 30), mean(model, 30))
    for name, priority in bench.priorities().items():
        for (at, _), (until, used) in pairwise(both):
            keep = 0.5 ** ((until - at) / policy.half_life_s)
            began[name] = began[name] * keep + used.get(name, 0.0) * (1 - keep)
        assert began[name] == pytest.approx(priority, rel=0.1), name


def test_a_wait_is_foretold(bench: Bench) -> None:
    policy = SharePolicy(half_life_s=60)
    bench.apply(policy)
    bench.submit(*jobs("ada"))
    alone = bench.watch(60)
    run_s = bench.occupied(alone, MANY - bench.left())
    bench.submit(*jobs("bob", 300))
    bench.until(lambda used: "bob" in used)
    foretold = outlook(policy, bench.negotiator.states(), CORES, "bob", run_s)
    began = time.monotonic()
    while bench.waiting("bob"):
        time.sleep(0.5)
    assert foretold is not None
    assert time.monotonic() - began == pytest.approx(foretold.last_s, rel=0.35, abs=3)
