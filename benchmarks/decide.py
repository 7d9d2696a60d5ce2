"""How fast a pass decides: every idle job is new, the worst case there is."""

import argparse
import json
import random
import sys
import time
from collections.abc import Sequence

from benchmarks.measure import memory_mb
from router.decide.broker import Brokerage
from router.decide.reconcile import decide, shape_of
from router.model.job import JobGroup, JobState
from router.model.payload import Requests
from router.model.policy import BrokerPolicy
from router.model.site import Limits, Outcomes, Site
from router.model.task import Inputs
from router.model.world import World

NOON = 1_700_000_000.0
SAMPLE = 500
"""Shapes that are decided one by one, to say what a loop over jobs would take."""


def a_world(jobs: int, shapes: int, sites: int, seed: int) -> World:
    """Sites of very different size, a tenth of them closed; each shape reads its own input, at one to five sites."""
    chance = random.Random(seed)  # noqa: S311 - made-up sites, no secrets
    found = tuple(_site(number, chance) for number in range(sites))
    groups, inputs = [], []
    for number in range(shapes):
        count = jobs // shapes + (number < jobs % shapes)
        requests = Requests(chance.choice((1, 1, 1, 4, 8)), chance.choice((1000, 2000, 4000, 16000)), 5000, 28800)
        groups.append(JobGroup(number, "user", JobState.IDLE, count, f"t{number // 20}", "b0", requests, "/data"))
        size = count * chance.randrange(10**8, 5 * 10**9)
        held = {f"SITE_{chance.randrange(sites):04d}": size for _ in range(chance.randrange(1, 6))}
        inputs.append((groups[-1].source, Inputs(size, tuple(sorted(held.items())), count)))
    return World(NOON, found, tuple(groups), tuple(inputs))


def _site(number: int, chance: random.Random) -> Site:
    cores = int(chance.paretovariate(1.1) * 200)
    idle = chance.randrange(0, max(1, cores // 20))
    return Site(
        f"SITE_{number:04d}",
        Limits(chance.choice((4, 8, 16, 64)), chance.choice((8000, 16000, 64000)), 10**6, 3 * 86400),
        cores=cores,
        idle_cores=idle,
        running_jobs=cores - idle,
        waiting_jobs=chance.randrange(0, cores + 1),
        outcomes=Outcomes(chance.randrange(0, 1000), chance.randrange(0, 200)),
        freed_per_h=cores / 5,
        mean_run_s=chance.uniform(600, 20000),
    )


def measure(jobs: int, shapes: int, sites: int, seed: int) -> dict[str, float | int]:
    """Seconds and memory of one pass, and what one job after another would take."""
    world = a_world(jobs, shapes, sites, seed)
    policy = BrokerPolicy()
    started = time.perf_counter()
    actions = list(decide(world, policy))
    seconds = time.perf_counter() - started
    peak = memory_mb("VmHWM")
    return {
        "jobs": jobs,
        "shapes": shapes,
        "sites": sites,
        "actions": len(actions),
        "seconds": seconds,
        "peak_rss_mb": peak,
        "shapes_per_s": shapes / seconds,
        "pairs_per_s": shapes * sites / seconds,
        "per_job_loop_seconds": _one_by_one(world, policy) * jobs,
        "distinct_sets": len({action.decision.sites for action in actions if hasattr(action, "decision")}),
    }


def _one_by_one(world: World, policy: BrokerPolicy) -> float:
    """Seconds that one job takes when it is brokered alone."""
    inputs = dict(world.inputs)
    brokerage = Brokerage(world.sites, policy, world.jobs)
    sample = [shape_of(group, inputs) for group in world.jobs[:SAMPLE]]
    started = time.perf_counter()
    for shape in sample:
        brokerage.sites_for(shape, 1)
    return (time.perf_counter() - started) / len(sample)


def main(argv: Sequence[str]) -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks decide", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--shapes", type=int, default=20_000)
    parser.add_argument("--sites", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", metavar="-", choices=["-"], help="print one JSON object and nothing else")
    options = parser.parse_args(argv)
    found = measure(options.jobs, options.shapes, options.sites, options.seed)
    if options.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:24} {value:,.3f}" if isinstance(value, float) else f"{name:24} {value:,}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
