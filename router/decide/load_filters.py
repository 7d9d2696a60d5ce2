"""Reasons not to send a shape to a site because of who asks, and of how much is there already.

All but that of closed shares are soft: they refuse a site only where another one fits.
"""

from collections.abc import Mapping

import numpy as np

from router.decide.columns import EVERYWHERE, Booleans, ShapeColumns, SiteColumns, meets
from router.decide.filter import Filter
from router.model.site import Access, Site
from router.model.task import Shape


def _taken(_: Shape, site: Site) -> str:
    only = f"takes only jobs of {', '.join(site.access.allow)}" if site.access.allow else ""
    never = f"takes no jobs of {', '.join(site.access.block)}" if site.access.block else ""
    return " and ".join(part for part in (only, never) if part)


SHARE = Filter(
    "share-closed",
    lambda shape, site: meets(shape.group, site.access, Access.admits) @ site.rules,
    lambda shape, site: f"{_taken(shape, site)}; the payload's group is {shape.group or 'none'}",
)
"""The site is closed to jobs of that accounting group."""


def _ends_late(shape: Shape, site: Site) -> str:
    hours = (site.closes_in_s or 0) / 3600
    return f"goes into downtime in {hours:.1f} h, and the job asks for {shape.requests.walltime_s / 3600:.1f} h"


DOWNTIME = Filter(
    "downtime-soon",
    lambda shape, site: shape.walltime_s <= site.closes_s,
    _ends_late,
    soft=True,
    newcomers=True,
)
"""A job might not end before an announced downtime begins."""


def left(limit_s: float) -> Filter:
    """The jobs were moved away from there within `limit_s` seconds; what drove them away may come back."""
    return Filter(
        "recently-left",
        lambda shape, site: ~shape.left,
        lambda shape, site: f"the jobs were moved away from there within {limit_s / 3600:g} h",
        soft=True,
        newcomers=True,
    )


def slow(limit_s: float, waits: Mapping[str, float]) -> Filter:
    """Cores are free there for a next job only after `limit_s` seconds; `waits` says when, by site."""
    long = {name for name, wait in waits.items() if wait > limit_s}
    return Filter(
        "long-wait",
        lambda shape, site: np.array([[name not in long for name in site.names]]) if long else EVERYWHERE,
        lambda shape, site: f"has work for {waits[site.name] / 3600:.0f} h, over the limit of {limit_s / 3600:g} h",
        soft=True,
        newcomers=True,
    )


def overloaded(queue: int, ratio: float) -> Filter:
    """More than `queue` jobs wait there, and `ratio` times more for one that runs than on average.

    PanDA's rule (AtlasAnalJobBroker, criteria -overloaded) has 20 and 1.2, and knows no expected wait.
    """

    def passes(shape: ShapeColumns, site: SiteColumns) -> Booleans:
        mean = site.waiting.sum() / max(float(site.running.sum()), 1.0)
        limit = ratio * max(mean, 1.0) * site.running
        found: Booleans = (site.waiting <= queue) | (site.running == 0) | (site.waiting <= limit)
        return found

    return Filter(
        "overloaded",
        passes,
        lambda shape, site: (
            f"has {site.waiting_jobs:,} idle jobs for {site.running_jobs:,} that run, over {ratio:g} times the mean"
        ),
        soft=True,
        newcomers=True,
    )


def crowded_by_user(limit_s: float, queue: int) -> Filter:
    """The owner has over `queue` idle jobs there, and cores are free for a next one only after `limit_s` seconds."""
    return Filter(
        "user-queue",
        lambda shape, site: ~shape.full,
        lambda shape, site: f"has work for over {limit_s / 3600:g} h, with over {queue:,} idle jobs of the same user",
        soft=True,
        newcomers=True,
    )
