"""`glideroute doctor`: what is wrong with an installation, and how to mend it."""

import click

from router import wiring
from router.cli.session import settings
from router.cli.show import json_option, print_json
from router.decide.checkup import diagnose
from router.model.checkup import Finding, Health

MARKS = {Health.GOOD: "ok  ", Health.DOUBTFUL: "look", Health.BAD: "BAD ", Health.UNKNOWN: "?   "}


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Check versions, tokens, rights, clock, ports, disk and the schedd's settings.

    Ends with 1 when something is bad. Weaknesses of HTCondor are known as of this version of glideroute.
    """
    found = diagnose(wiring.facts(settings()))
    if as_json:
        print_json(found)
    else:
        for finding in found:
            _show(finding)
    if any(each.health is Health.BAD for each in found):
        raise click.exceptions.Exit(1)


def _show(finding: Finding) -> None:
    click.echo(f"{MARKS[finding.health]}  {finding.check}: {finding.words}")
    if finding.fix:
        click.echo(f"      {finding.fix}")
