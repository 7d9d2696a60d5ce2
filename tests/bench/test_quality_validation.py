"""The simulator against what is known in closed form, and against its own conservation laws."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.quality.bounds import Bounds, data_waits, pooled_waits
from benchmarks.quality.calibration import Calibration
from benchmarks.quality.deciders import decider
from benchmarks.quality.engine import Decider, Simulation
from benchmarks.quality.figures import waits
from benchmarks.quality.grid import BatchSpec, Grid, GridSite, Network, Outage, Setting, Supply, Workload
from benchmarks.quality.scenarios import find, setting
from benchmarks.quality.view import grid_names
from router.model.action import Action
from router.model.job import JobState
from router.model.policy import POLICIES
from router.model.world import World
from router.testing.build import a_decision, a_place

ALWAYS_THERE = Supply(ramp_s=0)
HOUR = 3600.0


def a_grid(*slots: int, **changes: object) -> Grid:
    """Sites of these slots that are always there."""
    sites = tuple(GridSite(f"S{number}", cores) for number, cores in enumerate(slots))
    return Grid(**{"sites": sites, "supply": ALWAYS_THERE, **changes})  # type: ignore[arg-type]


def jobs(*rows: tuple[float, float], size: float = 0.0, **spec: object) -> Workload:
    """One batch of jobs given as (submit, runtime)."""
    batch = BatchSpec(**{"task": "t", "user": "u", **spec})  # type: ignore[arg-type]
    submit, runtime = zip(*sorted(rows), strict=True)
    count = len(rows)
    return Workload(
        (batch,), np.zeros(count, dtype=np.int64), np.array(submit), np.array(runtime), np.full(count, size)
    )


def pinned_to(*sites: str) -> Decider:
    """A policy that gives all jobs the same sites."""

    def decide(world: World) -> Iterator[Action]:
        for group in world.jobs:
            if group.state is JobState.IDLE and not group.sites:
                yield a_place(group.cluster, count=group.count, decision=a_decision(*sites))

    return decide


def simulated(grid: Grid, workload: Workload, decide: Decider | None = None, **changes: float) -> Simulation:
    """A finished simulation; passes and cycles are so short that they add no wait to speak of."""
    given = Setting(grid, workload, **{"seed": 1, "pass_s": 1.0, "cycle_s": 1.0, **changes})  # type: ignore[arg-type]
    simulation = Simulation(given, decide or pinned_to(*grid_names(grid)))
    simulation.run()
    return simulation


def erlang_c(servers: int, load: float) -> float:
    """The chance that a customer of M/M/c waits."""
    terms = [load**k / math.factorial(k) for k in range(servers)]
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    return last / (sum(terms) + last)


def test_the_mean_wait_of_a_single_site_is_that_of_erlang() -> None:
    servers, rho, service = 4, 0.8, 600.0
    rng = np.random.default_rng(7)
    means = []
    for _ in range(5):
        submit = np.cumsum(rng.exponential(service / servers / rho, 1500))
        runtime = rng.exponential(service, 1500)
        given = jobs(*zip(submit.tolist(), runtime.tolist(), strict=True))
        means.append(float(waits(simulated(a_grid(servers), given, pass_s=30.0, cycle_s=20.0)).mean()) * HOUR)
    expected = erlang_c(servers, servers * rho) * service / (servers * (1 - rho))
    overhead = 30.0 / 2 + 20.0 / 2  # until the next pass, and the next negotiation
    error = np.std(means, ddof=1) / math.sqrt(len(means))
    assert abs(np.mean(means) - expected) < 2.8 * error + overhead


def test_one_slot_runs_jobs_in_the_order_they_came() -> None:
    given = jobs((0.0, 100.0), (10.0, 100.0), (20.0, 100.0))
    ended = simulated(a_grid(1), given).ledger.ended
    assert ended == sorted(ended)
    assert ended[2] == pytest.approx(300.0, abs=5.0)


def test_staging_takes_as_long_as_the_egress_of_the_source_allows() -> None:
    sites = (GridSite("S0", 1, egress=10e6), GridSite("S1", 10))
    grid = Grid(sites, network=Network(wan=100e6), supply=ALWAYS_THERE)
    given = jobs(*[(0.0, 10.0)] * 10, size=100e6, replicas=(0,))
    at_s1 = simulated(grid, given, pinned_to("S1"))
    assert max(waits(at_s1)) * HOUR == pytest.approx(10 * 100e6 / 10e6, rel=0.02)
    assert at_s1.transfers.moved == pytest.approx(1e9)


def test_one_transfer_alone_is_as_fast_as_the_network_lets_one_job_be() -> None:
    grid = Grid((GridSite("S0", 1), GridSite("S1", 1)), network=Network(wan=1e6), supply=ALWAYS_THERE)
    given = jobs((0.0, 10.0), size=1e9, replicas=(0,))
    alone = simulated(grid, given, pinned_to("S1"))
    assert waits(alone)[0] * HOUR == pytest.approx(1000.0, rel=0.01)


def test_a_killed_job_starts_again_and_its_time_is_lost() -> None:
    outage = Outage(site=0, start=50.0, end=200.0, announced=50.0, kind="kill")
    killed = simulated(a_grid(1, outages=(outage,)), jobs((0.0, 100.0)))
    assert killed.ledger.ended[0] == pytest.approx(300.0, abs=5.0)
    assert killed.ledger.lost_core_s == pytest.approx(50.0, abs=5.0)


def test_a_stalled_job_goes_on_when_its_site_is_back() -> None:
    outage = Outage(site=0, start=50.0, end=200.0, announced=50.0, kind="stall")
    stalled = simulated(a_grid(1, outages=(outage,)), jobs((0.0, 100.0)))
    assert stalled.ledger.ended[0] == pytest.approx(250.0, abs=5.0)
    assert stalled.ledger.lost_core_s == 0.0


def test_a_stalled_storage_serves_nobody_until_it_is_back() -> None:
    outage = Outage(site=0, start=0.0, end=500.0, announced=0.0, kind="stall")
    grid = a_grid(1, 1, outages=(outage,))
    far = simulated(grid, jobs((0.0, 10.0), size=1e6, replicas=(0,)), pinned_to("S1"))
    assert waits(far)[0] * HOUR == pytest.approx(500.0, abs=3.0)


def test_a_black_hole_eats_jobs_until_their_user_has_had_enough() -> None:
    hole = a_grid(1, 1, outages=(Outage(site=0, start=0.0, end=1e6, announced=1e6, kind="hole"),))
    simulation = simulated(hole, jobs(*[(0.0, 600.0)] * 4), pass_s=60.0, cycle_s=20.0)
    assert simulation.ledger.left == 0
    assert sum(simulation.ledger.attempts) > 0
    assert simulation.ledger.lost_core_s == pytest.approx(60.0 * sum(simulation.ledger.attempts))


def test_glideins_take_their_time_to_come() -> None:
    ramped = simulated(a_grid(5, supply=Supply(ramp_s=600.0)), jobs(*[(0.0, 60.0)] * 5))
    assert 60.0 < min(waits(ramped)) * HOUR < 6000.0


def test_equal_users_get_equal_parts_of_a_full_pool() -> None:
    specs = tuple(BatchSpec(f"t{n}", f"u{n}") for n in range(2))
    count = 400
    workload = Workload(
        specs,
        np.repeat(np.arange(2), [300, 100]).astype(np.int64),
        np.zeros(count),
        np.full(count, 1000.0),
        np.zeros(count),
    )
    simulation = simulated(a_grid(20), workload)
    first = np.array(simulation.ledger.ended)[300:]
    assert max(first) < 13_000  # alone it would be 5,000, behind the others 20,000


def a_small_setting(name: str = "Q2", seed: int = 1) -> Setting:
    """A scenario of 300 jobs on four sites."""
    _, recipe, lag = find(name)
    return setting(replace(recipe, jobs=300, sites=4, days=1.0), lag, Calibration(), seed)


@pytest.mark.parametrize("name", POLICIES)
def test_every_job_ends_once_and_no_policy_waits_less_than_the_pool_of_all(name: str) -> None:
    if name == "flow":
        pytest.importorskip("ortools")
    given = a_small_setting()
    simulation = Simulation(given, decider(name, given.grid))
    ledger = simulation.run()
    ended, computed = np.array(ledger.ended), np.array(ledger.computed)
    assert ledger.left == 0
    assert (computed >= given.workload.submit).all()
    assert (ended >= computed + given.workload.runtime - 1e-6).all()
    assert simulation.queue.idle == 0
    assert not simulation.running
    assert all(site.used == 0 for site in simulation.farm.sites)
    assert waits(simulation).mean() >= max(pooled_waits(given).mean(), data_waits(given).mean())
    assert max(ended) - given.workload.submit.min() >= Bounds(given).makespan_s * 0.99


def test_the_same_seed_gives_the_same_result() -> None:
    runs = []
    for _ in range(2):
        given = a_small_setting()
        simulation = Simulation(given, decider("panda", given.grid))
        runs.append((simulation.run().ended, simulation.transfers.moved))
    assert runs[0] == runs[1]


def test_a_world_tells_counts_and_not_jobs() -> None:
    seen: list[World] = []

    def watching(world: World) -> Iterator[Action]:
        seen.append(world)
        yield from replicas(world)

    given = a_small_setting()
    replicas = decider("replicas", given.grid)
    Simulation(given, watching).run()
    assert max(len(world.jobs) for world in seen) < len(given.workload)
    assert {group.count for world in seen for group in world.jobs} != {1}


def test_a_copy_of_a_dataset_that_many_wait_for_lets_them_use_an_idle_site() -> None:
    """A hundred slots are idle where the data is not; twenty jobs at most read it from there."""
    grid = a_grid(20, 100)
    work = jobs(*[(0.0, HOUR)] * 600, size=1e9, replicas=(0,), dataset="/d")
    mean = {}
    for name in ("ours", "ours+copies"):
        ended = simulated(grid, work, decider(name, grid), pass_s=60.0, cycle_s=60.0)
        mean[name] = float(np.mean(waits(ended)))
    assert mean["ours+copies"] < 0.6 * mean["ours"]
