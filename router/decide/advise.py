"""What would have to change for jobs to start sooner: each change is tried, and told when it gains something."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from router.decide.broker import Brokerage
from router.decide.estimate import NEVER
from router.model.action import Advice
from router.model.node import ANY_ARCH, Gpus, Platform
from router.model.site import Site
from router.model.task import Inputs, Shape

WORTH_S = 60.0
WORTH = 0.1
"""A change is told when it gains more than a minute and a tenth of the time."""


def advise(brokerage: Brokerage, shape: Shape, jobs: int) -> list[Advice]:
    """The changes that would let the last of `jobs` jobs of a shape start sooner, the best first."""
    now = _ends(brokerage, shape, jobs)
    found = []
    for words, changed in _changes(shape, brokerage.sites):
        then = _ends(brokerage, changed, jobs)
        if now - then > max(WORTH_S, WORTH * now) or (now >= NEVER > then):
            found.append(Advice(words, None if now >= NEVER else now, then))
    return sorted(found, key=lambda advice: (advice.then_s, advice.words))


def _ends(brokerage: Brokerage, shape: Shape, jobs: int) -> float:
    """Seconds until the last job starts; NEVER when no site fits."""
    if not brokerage.sites:
        return float(NEVER)
    ruling = brokerage.rule([shape], brokerage.columns([shape]))
    need = np.array([jobs * shape.requests.cpus], dtype=np.float32)
    return float(brokerage.sets(ruling, need).ends[0])


def _changes(shape: Shape, sites: Sequence[Site]) -> Iterator[tuple[str, Shape]]:
    """Each change that a user or the experiment could make, in words."""
    requests = shape.requests
    for field, what, unit in (
        ("cpus", "cores", ""),
        ("memory_mb", "memory", " MB"),
        ("disk_mb", "disk", " MB"),
        ("walltime_s", "walltime", " s"),
    ):
        asked = getattr(requests, field)
        if less := max((limit for site in sites if 0 < (limit := getattr(site.limits, field)) < asked), default=0):
            words = f"ask for {less:,}{unit} of {what} instead of {asked:,}{unit}"
            changed: dict[str, Any] = {field: less}
            yield words, replace(shape, requests=replace(requests, **changed))
    yield from _without(shape)
    if shape.allow:
        yield "allow all sites", replace(shape, allow=())
    if shape.block:
        yield "block no site", replace(shape, block=())
    inputs = shape.inputs
    for site in sites:
        if inputs.size and inputs.fraction_at(site.name) < 1:
            held = tuple(sorted({**dict(inputs.at_sites), site.name: inputs.size}.items()))
            yield f"have the input copied to {site.name}", replace(shape, inputs=Inputs(inputs.size, held, inputs.jobs))


def _without(shape: Shape) -> Iterator[tuple[str, Shape]]:
    """The same jobs without one thing that they ask of a node."""
    requests = shape.requests
    if requests.gpus.memory_mb or requests.gpus.capability:
        yield "take GPUs of any kind", replace(shape, requests=replace(requests, gpus=Gpus(requests.gpus.count)))
    if requests.gpus.count:
        yield "ask for no GPU", replace(shape, requests=replace(requests, gpus=Gpus()))
    for words, platform in _less(requests.platform):
        yield words, replace(shape, requests=replace(requests, platform=platform))


def _less(wanted: Platform) -> Iterator[tuple[str, Platform]]:
    family = wanted.arch.partition("-")[0]
    if family != wanted.arch:
        yield f"build for {family} instead of {wanted.arch}", replace(wanted, arch=family)
    if wanted.arch not in ("", ANY_ARCH):
        yield f"run on any architecture, not only {wanted.arch}", replace(wanted, arch=ANY_ARCH)
    if wanted.os:
        yield f"run on any system, not only {wanted.os}", replace(wanted, os="")
    for tag in wanted.software:
        yield f"do without {tag}", replace(wanted, software=tuple(each for each in wanted.software if each != tag))
    if wanted.images:
        yield "run without a container", replace(wanted, images=())
