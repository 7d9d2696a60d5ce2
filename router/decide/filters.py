"""Reasons not to send a shape to a site.

A filter answers None, or the refusal: words a user can read and a stable tag. It sees a shape and a site and nothing
else: no clock, no settings, no pool. A filter that needs a threshold is made by a function that takes it.
"""

from collections.abc import Callable, Sequence

from router.model.action import Refusal
from router.model.policy import BrokerPolicy
from router.model.site import Site, SiteStatus
from router.model.task import Shape

Filter = Callable[[Shape, Site], Refusal | None]


def status(_: Shape, site: Site) -> Refusal | None:
    """Operators have closed the site."""
    if site.status is SiteStatus.ONLINE:
        return None
    because = f": {site.status_reason}" if site.status_reason else ""
    return Refusal(f"site-{site.status}", f"is {site.status}{because}")


def allowed(shape: Shape, site: Site) -> Refusal | None:
    """The payload names the sites it may run at, and this is none of them."""
    if not shape.allow or site.name in shape.allow:
        return None
    return Refusal("not-allowed", f"the payload allows only {', '.join(shape.allow)}")


def blocked(shape: Shape, site: Site) -> Refusal | None:
    """The payload names sites it must not run at, and this is one."""
    return Refusal("blocked", "the payload blocks it") if site.name in shape.block else None


def cpus(shape: Shape, site: Site) -> Refusal | None:
    """One job wants more cores than a glidein there has."""
    if shape.requests.cpus <= site.limits.cpus:
        return None
    return Refusal("cpus", f"asks for {shape.requests.cpus} cores, glideins there have {site.limits.cpus}")


def memory(shape: Shape, site: Site) -> Refusal | None:
    """One job wants more memory than a glidein there has."""
    if shape.requests.memory_mb <= site.limits.memory_mb:
        return None
    return Refusal(
        "memory",
        f"asks for {shape.requests.memory_mb:,} MB of memory, glideins there have {site.limits.memory_mb:,} MB",
    )


def disk(shape: Shape, site: Site) -> Refusal | None:
    """One job wants more scratch space than a glidein there has."""
    if shape.requests.disk_mb <= site.limits.disk_mb:
        return None
    return Refusal(
        "disk", f"asks for {shape.requests.disk_mb:,} MB of disk, glideins there have {site.limits.disk_mb:,} MB"
    )


def walltime(shape: Shape, site: Site) -> Refusal | None:
    """One job wants more time than a glidein there lives."""
    if shape.requests.walltime_s <= site.limits.walltime_s:
        return None
    return Refusal(
        "walltime",
        f"asks for {shape.requests.walltime_s / 3600:.1f} h, glideins there live {site.limits.walltime_s / 3600:.1f} h",
    )


def validation(_: Shape, site: Site) -> Refusal | None:
    """Glideins refuse the nodes there, and none works."""
    if site.failure is None:
        return None
    return Refusal("validation", f"its nodes fail {site.failure.script}: {site.failure.message}")


def failing(limit: float, sample: int) -> Filter:
    """Jobs fail there: over `limit` (0..1) of at least `sample` ended jobs."""

    def refuse(_: Shape, site: Site) -> Refusal | None:
        ended = site.outcomes.succeeded + site.outcomes.failed
        if ended < sample or site.outcomes.failure_rate <= limit:
            return None
        return Refusal(
            "failing",
            f"failed {site.outcomes.failure_rate:.0%} of its last {ended} jobs, over the limit of {limit:.0%}",
        )

    return refuse


def filters(policy: BrokerPolicy) -> tuple[Filter, ...]:
    """All filters in the order they are asked; the first refusal is the one told."""
    return (
        status,
        allowed,
        blocked,
        cpus,
        memory,
        disk,
        walltime,
        validation,
        failing(policy.failure_rate, policy.failure_sample),
    )


def first_refusal(shape: Shape, site: Site, filters: Sequence[Filter]) -> Refusal | None:
    """The first reason why `shape` may not run at `site`; None when it may."""
    return next((refusal for each in filters if (refusal := each(shape, site))), None)
