"""Reasons not to send a shape to a site whose nodes are not what its jobs ask for, besides their room."""

from router.decide.columns import EVERYWHERE, meets
from router.decide.filter import Filter
from router.model.node import Platform
from router.model.site import Site
from router.model.task import Shape


def _there(site: Site, field: str) -> str:
    return " or ".join(sorted({getattr(platform, field) or "unknown" for platform in site.platforms}))


def _lacking(shape: Shape, site: Site) -> list[str]:
    """What no kind of node there has; all that is asked for, where each has a part."""
    there = {tag for platform in site.platforms for tag in platform.software}
    wanted = shape.requests.platform.software
    return [tag for tag in wanted if tag not in there] or list(wanted)


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
