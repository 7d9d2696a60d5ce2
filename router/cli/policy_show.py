"""Shares as tables and plots."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from router.cli.show import table
from router.embedded.whatif import DryRun
from router.errors import RouterError
from router.model.share_load import Course
from router.model.shares import ROOT, UNLIMITED, ShareState

SIZE = (8.0, 4.5)


def course(found: Course, cores: float) -> Table:
    """What a simulation came to, group by group and user by user."""
    rows = table("who", "#quota", "#used", "#of pool", "#half waited", "#9 in 10", "#starved", "#left")
    for group in sorted(found.quotas, key=lambda name: (name == ROOT, name)):
        own = sorted(name for name, where in found.groups.items() if where == group)
        below = [name for name, where in found.groups.items() if f"{where}.".startswith(f"{group}.")]
        used = sum(_mean(found.used[name]) for name in (own if group == ROOT else below))
        if group != ROOT or own:
            quota = found.quotas[group]
            rows.add_row(_group(group), f"{quota:.0f}", f"{used:.1f}", f"{used / cores:.1%}", "", "", "", "")
        for name in own:
            mean = _mean(found.used[name])
            waits = [minutes(found.quantile(name, part)) for part in (0.5, 0.9)]
            starved, left = minutes(found.starved_s.get(name, 0.0)), f"{found.left[name]:.0f}"
            rows.add_row(f"  {name}", "", f"{mean:.1f}", f"{mean / cores:.1%}", *waits, starved, left)
    return rows


def second_opinion(found: DryRun) -> Table:
    """What the pool's own negotiator would give each group now."""
    rows = table("group", "#quota", "#wants", "#would get", title=f"the negotiator itself, now, {found.cores:g} cores")
    for each in found.groups:
        rows.add_row(_group(each.name), f"{each.quota:.1f}", f"{each.requested:.0f}", f"{each.allocated:.1f}")
    return rows


def side_by_side(found: Mapping[str, Mapping[str, float]]) -> Table:
    """What submitters got in a scratch pool, beside what the model says; there slots stand idle between two jobs."""
    rows = table("submitter", "#scratch pool", "#model", title="parts of what was used")
    totals = {where: sum(each.values()) or 1.0 for where, each in found.items()}
    for name in sorted(found["model"]):
        rows.add_row(name, *(f"{found[where].get(name, 0.0) / totals[where]:.1%}" for where in ("pool", "model")))
    return rows


def states(found: Sequence[ShareState]) -> Table:
    """Shares as they are."""
    rows = table("who", "#entitled", "#used", "#waiting", "#priority", "#factor", "#floor", "#ceiling")
    users = [each for each in found if not each.is_group]
    for group in sorted((each for each in found if each.is_group), key=lambda each: (each.name == ROOT, each.name)):
        own = sorted((each for each in users if each.group == group.name), key=lambda each: each.priority)
        below = [each for each in users if each in own or f"{each.group}.".startswith(f"{group.name}.")]
        waiting = sum(each.waiting for each in below)
        rows.add_row(_group(group.name), f"{group.quota:.0f}", f"{group.used:.0f}", f"{waiting:.0f}", "", "", "", "")
        for each in own:
            ceiling = "" if each.ceiling == UNLIMITED else str(each.ceiling)
            limits = (str(each.floor or ""), ceiling)
            told = (f"{each.limit:.1f}" if each.limit else "", f"{each.used:.0f}", f"{each.waiting:.0f}")
            rows.add_row(f"  {each.name}", *told, f"{each.priority:.0f}", f"{each.factor:g}", *limits)
    return rows


def draw_course(found: Course, cores: float, place: Path) -> None:
    """Cores in use over time, stacked by submitter, with those that wait as a line."""

    def fill(axes: Any) -> None:
        hours = [at / 3600 for at in found.times]
        names = sorted(found.used)
        axes.stackplot(hours, [found.used[name] for name in names], labels=names, step="post")
        waiting = [sum(found.waiting[name][i] for name in names) for i in range(len(hours))]
        axes.plot(hours, [min(each, 2 * cores) for each in waiting], "k:", label="waiting (cut at twice the pool)")
        axes.axhline(cores, color="k", linewidth=0.8)
        axes.set(xlabel="time [h]", ylabel="cores", ylim=(0, 2.1 * cores))

    draw_axes(fill, place)


def draw_states(found: Sequence[ShareState], place: Path) -> None:
    """What each group is entitled to and what it uses, side by side; what waits behind it."""
    groups = [each for each in found if each.is_group and (each.name != ROOT or each.used or each.quota)]

    def fill(axes: Any) -> None:
        rows = range(len(groups))
        axes.barh([row - 0.2 for row in rows], [each.quota for each in groups], 0.4, label="entitled")
        axes.barh([row + 0.2 for row in rows], [each.used for each in groups], 0.4, label="used")
        axes.set_yticks(list(rows), [_group(each.name) for each in groups])
        axes.invert_yaxis()
        axes.set_xlabel("cores")

    draw_axes(fill, place)


def minutes(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 2 * 3600 else f"{seconds / 3600:.1f} h"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _group(name: str) -> str:
    return "(no group)" if name == ROOT else name


def draw_axes(fill: Callable[[Any], None], place: Path) -> None:
    """Draw into a file of the kind that its name says. Raises RouterError where that cannot be."""
    try:
        import matplotlib as mpl

        mpl.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        raise RouterError(
            "Plots need matplotlib, which is not installed: pip install 'glideroute[plot]'. Without --plot the "
            "table is printed alone."
        ) from None
    figure, axes = pyplot.subplots(figsize=SIZE, layout="constrained")
    fill(axes)
    axes.legend(fontsize="small")
    axes.grid(alpha=0.3)
    try:
        figure.savefig(place, dpi=120)
    except (OSError, ValueError) as error:
        raise RouterError(f"The plot {place} cannot be written: {error}") from None
    finally:
        pyplot.close(figure)
