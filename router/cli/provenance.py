"""`glideroute provenance`: where files come from."""

import click

from router.cli.session import session
from router.cli.show import json_option, plain, print_json
from router.model.provenance import Lineage

TREE, PROV_JSON, RO_CRATE = "tree", "prov-json", "ro-crate"


@click.command()
@click.argument("lfns", nargs=-1, required=True, metavar="LFN…")
@click.option("--depth", type=click.IntRange(0), default=0, help="Generations of jobs to go back; 0: all of them.")
@click.option(
    "--format",
    "form",
    type=click.Choice((TREE, PROV_JSON, RO_CRATE)),
    default=TREE,
    help="For people; as W3C PROV-JSON; or as the ro-crate-metadata.json of an RO-Crate.",
)
@click.option("--license", "license_", default="", help="Of an RO-Crate: the URL of a license, or how it may be used.")
@json_option
def provenance(lfns: tuple[str, ...], depth: int, form: str, license_: str, as_json: bool) -> None:
    """Show where the file LFN comes from: the jobs that made it, what those read, and so on."""
    with session() as router:
        found = router.provenance(*lfns, depth=depth)
    if as_json:
        print_json(_plain(found.lineage))
    elif form == PROV_JSON:
        click.echo(found.prov_json(), nl=False)
    elif form == RO_CRATE:
        click.echo(found.ro_crate(license_), nl=False)
    else:
        click.echo(str(found), nl=False)


def _plain(found: Lineage) -> dict[str, object]:
    """A lineage as lists: JSON has no pairs as keys."""
    made = found.made()
    return {
        "roots": found.roots,
        "files": [plain(each) for _, each in sorted(found.artifacts.items())],
        "jobs": [plain(each) | {"made": made.get(key, ())} for key, each in sorted(found.executions.items())],
        "tasks": [plain(each) for _, each in sorted(found.tasks.items())],
        "cut": found.cut,
    }
