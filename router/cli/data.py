"""Commands on the catalogue: files, copies, datasets."""

import json
from pathlib import Path
from typing import Any

import click

from router.cli.session import session
from router.cli.show import console, json_option, print_json, size, table
from router.errors import NotFound, UserError
from router.model import names
from router.model.files import File, Located, Replica


@click.command()
@click.argument("directory", default="/")
@json_option
def ls(directory: str, as_json: bool) -> None:
    """List the files of the catalogue below DIRECTORY."""
    with session() as router:
        found = router.catalogue.files(router.catalogue.below(directory))
    if as_json:
        print_json(found)
        return
    rows = table("#size", "#events", "#copies", "file")
    for each in found:
        rows.add_row(size(each.file.size), str(each.file.events or ""), str(len(each.replicas)), each.file.lfn)
    console().print(rows)


@click.command()
@click.argument("lfn")
@json_option
def replicas(lfn: str, as_json: bool) -> None:
    """Show where the copies of LFN are."""
    with session() as router:
        found = router.catalogue.files([lfn])
    if not found:
        raise NotFound(f"There is no file {lfn}. `glideroute ls` lists the files.")
    if as_json:
        print_json(found[0])
        return
    rows = table("site", "storage element", "physical name")
    for replica in found[0].replicas:
        rows.add_row(replica.site, replica.se, replica.pfn)
    console().print(rows)


@click.group()
def dataset() -> None:
    """Make, list and show datasets."""


@dataset.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the datasets."""
    with session() as router:
        found = router.catalogue.datasets()
    if as_json:
        print_json([{"name": name, "files": count, "size": total} for name, count, total, _ in found])
        return
    rows = table("dataset", "#files", "#size")
    for name, count, total, _ in found:
        rows.add_row(name, str(count), size(total))
    console().print(rows)


@dataset.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show the files of dataset NAME and the sites that hold them."""
    with session() as router:
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
@click.argument("manifest", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def add(name: str, manifest: Path, as_json: bool) -> None:
    """Register the files of MANIFEST and put them into dataset NAME.

    MANIFEST is a JSON list of files: {"lfn", "size", "adler32", "events", "sites": [SITE, …]}. The physical name at
    each site follows from the site's storage element.
    """
    with session() as router:
        storage = router.storage
        found = []
        for each in _manifest(manifest):
            elements = [storage[site] for site in each["sites"] if site in storage]
            if unknown := sorted(set(each["sites"]) - set(storage)):
                raise UserError(f"{manifest}: no storage is declared for {', '.join(unknown)}.")
            copies = tuple(Replica(se.name, se.site, se.pfn(each["lfn"])) for se in elements)
            found.append(Located(File(each["lfn"], each["size"], each["adler32"], each["events"]), copies))
        made = router.add_dataset(name, found)
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
            }
            for each in found
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is no list of files as `glideroute dataset add --help` shows: {error!r}.") from None
