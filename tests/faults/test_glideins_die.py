"""All glideins of a site die: the jobs that wait there may start elsewhere two passes of the router later.

At the default interval of 30 s that is a minute after the collector has forgotten them.
"""

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from breakable import Breakable
from organisation import until

from router.pool.queue import Queue

pytestmark = [pytest.mark.pool, pytest.mark.timeout(240)]

PASSES = 2
HOLDS_THE_SITE = """\
executable = /bin/sleep
arguments = 600
should_transfer_files = YES
transfer_executable = false
request_memory = 100
request_disk = 1M
My.DESIRED_Sites = "SITE_A"
"""
WAITS = "executable = /bin/true\nrequest_memory = 100\nrequest_disk = 1M\n"


def glideins(pool: Breakable) -> int:
    return sum(slot.glideins for slot in pool.organisation.live.as_user("router").slots())


def sites_of(pool: Breakable, cluster: int) -> set[str]:
    return {site for group in pool.groups([cluster]) for site in group.sites or ()}


def end_all(pool: Breakable) -> None:
    """As the site's batch system does it."""
    masters = {parent(startd.pid) for startd in pool.startds()}
    assert masters
    for master in masters:
        os.kill(master, signal.SIGQUIT)


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def test_jobs_of_a_site_whose_glideins_die_may_start_elsewhere_two_passes_later(pool: Breakable) -> None:
    pool.router()
    alice = pool.organisation.live.queue("alice")
    holding = alice.submit(HOLDS_THE_SITE, [{}])
    with pool.factory() as factory:
        until(lambda: [str(group.state) for group in pool.groups([holding])] == ["running"], 90)
        factory.kill()  # or it would start others at once
        with pool.frozen(pool.daemon("negotiator")):
            passes, seconds = moved_after_their_end(pool, alice)
    sys.stdout.write(f"{seconds:.1f} s, {passes:.0f} passes\n")
    assert passes <= PASSES + 1, "the one that was under way when they were gone counts too"


def moved_after_their_end(pool: Breakable, alice: Queue) -> tuple[float, float]:
    """Passes and seconds from the end of the last glidein until a job that waits there may start at SITE_B."""
    pool.operator("drain", "SITE_B")
    waiting = alice.submit(WAITS, [{}])
    until(lambda: sites_of(pool, waiting) == {"SITE_A"})
    pool.operator("resume", "SITE_B")
    until(lambda: pool.metric('glideroute_site_cores{site="SITE_A"') > 0)
    end_all(pool)
    until(lambda: glideins(pool) == 0)
    gone, before = time.monotonic(), pool.metric("glideroute_cycles_total")
    until(lambda: "SITE_B" in sites_of(pool, waiting))
    return pool.metric("glideroute_cycles_total") - before, time.monotonic() - gone
