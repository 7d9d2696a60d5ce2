"""When a job would be done, site by site: the common currency of locality, waiting and copying.

A job placed at a site waits until the cores that are asked for before it are free, reads its input, and runs. Where
jobs fail it pays for the tries that are lost. All times are seconds; matrices are (G, S).
"""

from dataclasses import dataclass

import numpy as np

from router.decide.columns import Numbers, ShapeColumns, SiteColumns
from router.model.policy import BrokerPolicy

NEVER = np.float32(1e9)
"""Stands for a site that cannot run the job: thirty years."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The expected seconds of each pair, and what they are made of."""

    wait: Numbers
    """(1, S): until a core is free for the next job."""
    read: Numbers
    """(G, S)"""
    lost: Numbers
    """(1, S): in tries that fail."""

    @property
    def total(self) -> Numbers:
        """(G, S): from now until the job runs at full speed."""
        found: Numbers = self.wait + self.read + self.lost
        return found


def wait_s(sites: SiteColumns, queued: Numbers, policy: BrokerPolicy) -> Numbers:
    """Seconds until the next job starts at each site, when jobs for `queued` cores are before it: (1, S)."""
    ahead = np.maximum(queued - sites.ready, 0.0)
    # What has not come for an hour is likely to take another.
    ramp = np.where(sites.cores > 0, 0.0, policy.ramp_s + sites.silent_s)
    found: Numbers = (ramp + ahead / sites.rate).astype(np.float32)
    return found


def read_s(shapes: ShapeColumns, crowd: Numbers, policy: BrokerPolicy) -> Numbers:
    """Seconds one job spends reading its input at each site, and what a remote read is held to cost: (G, S).

    `crowd` (G, 1) says how many times over the storage that has the input is asked by jobs elsewhere; from 1 on they
    share what it gives.
    """
    slower = np.maximum(crowd, np.float32(1))
    here = shapes.mb * np.float32(1 / policy.local_mb_s)
    there = shapes.mb * np.float32(1 / policy.remote_mb_s) * slower
    found: Numbers = shapes.local * (here - there)
    found += there
    found += np.where(shapes.local < 1, np.float32(policy.remote_s) * slower, np.float32(0))
    return found


def lost_s(sites: SiteColumns, policy: BrokerPolicy) -> Numbers:
    """Seconds one job loses in tries that fail: each costs half a run; few ended jobs say little. (1, S)."""
    rate = sites.failure_rate * sites.ended / (sites.ended + policy.failure_sample)
    found: Numbers = (rate / np.maximum(1 - rate, 0.05) * policy.typical_run_s / 2).astype(np.float32)
    return found
