"""Usage as a plot: cores in use, day by day, stacked by whom or where; what was wasted as a line."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from router.cli.policy_show import draw_axes
from router.errors import UserError
from router.model.usage import DAY_S, Cell, summed

MOST = 8
"""Names drawn by themselves; the others are one."""


def draw(cells: Sequence[Cell], keys: Sequence[str], pledged: float, place: Path) -> None:
    """Draw what was used, stacked by the first of `keys` that is no day. `pledged` cores are a line; 0: none."""
    if not cells:
        raise UserError("There is nothing to draw: no usage is booked for that time. `--import` reads the histories.")
    key = next((each for each in keys if each != "day"), "user")
    totals = summed(cells, (key,))
    first = [str(name) for (name,), _ in sorted(totals.items(), key=lambda each: -each[1].wall_s)][:MOST]
    days = range(min(cell.day for cell in cells), max(cell.day for cell in cells) + 1)
    used = {name: _cores([c for c in cells if getattr(c, key) == name], days) for name in first}
    if len(totals) > MOST:
        used["others"] = _cores([c for c in cells if getattr(c, key) not in first], days)
    by_day = summed(cells, ("day",))
    wasted = [by_day[(day,)].wasted_s / DAY_S if (day,) in by_day else 0.0 for day in days]

    def fill(axes: Any) -> None:
        dates = [datetime.fromtimestamp(day * DAY_S, UTC).date() for day in days]
        below = [0.0] * len(dates)
        for name, cores in used.items():
            axes.bar(dates, cores, 0.9, bottom=below, label=_label(name))
            below = [a + b for a, b in zip(below, cores, strict=True)]
        axes.plot(dates, wasted, "k.:", label="wasted")
        if pledged:
            axes.axhline(pledged, color="k", linewidth=0.8, label="promised by all sites")
        axes.set(ylabel="cores, mean of the day", ylim=(0, 1.35 * max(*below, pledged, 0.001)))
        axes.set_axisbelow(True)
        axes.figure.autofmt_xdate()

    draw_axes(fill, place)


def _cores(cells: Sequence[Cell], days: Sequence[int]) -> list[float]:
    found = summed(cells, ("day",))
    return [found[(day,)].wall_s / DAY_S if (day,) in found else 0.0 for day in days]


def _label(name: str) -> str:
    """A name as matplotlib draws it: no mathematics, not hidden for a leading underscore."""
    told = "".join(each if each.isprintable() else "?" for each in name).replace("$", r"\$")
    return (f" {told}" if told.startswith("_") else told) or "(none)"
