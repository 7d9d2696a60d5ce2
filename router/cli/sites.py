"""`glideroute sites`: what sites there are, how they are, and closing and opening them."""

import click
from rich.text import Text

from router.cli.session import session, settings
from router.cli.show import console, json_option, print_json, table
from router.model.pilot import EntryState, GlideinState
from router.model.site import Site, SiteStatus
from router.wiring import entry_states

MOST_CAUSES = 3
"""Classes of failure shown at a site."""
COLOURS = {SiteStatus.ONLINE: "green", SiteStatus.DRAINING: "yellow", SiteStatus.OFFLINE: "red"}


@click.group(invoke_without_command=True)
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
@json_option
def drain(site: str, reason: str, offline: bool, as_json: bool) -> None:
    """Give SITE nothing new; its idle jobs are brokered again, its running ones stay."""
    with session() as router:
        state = router.set_site(site, SiteStatus.OFFLINE if offline else SiteStatus.DRAINING, reason)
    print_json(state) if as_json else click.echo(f"{site} is {state.status}: {reason}")


@sites.command()
@click.argument("site")
@json_option
def resume(site: str, as_json: bool) -> None:
    """Give SITE jobs again."""
    with session() as router:
        state = router.set_site(site, SiteStatus.ONLINE, "")
    print_json(state) if as_json else click.echo(f"{site} is {state.status}")


def _sites(found: tuple[Site, ...]) -> object:
    rows = table("site", "status", "#cores", "#idle", "#running", "#waiting", "#starts", "#evicted", "#failed", "why")
    for site in found:
        failed = site.outcomes.failure_rate
        causes = ", ".join(f"{count}x {cause}" for cause, count in site.outcomes.causes[:MOST_CAUSES])
        why = site.status_reason or (f"{site.failure.script}: {site.failure.message}" if site.failure else causes)
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
