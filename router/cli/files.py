"""Commands on the catalogue's names: list, find, make, remove, rename, and who may do what."""

import click

from router.cli.session import session
from router.cli.show import console, json_option, print_json, table, when
from router.errors import UserError
from router.model.entry import Entry, Kind
from router.model.rights import mode_of
from router.render.quantities import size
from router.services.auditing import asked
from router.services.queries import below

SIGNS = {Kind.DIRECTORY: "d", Kind.FILE: "-", Kind.LINK: "l", Kind.DATASET: "s"}


@click.command()
@click.argument("name", default="/")
@click.option("-R", "--recursive", is_flag=True, help="List every file below, however deep.")
@click.option("--removed", is_flag=True, help="List your removed files below instead; they can be restored.")
@json_option
def ls(name: str, recursive: bool, removed: bool, as_json: bool) -> None:
    """List the directory NAME of the catalogue; `d` is a directory, `-` a file, `l` a link, `s` a dataset."""
    if removed:
        _list_removed(name, as_json)
        return
    with session() as router:
        if recursive:
            found = [router.catalogue.stat(each) for each in router.catalogue.below(name)]
        else:
            found = list(router.catalogue.entries(name))
    if as_json:
        print_json([_plain(each) for each in found])
        return
    rows = table("rights", "owner", "group", "#size", "#events", "#copies", "name")
    for each in found:
        signs, owner, group = str(each.rights).split(" ")
        file = each.kind is Kind.FILE
        copies = str(each.copies) if each.guid else ""  # what is computed has none
        told = (size(each.size), str(each.events or ""), copies) if file else ("", "", "")
        rows.add_row(SIGNS[each.kind] + signs, owner, group, *told, _shown(each))
    console().print(rows)


def _list_removed(name: str, as_json: bool) -> None:
    with session() as router:
        found = router.catalogue.removed(name)
    if as_json:
        print_json(found)
        return
    rows = table("removed", "by", "owner", "#size", "guid", "name")
    for each in found:
        rows.add_row(when(each.removed), each.by, each.owner, size(each.size), each.guid, each.name)
    console().print(rows)


def _shown(entry: Entry) -> str:
    if entry.target:
        return f"{entry.name} -> {entry.target}"
    return f"{entry.name} (closed)" if entry.closed else entry.name


def _plain(entry: Entry) -> dict[str, object]:
    rights = {"owner": entry.rights.owner, "group": entry.rights.group, "mode": f"{entry.rights.mode:03o}"}
    told = {"name": entry.name, "kind": entry.kind, **rights, "created": entry.created}
    if entry.kind is Kind.FILE:
        told |= {"size": entry.size, "events": entry.events, "adler32": entry.adler32, "guid": entry.guid}
        told |= {"copies": entry.copies}
    if entry.kind is Kind.DATASET:
        told |= {"closed": entry.closed}
    return told | ({"target": entry.target} if entry.target else {})


@click.command()
@click.argument("directory")
@click.argument("query", default="")
@click.option("--name", "pattern", help="Only files whose last part is like this: `*` is any text, `?` any character.")
@click.option("--limit", type=click.IntRange(1), help="Show the first so many files by name.")
@json_option
def find(directory: str, query: str, pattern: str | None, limit: int | None, as_json: bool) -> None:
    """List the files below DIRECTORY, those that QUERY asks for.

    QUERY is as in `glideroute meta find`, without a place: "run >= 148029 and size < 1000000".
    """
    with session() as router:
        found = below(router.catalogue, directory, query, pattern, limit)
    if as_json:
        print_json(found)
        return
    for each in found:
        click.echo(each)


@click.command()
@click.argument("name")
@json_option
def stat(name: str, as_json: bool) -> None:
    """Show all that the catalogue knows of NAME; of a link where it leads."""
    with session() as router:
        found = router.catalogue.stat(name, follow=False)
    told = _plain(found)
    if as_json:
        print_json(told)
        return
    rows = table("", "")
    for key, value in (told | {"created": when(found.created)}).items():
        rows.add_row(key, str(value))
    rows.show_header = False
    console().print(rows)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@click.option("-p", "--parents", is_flag=True, help="Make those above too; no fault if it is there.")
