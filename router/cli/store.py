"""`glideroute store`: the database's schema, forward and back."""

import click

from router import wiring
from router.cli.group import Group
from router.cli.session import settings
from router.cli.show import json_option, print_json


@click.group(cls=Group)
def store() -> None:
    """Show the database's schema, take it forward or back."""


@store.command()
@json_option
def show(as_json: bool) -> None:
    """Show which revision the database is at, and which this glideroute needs."""
    told = wiring.schema(settings()).told()
    print_json(told) if as_json else click.echo(
        f"{told['database']} is at {told['revision']}, {told['head']} is needed"
    )


@store.command()
def upgrade() -> None:
    """Take the schema to what this glideroute needs."""
    click.echo(f"The schema has revision {wiring.schema(settings()).upgrade()}.")


@store.command()
@click.argument("revision")
@click.option("--yes", is_flag=True, help="Do not ask.")
def downgrade(revision: str, yes: bool) -> None:
    """Take the schema back to REVISION, for an older glideroute. What only newer revisions hold is lost."""
    if not yes:
        click.confirm(f"What revisions after {revision} hold will be lost. Go on?", abort=True)
    click.echo(f"The schema has revision {wiring.schema(settings()).downgrade(revision)}.")
