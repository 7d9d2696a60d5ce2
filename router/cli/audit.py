"""`glideroute audit`: who asked for what, what was decided, and what became of it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import click
from rich.table import Table

from router.cli.session import session
from router.cli.show import console, foreign, plain, print_json, table, when
from router.errors import RouterError
from router.model.audit import AuditQuery, AuditState, Sealed
from router.model.usage import Run
from router.render.csv_text import csv_text
from router.services.auditing import about, checked

TIME = click.DateTime(["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"])
COLUMNS = (
    "number",
    "at",
    "who",
    "account",
    "act",
    "about",
    "outcome",
    "words",
    "task",
    "cluster",
    "request",
    "identity",
)


def period(command: Callable[..., None]) -> Callable[..., None]:
    """Options --since and --until, which become `begins` and `ends`, seconds since the epoch; 0 where not given."""
    since = click.option(
        "--since", "begins", type=TIME, callback=_utc, help="Only from then on, UTC, as 2026-11-30 or 2026-11-30T08:00."
    )
    return since(click.option("--until", "ends", type=TIME, callback=_utc, help="Only before then, UTC.")(command))


def _utc(_: click.Context, __: click.Parameter, time: datetime | None) -> float:
    return time.replace(tzinfo=UTC).timestamp() if time else 0.0


def form_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options --json and --csv, which become `form`; empty where not given."""
    as_json = click.option("--json", "form", flag_value="json", default="", help="Print JSON.")
    return as_json(click.option("--csv", "form", flag_value="csv", help="Print CSV.")(command))


@click.command()
@click.argument("what", metavar="[TASK|JOB]", default="")
@click.option("--user", default="", help="Only what this user, or this daemon, asked or did.")
@period
@click.option("--most", type=click.IntRange(1, 1_000_000), default=1000, show_default=True, help="The newest so many.")
@click.option("--verify", is_flag=True, help="Check that no entry was changed, removed or put in.")
@click.option("--digest", default="", help="With --verify: a digest that was printed before; it must still be there.")
@form_options
def audit(what: str, verify: bool, digest: str, form: str, **wanted: Any) -> None:
    """Show who asked for what, what was decided, and what became of it; of a TASK or JOB also where it ran.

    Runs are those of the last import of usage (`glideroute accounting --import`).
    """
    with session() as router:
        if verify:
            _verified(checked(router.memory, digest), form == "json")
            return
        task, cluster = about(router.memory, what)
        entries = router.memory.audit(AuditQuery(task, cluster, **wanted))
        proc = what.partition(".")[2]
        runs = router.memory.runs_of(task, cluster, int(proc) if proc.isdecimal() else -1) if what else ()
    if form == "json":
        print_json({"entries": [_row(each) for each in entries], "runs": [_run(each) for each in runs]})
    elif form == "csv":
        click.echo(csv_text(COLUMNS, [[_row(each)[name] for name in COLUMNS] for each in entries]), nl=False)
    else:
        _show(entries, runs)


def _verified(state: AuditState, as_json: bool) -> None:
    if as_json:
        print_json(state)
    elif not state.fault:
        click.echo(
            f"{state.entries} entries hang together, up to number {state.last}. Digest: {state.digest or 'none'}"
        )
    if state.fault:
        raise RouterError(
            f"The audit was changed: {state.fault}. What stands before it is as it was written. Keep a copy of the "
            "database and find out who could write to it."
        )


def _show(entries: Sequence[Sealed], runs: Sequence[Run]) -> None:
    rows = table("when", "who", "act", "about", "outcome", "words")
    for each in entries:
        entry = each.entry
        who = f"{entry.who} ({entry.account})" if entry.account not in ("", entry.who) else entry.who
        who = f"{who}, {entry.identity}" if entry.identity.partition("@")[0] not in ("", entry.who) else who
        told = (who, entry.act, entry.about, entry.outcome, entry.words)
        rows.add_row(when(entry.at), *(foreign(text) for text in told))
    console().print(rows)
    if runs:
        console().print("")
        console().print(_ran(runs))


def _ran(runs: Sequence[Run]) -> Table:
    rows = table("job", "#run", "owner", "token's subject", "site", "node", "began", "ended", "how", "#exit code")
    for each in runs:
        texts = (each.owner, each.subject, each.site, each.node)
        code = "" if each.exit_code < 0 else str(each.exit_code)
        times = (when(each.started), when(each.ended))
        job = f"{each.cluster}.{each.proc}"
        rows.add_row(job, str(each.number + 1), *(foreign(text) for text in texts), *times, each.outcome, code)
    return rows


def _run(run: Run) -> dict[str, Any]:
    """A run as programs read it."""
    times = {name: _iso(getattr(run, name)) for name in ("queued", "started", "ended")}
    return {**plain(run), **times}


def _row(each: Sealed) -> dict[str, Any]:
    """An entry with its number, and the time as people and programs read it."""
    return {"number": each.number, **plain(each.entry), "at": _iso(each.entry.at)}


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
