"""Why one site is better than another. Each weight answers 0..1, higher is better."""

from collections.abc import Callable

from router.model.policy import BrokerPolicy
from router.model.site import Site
from router.model.task import Shape

Weight = Callable[[Shape, Site], float]


def locality(shape: Shape, site: Site) -> float:
    """Share of the input's bytes that lie there."""
    return shape.inputs.fraction_at(site.name)


def free(_: Shape, site: Site) -> float:
    """Share of its glideins' cores that are idle; one half where no glidein is, since nobody knows."""
    return site.idle_cores / site.cores if site.cores else 0.5


def queue(_: Shape, site: Site) -> float:
    """How short the queue is for what runs there, as in PanDA's basic weight (running + 1) / (waiting + 1)."""
    running, waiting = site.running_jobs + 1, site.waiting_jobs + 1
    return running / (running + waiting)


def reliability(_: Shape, site: Site) -> float:
    """Share of the jobs that succeeded lately, pulled to one while few have ended."""
    return (site.outcomes.succeeded + 5) / (site.outcomes.succeeded + site.outcomes.failed + 5)


def weights(policy: BrokerPolicy) -> tuple[tuple[str, Weight, float], ...]:
    """All weights: name, function, and how much each counts."""
    return (
        ("locality", locality, policy.weight_locality),
        ("free", free, policy.weight_free),
        ("queue", queue, policy.weight_queue),
        ("reliability", reliability, policy.weight_reliability),
    )
