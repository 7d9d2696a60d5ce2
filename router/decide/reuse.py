"""Few distinct sets of sites: each is an autocluster to the negotiator, and a call to the schedd.

A group that would get a set of its own gets a smaller one that jobs have already, where that is as good. Smaller ones
only: a site more would have to fit, and to hold the input.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from router.decide.broker import Brokerage, Ruling, Sets
from router.decide.columns import Booleans, Numbers
from router.decide.estimate import NEVER
from router.model.job import JobGroup, JobState


class InUse:
    """The sets that idle jobs have, and those that this pass gives, as numbers of sites."""

    def __init__(self, jobs: Iterable[JobGroup], place: Mapping[str, int]) -> None:
        """Those that idle `jobs` have now, those of sites whose numbers are in `place`."""
        placed = {group.sites for group in jobs if group.state is JobState.IDLE and group.sites}
        known = (sites for sites in placed if all(site in place for site in sites))
        self._known = {tuple(sorted(place[site] for site in sites)) for sites in known}

    def reused(self, sets: Sets, ruling: Ruling, need: Numbers, new: Booleans, brokerage: Brokerage) -> Sets:
        """The sets, and for the `new` (G,) ones of the groups, which have none yet, such as are in use.

        Of a set that nobody has the largest sites are taken: as many as there are in a set in use, and enough to
        complete the group's jobs as soon as the whole would, or nearly so. As long as few sets are in use one more
        costs nothing, and the choice is left to the negotiator.
        """
        order, good = _largest_first(sets, ruling, need, brokerage)
        best = np.take_along_axis(sets.best, order, axis=1).tolist()
        sizes, known = sets.join.sum(axis=1), self._known
        taken = sizes.copy()
        for row in np.flatnonzero(new & (sizes > 0)).tolist():
            sites, size = best[row], int(sizes[row])
            own = tuple(sorted(sites[:size]))
            if own not in known and len(known) >= brokerage.policy.few_sets:
                enough = (1 + count for count in np.flatnonzero(good[row, : size - 1])[::-1].tolist())
                size = next((count for count in enough if tuple(sorted(sites[:count])) in known), size)
            known.add(tuple(sorted(sites[:size])))
            taken[row] = size
        if (taken == sizes).all():
            return sets
        keep = np.empty_like(sets.join)
        np.put_along_axis(keep, order, np.arange(keep.shape[1]) < taken[:, np.newaxis], axis=1)
        return brokerage.narrowed(sets, keep, ruling, need)


def _largest_first(sets: Sets, ruling: Ruling, need: Numbers, brokerage: Brokerage) -> tuple[np.ndarray, Booleans]:
    """(G, K): the order of the sites of each set by how fast they free cores, and whether so many of them do.

    When the last job would start at some of a set's sites is taken a little late where one of them has none free by
    then, so that what does is sure to.
    """
    policy = brokerage.policy
    rate = np.where(sets.join, brokerage.rate[sets.best], np.float32(-1))
    order = np.lexsort((sets.best, -rate), axis=1)
    best, join = np.take_along_axis(sets.best, order, axis=1), np.take_along_axis(sets.join, order, axis=1)
    seconds = np.where(join, np.take_along_axis(ruling.total, best, axis=1), np.float32(0))
    rate, idle = np.where(join, brokerage.rate[best], 0), np.where(join, brokerage.idle[best], 0)
    ends = (need[:, np.newaxis] + np.cumsum(rate * seconds - idle, axis=1)) / np.maximum(np.cumsum(rate, axis=1), 1e-9)
    ends = np.maximum(ends, np.minimum.accumulate(np.where(join, seconds, NEVER), axis=1))
    latest = sets.ends + np.maximum(policy.near_s, policy.near_share * sets.ends)
    return order, join & (ends <= latest[:, np.newaxis])
