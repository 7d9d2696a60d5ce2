"""When a job would be done, site by site: the common currency of locality, waiting and copying.

A job placed at a site waits until the cores that are asked for before it are free, reads its input, and runs. Where
jobs fail it pays for the tries that are lost. All times are seconds; matrices are (G, S).
"""

import numpy as np

from router.decide.columns import Numbers, ShapeColumns, SiteColumns
from router.model.policy import BrokerPolicy

NEVER = np.float32(1e9)
"""Stands for a site that cannot run the job: thirty years."""


def wait_s(sites: SiteColumns, queued: Numbers, policy: BrokerPolicy) -> Numbers:
    """Seconds until the next job starts at each site, when jobs for `queued` cores are before it: (1, S)."""
    ahead = np.maximum(queued - sites.ready, 0.0)
    # What has not come for an hour is likely to take another.
    ramp = np.where(sites.cores > 0, 0.0, policy.ramp_s + sites.silent_s)
    found: Numbers = (ramp + ahead / sites.rate).astype(np.float32)
    return found


def read_s(shapes: ShapeColumns, sites: SiteColumns, policy: BrokerPolicy) -> Numbers:
    """Seconds one job spends reading its input at each site: (G, S). What fails there is read from elsewhere."""
    here = shapes.mb * np.float32(1 / policy.local_mb_s)
    there = shapes.mb * np.float32(1 / policy.remote_mb_s)
    found: Numbers = shapes.local * (1 - sites.unread) * (here - there)
    found += there
    return found


def far_s(idle: Numbers, policy: BrokerPolicy) -> Numbers:
    """What reading from elsewhere is held to cost besides the time it takes, where so many cores are idle: (1, S)."""
    # A busy core that reads from afar is a core lost to a job that would read at home.
    found: Numbers = np.where(idle > 0, policy.remote_s, policy.remote_s + policy.busy_remote_s).astype(np.float32)
    return found[np.newaxis, :]


def lost_s(sites: SiteColumns, policy: BrokerPolicy) -> Numbers:
    """Seconds one job loses in tries that fail: each costs half a run; few ended jobs say little. (1, S)."""
    rate = sites.failure_rate * sites.ended / (sites.ended + policy.failure_sample)
    found: Numbers = (rate / np.maximum(1 - rate, 0.05) * policy.typical_run_s / 2).astype(np.float32)
    return found
