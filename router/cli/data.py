"""Commands on datasets."""

import json
from pathlib import Path
from typing import Any

import click

from router.cli.group import Group
from router.cli.session import session
from router.cli.show import console, json_option, print_json, table, told
from router.errors import UserError
from router.model import names
from router.model.files import File, Located, Replica
from router.model.lumis import read as read_lumis
from router.render.quantities import size
from router.services.auditing import asked


@click.group(cls=Group)
def dataset() -> None:
    """Make, list, show and close datasets."""


@dataset.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the datasets."""
    with session() as router:
        found = router.catalogue.datasets()
    if as_json:
        print_json([{"name": n, "files": count, "size": total, "closed": closed} for n, count, total, closed in found])
        return
    rows = table("dataset", "#files", "#size", "")
    for name, count, total, closed in found:
        rows.add_row(name, str(count), size(total), "closed" if closed else "")
    console().print(rows)


@dataset.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show the files of dataset NAME and the sites that hold them."""
    with session() as router:
        told(router.look(name))
        found = router.catalogue.dataset(name)
    if as_json:
        print_json(found)
        return
    rows = table("file", "#size", "#events", "sites")
    for each in found.files:
        rows.add_row(each.file.lfn, size(each.file.size), str(each.file.events or ""), ", ".join(sorted(each.sites)))
    console().print(rows)


@dataset.command()
@click.argument("name")
def close(name: str) -> None:
    """Close dataset NAME for good: its files never change, and none of them can be removed."""
    with session() as router, asked(router, "dataset close", name):
        router.catalogue.close_dataset(name)
    click.echo(f"{name} is closed.")


@dataset.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove dataset NAME; its files stay."""
    with session() as router, asked(router, "dataset remove", name):
        router.catalogue.remove_dataset(name)
    click.echo(f"{name} is no dataset any more.")


@dataset.command()
@click.argument("name")
@click.argument("lfns", nargs=-1, required=True, metavar="LFN…")
def put(name: str, lfns: tuple[str, ...]) -> None:
    """Put registered files into dataset NAME, which is made if there is none."""
    with session() as router, asked(router, "dataset put", f"{name}: {len(lfns)} file(s)"):
        router.catalogue.add_dataset(name, lfns)
        made = router.catalogue.dataset(name)
    click.echo(f"{made.name} has {len(made.files)} file(s), {size(made.size)}")


@dataset.command()
@click.argument("name")
@click.argument("manifest", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def add(name: str, manifest: Path, as_json: bool) -> None:
    """Register the files of MANIFEST and put them into dataset NAME.

    MANIFEST is a JSON list of files: {"lfn", "size", "adler32", "events", "sites": [SITE, …]}, where known with their
    luminosity sections: "lumis": {RUN: [[FIRST, LAST], …]}. The physical name at each site follows from the site's
    storage element.
    """
    with session() as router:
        storage = router.storage
        found, lumis = [], {}
        for each in _manifest(manifest):
            elements = [storage[site] for site in each["sites"] if site in storage]
            if unknown := sorted(set(each["sites"]) - set(storage)):
                raise UserError(f"{manifest}: no storage is declared for {', '.join(unknown)}.")
            copies = tuple(Replica(se.name, se.site, se.pfn(each["lfn"])) for se in elements)
            found.append(Located(File(each["lfn"], each["size"], each["adler32"], each["events"]), copies))
            if each["lumis"]:
                lumis[each["lfn"]] = each["lumis"]
        made = router.add_dataset(name, found, lumis)
    if as_json:
        print_json(made)
    else:
        click.echo(f"{made.name} has {len(made.files)} file(s), {size(made.size)}")


def _manifest(path: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads(path.read_text())
        return [
            {
                "lfn": names.lfn(each["lfn"]),
                "size": int(each["size"]),
                "adler32": names.adler32(each["adler32"]),
                "events": int(each.get("events", 0)),
                "sites": [names.name(site) for site in each["sites"]],
                "lumis": read_lumis(each.get("lumis", {})),
            }
            for each in found
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is no list of files as `glideroute dataset add --help` shows: {error!r}.") from None
