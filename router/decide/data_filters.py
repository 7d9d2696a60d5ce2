"""Reasons not to send a shape to a site because of its data: inputs that nobody gives, outputs that nobody keeps."""

import numpy as np

from router.decide.columns import EVERYWHERE, Booleans, ShapeColumns, SiteColumns
from router.decide.filter import Filter

LOST = Filter(
    "input-lost",
    lambda shape, site: ~shape.lost,
    lambda shape, site: "lacks the input, of which no site has a copy left",
)
"""There is nothing to read any more."""

TAPE = Filter(
    "tape-only",
    lambda shape, site: ~shape.tape,
    lambda shape, site: (
        f"lacks the input, which lies on tape only, at {', '.join(shape.inputs.on_tape)}; have it copied to a disk"
    ),
)
"""Jobs cannot read from tape."""


def _whole(shape: ShapeColumns, site: SiteColumns) -> Booleans:
    """Whether each part of the input is here, or at some storage that answers."""
    if not any(parts := shape.parts[:, 0].tolist()):
        return EVERYWHERE
    serves = site.storage[0]
    readable = np.array([all(serves[list(part)].any() for part in each) for each in parts])
    found: Booleans = (shape.local >= 1) | readable[:, np.newaxis]
    return found


PARTS = Filter(
    "input-partial",
    _whole,
    lambda shape, site: "lacks a part of the input, and no storage that has that part answers",
)
"""The input lies in parts at several sites, and a part of it would be read from where nobody gives it."""

NO_STORAGE = Filter(
    "no-storage",
    lambda shape, site: ~shape.writes | site.keeps if shape.writes.any() else EVERYWHERE,
    lambda shape, site: "has no storage that could keep the outputs",
)
"""The outputs have to stay at the site where the job runs, and cannot."""

FULL = Filter(
    "storage-full",
    lambda shape, site: ~shape.writes | site.room if shape.writes.any() else EVERYWHERE,
    lambda shape, site: (
        f"its storage has {site.storage.free_mb:,} of {site.storage.space_mb:,} MB free, "
        f"and keeps {site.storage.reserve_mb:,} MB"
    ),
)
"""There is no room for outputs."""

QUOTA = Filter(
    "quota",
    lambda shape, site: ~shape.over,
    lambda shape, site: f"the user's files there have used up the quota of {site.storage.quota_mb:,} MB; remove some",
)
"""The owner has no room for outputs."""