def mkdir(names: tuple[str, ...], parents: bool) -> None:
    """Make directories."""
    with session() as router, asked(router, "mkdir", " ".join(names)):
        for name in names:
            router.catalogue.make_directory(name, parents)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@click.option("-r", "--recursive", is_flag=True, help="Directories, too, with all they hold.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@json_option
def rm(names: tuple[str, ...], recursive: bool, dry_run: bool, as_json: bool) -> None:
    """Remove names from the catalogue: all of them, or none.

    A removed file can be brought back with `glideroute restore`. Its copies stay where they are.
    """
    with session() as router, asked(router, "rm", " ".join(names) + (" (dry run)" if dry_run else "")):
        gone = router.catalogue.remove(names, recursive, dry_run)
    if as_json:
        print_json(gone)
        return
    for name in gone:
        click.echo(name)
    click.echo(f"{len(gone)} name(s) {'would be ' if dry_run else ''}removed.", err=True)


@click.command()
@click.argument("name")
def restore(name: str) -> None:
    """Bring back the removed file NAME, or that of a GUID, with its copies and what was said of it."""
    with session() as router, asked(router, "restore", name):
        click.echo(f"{router.catalogue.restore(name)} is back.")


@click.command()
@click.argument("old")
@click.argument("new")
def mv(old: str, new: str) -> None:
    """Rename OLD to NEW, or into the directory NEW; physical names stay."""
    with session() as router, asked(router, "mv", f"{old} to {new}"):
        click.echo(router.catalogue.move(old, new))


@click.command()
@click.argument("target")
@click.argument("name")
def ln(target: str, name: str) -> None:
    """Make the link NAME that leads to TARGET."""
    with session() as router, asked(router, "ln", f"{name} to {target}"):
        router.catalogue.link(target, name)


@click.command()
@click.argument("mode")
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@click.option("-R", "--recursive", is_flag=True, help="All below that is yours, too; files get no `x`.")
def chmod(mode: str, names: tuple[str, ...], recursive: bool) -> None:
    """Give names the MODE, three octal digits for owner, group and everybody: 750; 1777 with the sticky bit."""
    try:
        wanted = mode_of(mode)
    except ValueError as error:
        raise UserError(f"{error}.") from None
    with session() as router, asked(router, "chmod", f"{mode} {' '.join(names)}"):
        count = router.catalogue.set_mode(names, wanted, recursive)
    click.echo(f"{count} name(s) changed.")


@click.command()
@click.argument("owner", metavar="[OWNER][:GROUP]")
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@click.option("-R", "--recursive", is_flag=True, help="All below, too; of others only as an administrator.")
def chown(owner: str, names: tuple[str, ...], recursive: bool) -> None:
    """Give names another owner, as an administrator, or another group: `:higgs`."""
    user, colon, group = owner.partition(":")
    with session() as router, asked(router, "chown", f"{owner} {' '.join(names)}"):
        count = router.catalogue.set_owner(names, user or None, group if colon else None, recursive)
    click.echo(f"{count} name(s) changed.")


@click.command()
@click.argument("user", default="")
@click.option("--bytes", "limit", type=click.IntRange(0), help="What the user's files may take in all; 0: no limit.")
@click.option("--files", "count", type=click.IntRange(0), help="How many files the user may own; 0: no limit.")
@json_option
def quota(user: str, limit: int | None, count: int | None, as_json: bool) -> None:
    """Show what people may own and own, or, as an administrator, limit what USER may."""
    with session() as router:
        if limit is not None or count is not None:
            if not user:
                raise UserError("Say whose quota it is: glideroute quota USER --bytes N")
            with asked(router, "quota", f"{user}: {limit or 0} bytes, {count or 0} files"):
                router.catalogue.set_quota(user, limit or 0, count or 0)
        found = [each for each in router.catalogue.quotas() if user in ("", each.owner)]
    if as_json:
        print_json(found)
        return
    rows = table("user", "#owns", "#of", "#files", "#of")
    for each in found:
        bounds = (size(each.bytes) if each.bytes else "-", str(each.files or "-"))
        rows.add_row(each.owner, size(each.used_bytes), bounds[0], str(each.used_files), bounds[1])
    console().print(rows)


@click.command()
@click.argument("name")
@click.option("--limit", type=click.IntRange(1), default=100, help="Show the last so many.")
@json_option
def changes(name: str, limit: int, as_json: bool) -> None:
    """Show who changed NAME, and what is below it if it is yours; the newest first."""
    with session() as router:
        found = router.catalogue.changes(name, limit)
    if as_json:
        print_json(found)
        return
    rows = table("when", "who", "what", "#names", "name", "")
    for each in found:
        rows.add_row(when(each.at), each.user, each.what, str(each.count), each.name, each.detail)
    console().print(rows)
