"""`glideroute meta`: what is said of files, datasets and directories, and finding files by it."""

from collections.abc import Callable

import click

from router.cli.group import Group
from router.cli.session import session
from router.cli.show import console, json_option, print_json, table
from router.errors import NotFound, UserError
from router.model import names
from router.model.query import Value, kind_of
from router.model.query_text import key, literal
from router.services.auditing import asked


@click.group(cls=Group)
def meta() -> None:
    """Say what files hold, and find them by it.

    What is said of a dataset or a directory holds for its files.
    """


@meta.command(name="set")
@click.argument("name")
@click.argument("values", nargs=-1, required=True, metavar="KEY=VALUE…")
def set_(name: str, values: tuple[str, ...]) -> None:
    """Set keys of the file, dataset or directory NAME.

    A value is a number, true or false, or a text; quotes make a text of it: run="'148029'".
    """
    with session() as router:
        kinds = router.catalogue.kinds()
        said = dict(_pair(each, kinds.get) for each in values)
        with asked(router, "meta set", f"{name}: {', '.join(said)}"):
            router.catalogue.describe({name: said})
    click.echo(f"{name}: {len(values)} key(s) set")


@meta.command()
@click.argument("name")
@click.argument("keys", nargs=-1, required=True, metavar="KEY…")
def unset(name: str, keys: tuple[str, ...]) -> None:
    """Take keys of NAME back; what is said of directories above it then holds."""
    with session() as router, asked(router, "meta unset", f"{name}: {', '.join(keys)}"):
        gone = router.catalogue.forget(name, keys)
    if not gone:
        raise NotFound(f"{name} has none of these keys of its own. `glideroute meta get {name}` shows whence they are.")
    click.echo(f"{name}: {gone} key(s) taken back")


@meta.command()
@click.argument("name")
@json_option
def get(name: str, as_json: bool) -> None:
    """Show the keys of NAME, its own and those of its datasets and directories."""
    with session() as router:
        found = router.catalogue.described(name)
    if as_json:
        print_json({each: {"value": value, "from": source} for each, (value, source) in found.items()})
        return
    rows = table("key", "value", "kind", "from")
    for each, (value, source) in found.items():
        rows.add_row(each, _told(value), kind_of(value), source)
    console().print(rows)


@meta.command()
@click.argument("query")
@click.option("--limit", type=click.IntRange(1), help="Show the first so many files by name.")
@json_option
def find(query: str, limit: int | None, as_json: bool) -> None:
    """List the files that QUERY asks for.

    Such as "/cms//: run >= 148029 and tier = 'AOD'": /cms// is all below a directory, /cms/ what is right in it, and
    /cms a dataset; without a place every file is asked.
    """
    with session() as router:
        found = router.find(query, limit)
    if as_json:
        print_json(found)
        return
    for each in found:
        click.echo(each)


def _pair(text: str, kind: Callable[[str], str | None]) -> tuple[str, Value]:
    given, sign, value = text.partition("=")
    if not sign:
        raise UserError(f"{text!r} sets nothing; write KEY=VALUE, such as run=148029.")
    try:
        found = literal(value)
        wanted_text = kind(key(given)) == "text" and not isinstance(found, str)
        return given, names.plain(value) if wanted_text else found
    except ValueError as error:
        raise UserError(f"{text!r}: {error}.") from None


def _told(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
