"""Parameter sweeps: names, the values that each takes, and the points that these make."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from router.model import document

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")
VALUE = re.compile(r"[A-Za-z0-9_.+-][A-Za-z0-9._+=@:/-]{0,99}")
"""Nothing that a shell, HTCondor or a ClassAd would read as anything but text."""
MAX_VALUES = 10_000
PRODUCT, ZIP = "product", "zip"

Point = tuple[tuple[str, str], ...]
"""A value for each name, in the order written."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """The values that each parameter takes."""

    values: tuple[tuple[str, tuple[str, ...]], ...] = ()
    combine: str = PRODUCT
    """`product`: every value with every other; `zip`: the first of each together, then the second of each."""

    @property
    def points(self) -> tuple[Point, ...]:
        """Every point, the last parameter's values varying fastest; one without a value where nothing is swept."""
        names = [name for name, _ in self.values]
        lists = [values for _, values in self.values]
        found = zip(*lists, strict=True) if self.combine == ZIP and lists else itertools.product(*lists)
        return tuple(tuple(zip(names, point, strict=True)) for point in found)

    @property
    def size(self) -> int:
        """How many points there are, without making them."""
        sizes = [len(values) for _, values in self.values] or [1]
        if self.combine == ZIP:
            return min(sizes)
        total = 1
        for each in sizes:
            total *= each
        return total


def parse(top: document.Section) -> Sweep:
    """The sweep that a payload document asks for."""
    combine = top.choice("combine", (PRODUCT, ZIP), PRODUCT)
    section = top.section("sweep")
    if section is None:
        if combine == ZIP:
            top.fault("combine", "says how the values of a `sweep` are combined, and there is none")
        return Sweep()
    sweep = Sweep(tuple((name, _values(section, name)) for name in section.key_names()), combine)
    sizes = {len(values) for _, values in sweep.values}
    if not sweep.values:
        top.fault("sweep", "must name at least one parameter, such as {mass: [110, 120]}")
    elif combine == ZIP and len(sizes) > 1:
        top.fault("sweep", f"has lists of {_told(sorted(sizes))} values; `combine: zip` needs as many of each")
    elif sweep.size > MAX_VALUES:
        top.fault("sweep", f"makes {sweep.size:,} points; a task has at most {MAX_VALUES:,} jobs")
    return sweep


def filled(text: str, point: Sequence[tuple[str, str]]) -> str:
    """A text in which `{name}` is the value of each parameter; other braces stay."""
    given = dict(point)
    return re.sub(r"\{([A-Za-z][A-Za-z0-9_]*)\}", lambda found: given.get(found[1], found[0]), text)


def _values(section: document.Section, name: str) -> tuple[str, ...]:
    if not NAME.fullmatch(name):
        section.fault(name, "is no name of a parameter: letters, digits and '_', at most 32, a letter first")
    if section.is_list(name):
        found = section.texts(name, _value)
        if not found:
            section.fault(name, "has no value")
        return found
    span = section.section(name)
    return _range(span) if span else ()


def _range(span: document.Section) -> tuple[str, ...]:
    for key in ("from", "to"):
        if not span.has(key):
            span.fault(key, "is missing; a range is {from: 1, to: 100}")
    limit = 10**9
    first, last = span.integer("from", 0, at_least=-limit), span.integer("to", 0, at_least=-limit)
    step = span.integer("step", 1, at_least=1)
    count = (last - first) // step + 1
    if not 1 <= count <= MAX_VALUES:
        span.fault("to", f"gives {max(count, 0):,} values; a range has from 1 to {MAX_VALUES:,}")
        return ()
    return tuple(str(value) for value in range(first, last + 1, step))


def _value(text: str) -> str:
    if not VALUE.fullmatch(text):
        raise ValueError(f"{text[:60]!r} is no value of a parameter: letters, digits and '._+=@:/-', at most 100")
    return text


def _told(sizes: Sequence[int]) -> str:
    return " and ".join(map(str, sizes))
