"""How far reading from a storage element is believed to fail, from what jobs told of it."""

from collections.abc import Iterable, Mapping

from router.model.fetch import Served

SAMPLE = 10
"""Where all of so many tries of one owner failed, half of that is believed: few tell little."""
WITNESSES = 2
"""The jobs of one owner may tell anything of a storage element; they alone never make it look more than half broken."""


def unread(told: Iterable[Served]) -> Mapping[str, float]:
    """The share of reads, 0..1, that each storage element is believed to fail; those that fail none are left out."""
    shares: dict[str, list[float]] = {}
    for each in told:
        shares.setdefault(each.se, []).append(each.failed / (each.given + each.failed + SAMPLE))
    means = {se: sum(found) / max(WITNESSES, len(found)) for se, found in shares.items()}
    return {se: mean for se, mean in means.items() if mean}
