"""`glideroute sites`: what sites there are, how they are, and closing and opening them."""

from datetime import UTC, datetime

import click
from rich.text import Text

from router.cli.group import Group
from router.cli.session import session, settings
from router.cli.show import console, json_option, print_json, table
from router.model.pilot import EntryState, GlideinState
from router.model.site import Site, SiteStatus
from router.wiring import entry_states

TIME = click.DateTime(["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"])
MOST_CAUSES = 3
"""Classes of failure shown at a site."""
COLOURS = {SiteStatus.ONLINE: "green", SiteStatus.DRAINING: "yellow", SiteStatus.OFFLINE: "red"}


@click.group(cls=Group, invoke_without_command=True)
@json_option
@click.pass_context
def sites(context: click.Context, as_json: bool) -> None:
    """Show the sites with their glideins; `drain` and `resume` change one."""
    if context.invoked_subcommand:
        return
    with session() as router:
        found = router.world().sites
    states = entry_states(settings())
    if as_json:
        print_json({"sites": found, "entries": states})
        return
    console().print(_sites(found))
    if states:
        console().print("")
        console().print(_entries(states))


@sites.command()
@click.argument("site")
@click.option("--reason", default="drained by an operator", show_default=True, help="Users see it.")
@click.option("--offline", is_flag=True, help="Mark it offline instead of draining.")
@click.option("--from", "begins", type=TIME, help="When it begins, UTC, as 2026-11-30T08:00; without it: now.")
@click.option("--until", "ends", type=TIME, help="When it ends by itself, UTC; without it: at `resume`.")
@json_option
def drain(site: str, reason: str, offline: bool, begins: datetime | None, ends: datetime | None, as_json: bool) -> None:
    """Give SITE nothing new; its idle jobs are brokered again, its running ones stay.

    With --until it is a downtime, which may be announced: jobs that might not end before it begins go elsewhere.
    """
    status = SiteStatus.OFFLINE if offline else SiteStatus.DRAINING
    if begins and not ends:
        raise click.UsageError("--from needs --until as well")
    with session() as router:
        if ends:
            first = _utc(begins) if begins else router.clock.now()
            announced = router.announce(site, first, _utc(ends), status, reason)
            told = f"{site} is announced to be {status} from {_stamp(announced.begins)} to {_stamp(announced.ends)}"
            print_json(announced) if as_json else click.echo(f"{told}: {reason}")
            return
        state = router.set_site(site, status, reason)
    print_json(state) if as_json else click.echo(f"{site} is {state.status}: {reason}")


@sites.command()
@click.argument("site")
@json_option
def resume(site: str, as_json: bool) -> None:
    """Give SITE jobs again, and forget its announced downtimes."""
    with session() as router:
        state = router.set_site(site, SiteStatus.ONLINE, "")
    print_json(state) if as_json else click.echo(f"{site} is {state.status}")


def _utc(time: datetime) -> float:
    return time.replace(tzinfo=UTC).timestamp()


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _sites(found: tuple[Site, ...]) -> object:
    rows = table("site", "status", "#cores", "#idle", "#running", "#waiting", "#starts", "#evicted", "#failed", "why")
    for site in found:
        failed = site.outcomes.failure_rate
        causes = ", ".join(f"{count}x {cause}" for cause, count in site.outcomes.causes[:MOST_CAUSES])
        soon = f"goes into downtime in {site.closes_in_s / 3600:.1f} h" if site.closes_in_s else ""
        refusal = f"{site.failure.script}: {site.failure.message}" if site.failure else ""
        holes = f"swallowed by {', '.join(site.black_holes[:MOST_CAUSES])}" if site.black_holes else ""
        why = site.status_reason or soon or refusal or "; ".join(filter(None, (holes, causes)))
        rows.add_row(
            site.name,
            Text(site.status, style=COLOURS[site.status]),
            str(site.cores),
            str(site.idle_cores),
            str(site.running_jobs),
            str(site.waiting_jobs),
            str(site.outcomes.starts or ""),
            str(site.outcomes.evictions or ""),
            f"{failed:.0%}" if site.outcomes.succeeded + site.outcomes.failed else "",
            why,
        )
    return rows


def _entries(states: tuple[EntryState, ...]) -> object:
    rows = table("entry", "site", *(f"#{state}" for state in GlideinState), "newest refusal")
    for each in states:
        counts = [str(each.count(state) or "") for state in GlideinState]
        refusal = f"{each.failure.script} ({each.failure.kind}): {each.failure.message}" if each.failure else ""
        rows.add_row(each.entry.name, each.entry.site, *counts, Text(refusal, style="red"))
    return rows
