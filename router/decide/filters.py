"""Reasons not to send a shape to a site.

A filter is an expression over columns that says which pairs pass, a stable tag, and the words for one pair that does
not. It sees shapes and sites and nothing else: no clock, no settings, no pool. One that needs a threshold is made by a
function that takes it. Words are made only when somebody asks.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from router.decide.columns import EVERYWHERE, ShapeColumns, SiteColumns, shape_columns, site_columns
from router.decide.data_filters import FULL, LOST, NO_STORAGE, PARTS, QUOTA, TAPE
from router.decide.filter import Filter
from router.decide.health import EVICTING, FAILING, HEALTHY, HOLE, NO_STARTS, PROBED, Health
from router.decide.load_filters import DOWNTIME, SHARE, crowded_by_user, left, overloaded, slow
from router.decide.node_filters import ARCH, CONTAINER, GPU_KIND, GPUS, SOFTWARE, SYSTEM
from router.model.action import Refusal
from router.model.policy import BrokerPolicy
from router.model.site import Site
from router.model.task import Shape

CLOSED = "site-"
"""Begins the tag of a site that an operator closed."""


def _closed(_: Shape, site: Site) -> str:
    return f"is {site.status}" + (f": {site.status_reason}" if site.status_reason else "")


STATUS = Filter(lambda site: f"{CLOSED}{site.status}", lambda shape, site: site.online, _closed)
"""Operators have closed the site."""

ALLOWED = Filter(
    "not-allowed",
    lambda shape, site: shape.allowed,
    lambda shape, site: f"the payload allows only {', '.join(shape.allow)}",
)
"""The payload names the sites it may run at, and this is none of them."""

BLOCKED = Filter("blocked", lambda shape, site: ~shape.blocked, lambda shape, site: "the payload blocks it")
"""The payload names sites it must not run at, and this is one."""

AVOIDED = Filter(
    "failed-there",
    lambda shape, site: ~shape.avoided,
    lambda shape, site: (
        "jobs of this batch failed there for a reason that may be the site's, or were asked away, "
        "and keep away for a while"
    ),
)
"""A retry keeps away from where the job failed."""

CPUS = Filter(
    "cpus",
    lambda shape, site: shape.cpus <= site.cpus,
    lambda shape, site: f"asks for {shape.requests.cpus} cores, glideins there have {site.limits.cpus}",
)
"""One job wants more cores than a glidein there has."""

MEMORY = Filter(
    "memory",
    lambda shape, site: shape.memory_mb <= site.memory_mb,
    lambda shape, site: (
        f"asks for {shape.requests.memory_mb:,} MB of memory, glideins there have {site.limits.memory_mb:,} MB"
    ),
)
"""One job wants more memory than a glidein there has."""

DISK = Filter(
    "disk",
    lambda shape, site: shape.disk_mb <= site.disk_mb,
    lambda shape, site: (
        f"asks for {shape.requests.disk_mb:,} MB of disk, glideins there have {site.limits.disk_mb:,} MB"
    ),
)
"""One job wants more scratch space than a glidein there has."""

WALLTIME = Filter(
    "walltime",
    lambda shape, site: shape.walltime_s <= site.walltime_s,
    lambda shape, site: (
        f"asks for {shape.requests.walltime_s / 3600:.1f} h, glideins there live {site.limits.walltime_s / 3600:.1f} h"
    ),
)
"""One job wants more time than a glidein there lives."""

ONE_SIZE = Filter(
    "no-size",
    lambda shape, site: site.offers.held(shape, len(site.names), site.platforms) if site.offers else EVERYWHERE,
    lambda shape, site: "has glideins with each of what it asks for, and none with all of it",
)
"""A site has large glideins and long ones, and the job wants one that is both."""

INPUT = Filter(
    "input-unreachable",
    lambda shape, site: (shape.local >= 1) | ((shape.local > 0) & site.storage).any(axis=1, keepdims=True),
    lambda shape, site: "lacks the input, and no storage that has it answers",
)
"""The input would be read from elsewhere, and nobody gives it."""


def validation(health: Health = HEALTHY) -> Filter:
    """Glideins refuse the nodes there, and none works; unless they do at so many sites that the check is doubtful."""
    return Filter(
        "validation",
        lambda shape, site: site.valid | np.array([[name in health.spared for name in site.names]], dtype=bool),
        lambda shape, site: f"its nodes fail {site.failure.script}: {site.failure.message}" if site.failure else "",
        harmless=True,
    )


CROWDED = Filter(
    "source-crowded",
    lambda shape, site: EVERYWHERE,
    lambda shape, site: "lacks the input, and the storage that has it feeds as many jobs elsewhere as it can",
    harmless=True,
    newcomers=True,
)
"""The input would be read from elsewhere, and too many do. Brokerage asks it itself: it knows who reads from where."""


def silent(limit_s: float) -> Filter:
    """Jobs have asked for glideins there for over `limit_s` seconds, and none has come."""
    return Filter(
        "no-glideins",
        lambda shape, site: site.silent_s <= limit_s,
        lambda shape, site: f"has shown no glidein for {site.silent_s / 3600:.1f} h although jobs asked for them",
        harmless=True,
    )


def ailing(tag: str, health: Health, *, newcomers: bool = False) -> Filter:
    """The router itself holds something against the site: see `health`."""
    closed = health.of(tag)
    return Filter(
        tag,
        lambda shape, site: np.array([[name not in closed for name in site.names]]) if closed else EVERYWHERE,
        lambda shape, site: closed[site.name],
        newcomers=newcomers,
    )


def filters(
    policy: BrokerPolicy, waits: Mapping[str, float] | None = None, health: Health = HEALTHY
) -> tuple[Filter, ...]:
    """All filters in the order they are asked; the first refusal is the one told.

    `waits` says of sites after how many seconds a core is free for a next job, `health` what is held against them.
    """
    return (
        STATUS,
        ALLOWED,
        BLOCKED,
        SHARE,
        AVOIDED,
        CPUS,
        MEMORY,
        DISK,
        WALLTIME,
        GPUS,
        GPU_KIND,
        ARCH,
        SYSTEM,
        SOFTWARE,
        CONTAINER,
        ONE_SIZE,
        NO_STORAGE,
        FULL,
        QUOTA,
        LOST,
        TAPE,
        INPUT,
        PARTS,
        validation(health),
        silent(policy.silent_limit_s),
        ailing(FAILING, health),
        ailing(HOLE, health),
        ailing(EVICTING, health),
        ailing(NO_STARTS, health),
        ailing(PROBED, health, newcomers=True),
        DOWNTIME,
        left(policy.left_limit_s),
        slow(policy.wait_limit_s, waits or {}),
        overloaded(policy.overload_queue, policy.overload_ratio),
        crowded_by_user(policy.user_wait_s, policy.user_queue),
        CROWDED,
    )


def refused(shapes: ShapeColumns, sites: SiteColumns, asked: Sequence[Filter]) -> np.ndarray:
    """Number, from 1, of the first filter that refuses each pair; 0 where none does. A matrix (G, S) of bytes.

    Soft ones are asked of what is left by the others.
    """
    codes = np.zeros(shapes.local.shape, dtype=np.uint8)
    for number in range(len(asked), 0, -1):
        each = asked[number - 1]
        if not each.soft and not (passed := each.passes(shapes, sites)).all():
            np.copyto(codes, np.uint8(number), where=~passed)
    for number, each in enumerate(asked, 1):
        if each.soft and not (passed := each.passes(shapes, sites)).all():
            fit = codes == 0
            codes[fit & ~passed & (fit & passed).any(axis=1, keepdims=True)] = number
    return codes


def first_refusal(shape: Shape, site: Site, asked: Sequence[Filter]) -> Refusal | None:
    """The first reason why `shape` may not run at `site`; None when it may."""
    sites = site_columns([site], BrokerPolicy())
    code = int(refused(shape_columns([shape], sites.names), sites, asked)[0, 0])
    return asked[code - 1].refusal(shape, site) if code else None
