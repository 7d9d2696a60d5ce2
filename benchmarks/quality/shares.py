"""How far the pool is from the shares it promises."""

from collections.abc import Iterable, Mapping
from typing import Protocol


class Submitter(Protocol):
    """What counts of a user."""

    group: str
    running: int
    idle: int


def share_error(users: Iterable[Submitter], quotas: Mapping[str, float]) -> float | None:
    """Half the sum of |part in use - part due| over those with jobs, 0..1; None when fewer than two want more.

    Due is the max-min fair part: nobody more than he uses unless he wants more. Groups when quotas are given, else
    users with equal weights.
    """
    used: dict[str, int] = {}
    wanting: set[str] = set()
    for number, user in enumerate(users):
        name = user.group if quotas else str(number)
        used[name] = used.get(name, 0) + user.running
        if user.idle:
            wanting.add(name)
    total = sum(used.values())
    if len(wanting) < 2 or not total:
        return None
    due = _fair(used, wanting, quotas, total)
    return sum(abs(used[name] - due[name]) for name in used) / 2 / total


def _fair(used: Mapping[str, int], wanting: set[str], quotas: Mapping[str, float], total: int) -> dict[str, float]:
    """Water filling: those content with less keep what they use, the others divide the rest by weight."""
    due: dict[str, float] = {}
    left, names = float(total), {name for name in used if used[name] or name in wanting}
    while names:
        weight = sum(quotas.get(name, 1.0) for name in names)
        content = {n for n in names if n not in wanting and used[n] <= left * quotas.get(n, 1.0) / weight}
        if not content:
            due.update({name: left * quotas.get(name, 1.0) / weight for name in names})
            break
        for name in content:
            due[name] = float(used[name])
            left -= used[name]
        names -= content
    return {name: due.get(name, 0.0) for name in used}
