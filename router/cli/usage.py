"""`glideroute accounting`: what users, groups and sites used, day by day, and what sites gave of what they promised."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from router import wiring
from router.cli import usage_plot
from router.cli.audit import form_options, period
from router.cli.session import settings
from router.cli.show import console, foreign, plain, print_json, table
from router.errors import UserError
from router.loops.runner import SystemClock
from router.model.usage import DAY_S, KEYS, Cell, Contribution, Usage, contributions, summed
from router.render.csv_text import csv_text
from router.settings import Settings

Sums = Mapping[tuple[str | int, ...], Usage]
NUMBERS = ("runs", "jobs_well", "jobs_badly", "wall_h", "cpu_h", "wasted_h", "efficiency")


@click.command()
@click.option("--by", default="user,group,site", show_default=True, help=f"Sums for each of these: {', '.join(KEYS)}.")
@click.option("--user", help="Only this user's.")
@click.option("--site", help="Only what ran at this site.")
@period
@click.option("--pledges", is_flag=True, help="What sites gave of what they promised instead.")
@click.option("--import", "update", is_flag=True, help="Read the schedd's histories first.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw it, day by day, into this file.")
@form_options
def accounting(by: str, pledges: bool, update: bool, plot: Path | None, form: str, **chosen: Any) -> None:
    """Show what jobs used, by the days on which their runs ended (UTC): hours of cores, of processors, and wasted."""
    keys, known = _keys(by), settings()
    cells, days = _cells(known, update, **chosen)
    if pledges:
        _show_pledges(known, cells, days, form)
    else:
        _show(keys, summed(cells, keys), form)
    if plot:
        usage_plot.draw(cells, keys, _pledged_cores(known) if pledges else 0.0, plot)


def _keys(by: str) -> tuple[str, ...]:
    keys = tuple(part.strip() for part in by.split(",") if part.strip())
    if not keys or len(set(keys)) < len(keys) or set(keys) - set(KEYS):
        raise UserError(f"--by takes some of {', '.join(KEYS)}, each once, with commas between them; not {by!r}.")
    return keys


def _cells(
    known: Settings, update: bool, user: str | None, site: str | None, begins: float, ends: float
) -> tuple[list[Cell], int]:
    """What was used, and on how many days from the first to the last."""
    today = int(SystemClock().now() // DAY_S)
    last = min(int(-(-ends // DAY_S)) - 1 if ends else today, today)
    with closing(wiring.store(known)) as memory:
        if update:
            wiring.import_usage(known, memory)
        found = memory.usage(int(begins // DAY_S), last)
    cells = [cell for cell in found if user in (None, cell.user) and site in (None, cell.site)]
    first = int(begins // DAY_S) if begins else min((cell.day for cell in cells), default=last)
    return cells, max(1, last - first + 1)


def _show(keys: Sequence[str], sums: Sums, form: str) -> None:
    rows = [[_named(name, value) for name, value in zip(keys, key, strict=True)] for key in sums]
    numbers = [_numbers(usage) for usage in sums.values()]
    if form == "json":
        whole = [[*row, *more] for row, more in zip(rows, numbers, strict=True)]
        print_json([dict(zip((*keys, *NUMBERS), each, strict=True)) for each in whole])
    elif form == "csv":
        click.echo(csv_text((*keys, *NUMBERS), [[*a, *b] for a, b in zip(rows, numbers, strict=True)]), nl=False)
    else:
        shown = table(*keys, "#runs", "#well", "#badly", "#wall h", "#cpu h", "#wasted h", "#cpu/wall")
        for row, more in zip(rows, numbers, strict=True):
            shown.add_row(*(foreign(text or "(none)") for text in row), *_printed(more))
        total = Usage()
        for usage in sums.values():
            total = total.plus(usage)
        shown.add_section()
        shown.add_row("all", *[""] * (len(keys) - 1), *_printed(_numbers(total)))
        console().print(shown)


def _show_pledges(known: Settings, cells: Sequence[Cell], days: int, form: str) -> None:
    found = contributions(cells, {site.name: site.pledge for site in known.sites}, 24.0 * days)
    columns = ("site", "core_hours", "pledged_core_hours", "hs23_hours", "part", "pledged_part", "fulfilment")
    rows = [[*plain(each).values(), each.fulfilment] for each in found]
    if form == "json":
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    elif form == "csv":
        click.echo(csv_text(columns, [["" if each is None else each for each in row] for row in rows]), nl=False)
    else:
        console().print(_pledge_table(found, days))


def _pledge_table(found: Sequence[Contribution], days: int) -> Any:
    shown = table(
        "site", "#core h", "#promised", "#HS23 h", "#given", "#part", "#promised part", title=f"{days} day(s)"
    )
    for each in found:
        given = "" if each.fulfilment is None else f"{each.fulfilment:.1%}"
        hours = (f"{each.core_hours:.1f}", f"{each.pledged_core_hours:.1f}", f"{each.hs23_hours:.1f}")
        shown.add_row(foreign(each.site or "(none)"), *hours, given, f"{each.part:.1%}", f"{each.pledged_part:.1%}")
    return shown


def _named(name: str, value: str | int) -> str:
    if name == "day":
        return datetime.fromtimestamp(int(value) * DAY_S, UTC).date().isoformat()
    return str(value)


def _numbers(usage: Usage) -> tuple[int, int, int, float, float, float, float]:
    hours = (usage.wall_s / 3600, usage.cpu_ms / 3_600_000, usage.wasted_s / 3600)
    wall, cpu, wasted = (round(each, 3) for each in hours)
    return usage.runs, usage.jobs_well, usage.jobs_badly, wall, cpu, wasted, round(usage.efficiency, 3)


def _printed(numbers: Sequence[float]) -> list[str]:
    runs, well, badly, wall, cpu, wasted, efficiency = numbers
    counts = [f"{each:,.0f}" for each in (runs, well, badly)]
    return [*counts, *(f"{each:,.1f}" for each in (wall, cpu, wasted)), f"{efficiency:.0%}"]


def _pledged_cores(known: Settings) -> float:
    return sum(site.pledge.cores for site in known.sites)
