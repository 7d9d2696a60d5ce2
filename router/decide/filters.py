"""Reasons not to send a shape to a site.

A filter is an expression over columns that says which pairs pass, a stable tag, and the words for one pair that does
not. It sees shapes and sites and nothing else: no clock, no settings, no pool. One that needs a threshold is made by a
function that takes it. Words are made only when somebody asks.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from router.decide.columns import EVERYWHERE, Booleans, ShapeColumns, SiteColumns, meets, shape_columns, site_columns
from router.model.action import Refusal
from router.model.node import Platform
from router.model.policy import BrokerPolicy
from router.model.site import Access, Site
from router.model.task import Shape


@dataclass(frozen=True, slots=True)
class Filter:
    """One reason."""

    tag: str | Callable[[Site], str]
    passes: Callable[[ShapeColumns, SiteColumns], Booleans]
    words: Callable[[Shape, Site], str]
    harmless: bool = False
    """Nothing starts at such a site anyway: jobs that may run elsewhere as well need not be taken away from it."""
    soft: bool = False
    """Refuses a site only where another one fits."""
    newcomers: bool = False
    """Is not asked of jobs that have the site already."""

    def refusal(self, shape: Shape, site: Site) -> Refusal:
        """What to tell of a pair that does not pass."""
        return Refusal(self.tag_at(site), self.words(shape, site))

    def tag_at(self, site: Site) -> str:
        """The tag of a refusal at a site."""
        return self.tag if isinstance(self.tag, str) else self.tag(site)


CLOSED = "site-"
"""Begins the tag of a site that an operator closed."""


def _closed(_: Shape, site: Site) -> str:
    return f"is {site.status}" + (f": {site.status_reason}" if site.status_reason else "")


def _there(site: Site, field: str) -> str:
    return " or ".join(sorted({getattr(platform, field) or "unknown" for platform in site.platforms}))


def _lacking(shape: Shape, site: Site) -> list[str]:
    """What no kind of node there has; all that is asked for, where each has a part."""
    there = {tag for platform in site.platforms for tag in platform.software}
    wanted = shape.requests.platform.software
    return [tag for tag in wanted if tag not in there] or list(wanted)


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

GPUS = Filter(
    "gpus",
    lambda shape, site: shape.gpus <= site.gpus if shape.gpus.any() else EVERYWHERE,
    lambda shape, site: f"asks for {shape.requests.gpus}, glideins there have {site.limits.gpus}",
)
"""One job wants more GPUs than a glidein there has."""

GPU_KIND = Filter(
    "gpu-kind",
    lambda shape, site: shape.gpus_are(site),
    lambda shape, site: f"asks for {shape.requests.gpus}, glideins there have {site.limits.gpus}",
)
"""The GPUs there have too little memory, or compute too little."""

ARCH = Filter(
    "architecture",
    lambda shape, site: meets(shape.arch, site.platforms, Platform.runs) @ site.nodes,
    lambda shape, site: f"asks for {shape.requests.platform.arch}, nodes there are {_there(site, 'arch')}",
)
"""The program is for another architecture, or for a higher level of it."""

SYSTEM = Filter(
    "os",
    lambda shape, site: meets(shape.os, site.platforms, Platform.is_os) @ site.nodes,
    lambda shape, site: f"asks for {shape.requests.platform.os}, nodes there have {_there(site, 'os')}",
)
"""The program is for another operating system."""

SOFTWARE = Filter(
    "software",
    lambda shape, site: meets(shape.software, site.platforms, Platform.has) @ site.nodes,
    lambda shape, site: f"asks for software that no node there has all of: {', '.join(_lacking(shape, site))}",
)
"""Something that the job builds on is not there."""

CONTAINER = Filter(
    "container",
    lambda shape, site: meets(shape.images, site.platforms, Platform.opens) @ site.nodes,
    lambda shape, site: f"runs no containers of the kind {', '.join(shape.requests.platform.images)}",
)
"""The job's container cannot be started there."""

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

VALIDATION = Filter(
    "validation",
    lambda shape, site: site.valid,
    lambda shape, site: f"its nodes fail {site.failure.script}: {site.failure.message}" if site.failure else "",
    harmless=True,
)
"""Glideins refuse the nodes there, and none works."""


CROWDED = Filter(
    "source-crowded",
    lambda shape, site: EVERYWHERE,
    lambda shape, site: "lacks the input, and the storage that has it feeds as many jobs elsewhere as it can",
    harmless=True,
    newcomers=True,
)
"""The input would be read from elsewhere, and too many do. Brokerage asks it itself: it knows who reads from where."""


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
    return Filter(
        "long-wait",
        lambda shape, site: np.array([[waits.get(name, 0.0) <= limit_s for name in site.names]]),
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


def silent(limit_s: float) -> Filter:
    """Jobs have asked for glideins there for over `limit_s` seconds, and none has come."""
    return Filter(
        "no-glideins",
        lambda shape, site: site.silent_s <= limit_s,
        lambda shape, site: f"has shown no glidein for {site.silent_s / 3600:.1f} h although jobs asked for them",
        harmless=True,
    )


def failing(limit: float, sample: int) -> Filter:
    """Jobs fail there: over `limit` (0..1) of at least `sample` ended jobs."""
    return Filter(
        "failing",
        lambda shape, site: (site.ended < sample) | (site.failure_rate <= limit),
        lambda shape, site: (
            f"failed {site.outcomes.failure_rate:.0%} of its last {site.outcomes.succeeded + site.outcomes.failed} "
            f"jobs, over the limit of {limit:.0%}{_most_often(site)}"
        ),
    )


def _most_often(site: Site) -> str:
    causes = site.outcomes.causes
    return f", most often {causes[0][0]}" if causes else ""


def filters(policy: BrokerPolicy, waits: Mapping[str, float] | None = None) -> tuple[Filter, ...]:
    """All filters in the order they are asked; the first refusal is the one told.

    `waits` says of sites after how many seconds a core is free for a next job.
    """
    return (
        STATUS,
        ALLOWED,
        BLOCKED,
        SHARE,
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
        INPUT,
        VALIDATION,
        silent(policy.silent_limit_s),
        failing(policy.failure_rate, policy.failure_sample),
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
