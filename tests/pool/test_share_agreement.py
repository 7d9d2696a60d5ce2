"""The model of the accountant and the negotiator agrees with the real ones, over jobs that really run."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pool_backend
import pytest
import scratch

from router.decide.share_model import Model
from router.decide.share_wait import outlook
from router.embedded.rehearsal import CYCLE_S, LENGTHS_S, SETTINGS
from router.embedded.rehearsal import SLOTS as CORES
from router.model.share_load import Submission
from router.model.shares import Group, Person, Quota, SharePolicy
from router.pool.channel import Channel
from router.pool.negotiator import Negotiator
from router.render import negotiator
from router.resources import folder

pytestmark = [pytest.mark.pool, pytest.mark.slow]

USERS = ("ada", "bob", "cem")


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
        changes = [(f"{each.submitter}@{domain}", "factor", each.factor) for each in policy.settings()]
        self.negotiator.set_submitters(changes)

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
    with scratch.scratch(SETTINGS) as live:
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


def modelled(policy: SharePolicy, load: list[Submission], seconds: float) -> list[tuple[float, dict[str, float]]]:
    """What the model says is used, cycle by cycle."""
    model, seen = Model(policy, CORES), []
    for cycle in range(int(seconds / CYCLE_S) + 1):
        for each in load:
            if (cycle - 1) * CYCLE_S < each.at_s <= cycle * CYCLE_S:
                model.submit(each)
        model.step(cycle * CYCLE_S)
        seen.append((cycle * CYCLE_S, {name: who.used for name, who in model.submitters.items()}))
    return seen


def agree(real: Mapping[str, float], model: Mapping[str, float]) -> None:
    """Within 5 % of the pool."""
    assert real == pytest.approx(dict(model), abs=0.05), (real, model)


def jobs(name: str, count: int, at_s: float = 0.0) -> list[Submission]:
    """Jobs of several lengths in no order: of one length they would all end together, again and again."""
    chance = random.Random(name)  # noqa: S311 - the same lengths at every run
    return [Submission(name, at_s, 1, chance.choice(LENGTHS_S)) for _ in range(count)]


def test_users_with_unequal_factors_settle_where_the_model_says(bench: Bench) -> None:
    people = (Person("ada", factor=1000), Person("bob", factor=2000), Person("cem", factor=4000))
    policy = SharePolicy(people=people, half_life_s=10)
    load = [each for user in USERS for each in jobs(user, 250)]
    bench.apply(policy)
    bench.submit(*load)
    real = mean(bench.watch(50), 26)
    agree(real, mean(modelled(policy, load, 50), 26))
    # Shares settle at one over the root of the factor, and not at one over the factor: that would be 0.57.
    assert real["ada"] == pytest.approx(0.453, abs=0.05)


def test_groups_share_what_a_group_leaves_by_their_quotas(bench: Bench) -> None:
    policy = SharePolicy(
        groups=(
            Group("a", Quota(0.5, True), surplus=True),
            Group("a.x", Quota(0.6, True), surplus=True),
            Group("a.y", Quota(0.4, True), surplus=True),
            Group("b", Quota(0.3, True), surplus=True),
            Group("c", Quota(0.2, True), surplus=True),
        )
    )
    bench.apply(policy)
    load = [Submission(name, 0, 60, 600) for name in ("a.x.ada", "a.y.bob", "b.cem")]
    bench.submit(*load)
    real = bench.until(lambda used: sum(used.values()) >= CORES)
    agree(parts(real), parts(modelled(policy, load, 4)[-1][1]))
    assert real["b.cem"] > 12  # c leaves its fifth to a and b


def test_a_group_without_surplus_stops_at_its_quota_beside_idle_cores(bench: Bench) -> None:
    policy = SharePolicy(
        groups=(Group("a", Quota(10, False)), Group("a.x", Quota(0.5, True)), Group("b", Quota(0.4, True)))
    )
    bench.apply(policy)
    load = [Submission(name, 0, 60, 600) for name in ("a.x.ada", "a.bob", "b.cem")]
    bench.submit(*load)
    wanted = modelled(policy, load, 4)[-1][1]
    real = bench.until(lambda used: sum(used.values()) >= sum(wanted.values()))
    assert bench.watch(3 * CYCLE_S)[-1][1] == real
    agree({name: cores / CORES for name, cores in real.items()}, {name: at / CORES for name, at in wanted.items()})
    assert sum(real.values()) < 0.6 * CORES


def test_a_wait_is_foretold(bench: Bench) -> None:
    bench.apply(SharePolicy(half_life_s=20))
    bench.submit(*jobs("ada", 200))
    alone = bench.watch(16)
    run_s = bench.occupied(alone, 200 - bench.left())
    bench.submit(*jobs("bob", 90))
    bench.until(lambda used: "bob" in used)
    foretold = outlook(SharePolicy(half_life_s=20), bench.negotiator.states(), CORES, "bob", run_s)
    began = time.monotonic()
    while bench.waiting("bob"):
        time.sleep(0.5)
    assert foretold is not None
    assert time.monotonic() - began == pytest.approx(foretold.last_s, rel=0.35, abs=3)


def test_what_was_used_is_forgotten_by_the_half_life(bench: Bench) -> None:
    policy = SharePolicy(half_life_s=14)
    bench.apply(policy)
    bench.submit(*jobs("ada", 300))
    alone = bench.watch(20)
    extra = bench.occupied(alone, 300 - bench.left()) - sum(LENGTHS_S) / len(LENGTHS_S)
    bench.submit(*jobs("bob", 300))
    bench.until(lambda used: "bob" in used)
    began = bench.priorities()
    both = bench.watch(36)
    load = [replace(each, run_s=each.run_s + extra) for each in [*jobs("ada", 300), *jobs("bob", 300, 20)]]
    model = [(at - 20, used) for at, used in modelled(policy, load, 56) if at >= 20]
    agree(mean(both, 12), mean(model, 12))
    for name, priority in bench.priorities().items():
        for (at, _), (until, used) in pairwise(both):
            keep = 0.5 ** ((until - at) / policy.half_life_s)
            began[name] = began[name] * keep + used.get(name, 0.0) * (1 - keep)
        assert began[name] == pytest.approx(priority, rel=0.1), name
