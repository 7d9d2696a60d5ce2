"""Commands on files' bytes and copies: putting, getting, and where the copies are."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from router import wiring
from router.cli.session import session, settings
from router.cli.show import console, json_option, print_json, table, told, when
from router.errors import NotFound, RouterError, UserError
from router.model.entry import Kind, ReplicaState
from router.model.files import Located, StorageElement
from router.model.rights import in_proc
from router.ports import UserCatalogue
from router.render.quantities import size
from router.services.auditing import asked
from router.transfer.fetch import fetch
from router.transfer.put import measured, put, replica_at


@click.command(name="put")
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("lfn")
@click.option("--at", "site", help="The site whose storage takes it; needed where several have storage.")
@click.option("--events", type=click.IntRange(0), default=0, help="How many events it holds.")
@json_option
def put_(source: Path, lfn: str, site: str | None, events: int, as_json: bool) -> None:
    """Copy the local file SOURCE to a site's storage, and register it as LFN.

    It can be repeated after it was cut short. While it is being copied, its copy is not given to anybody.
    """
    with session() as router, asked(router, "put", f"{source} as {lfn}"):
        element = _element(router.storage, site)
        name = lfn + source.name if lfn.endswith("/") else lfn
        file = measured(source, router.catalogue.place(name), events)
        copy = replica_at(element, file.lfn)
        router.catalogue.register([Located(file, (copy,))], ReplicaState.COPYING)
        put(source, file, copy)
        router.catalogue.set_state(file.lfn, copy.se, ReplicaState.AVAILABLE)
    if as_json:
        print_json(Located(file, (copy,)))
    else:
        click.echo(f"{file.lfn}  {size(file.size)}  {copy.pfn}")


def _element(storage: Mapping[str, StorageElement], site: str | None) -> StorageElement:
    """The storage element of a site, or the only one there is."""
    wanted = site or (next(iter(storage)) if len(storage) == 1 else "")
    if wanted not in storage:
        there = ", ".join(sorted(storage)) or "no site's is declared"
        raise UserError(f"Say at which site's storage with --at SITE. There are: {there}.")
    return storage[wanted]


@click.command()
@click.argument("lfn")
@click.argument("target", type=click.Path(path_type=Path), default=Path())
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@json_option
def get(lfn: str, target: Path, force: bool, as_json: bool) -> None:
    """Copy the file LFN, or all files of a dataset, to TARGET; size and checksum are checked."""
    with session() as router:
        told(router.look(lfn))
        entry = router.catalogue.stat(lfn)
        if in_proc(entry.name):
            _tell_got([_kept(router.catalogue, entry.name, target, force)], as_json)
            return
        if entry.kind is Kind.DATASET:
            found = router.catalogue.dataset(lfn).files
            target.mkdir(parents=True, exist_ok=True)
        else:
            found = router.catalogue.files([entry.name])
    if not found:
        raise NotFound(f"{lfn} is not a file. `glideroute ls {lfn}` lists a directory.")
    _tell_got([_got(each, target, force) for each in found], as_json)


def _tell_got(got: Sequence[Path], as_json: bool) -> None:
    if as_json:
        print_json(got)
        return
    for path in got:
        click.echo(f"{path}  {size(path.stat().st_size)}")


def _kept(catalogue: UserCatalogue, name: str, target: Path, force: bool) -> Path:
    """A file below `/proc`, written here."""
    path = _free(target, name, force)
    try:
        path.write_bytes(catalogue.content(name))
    except OSError as error:
        raise RouterError(f"{path} cannot be written: {error.strerror or error}.") from None
    return path


def _free(target: Path, name: str, force: bool) -> Path:
    """Where the file of a name goes. Raises UserError where there is one already, unless it is to be written over."""
    path = target / name.rpartition("/")[2] if target.is_dir() else target
    if path.exists() and not force:
        raise UserError(f"{path} is there already. Name another, or write over it: --force")
    return path


def _got(located: Located, target: Path, force: bool) -> Path:
    path = _free(target, located.file.lfn, force)
    try:
        return fetch(located, path, reader=wiring.reader(settings()))
    except OSError as error:
        raise RouterError(f"{path} cannot be written: {error.strerror or error}.") from None


@click.command()
@click.argument("lfn")
@click.option("--mark", metavar="SE=STATE", help="Say how a copy is: available, copying or bad.")
@click.option("--forget", metavar="SE", help="Forget a copy that is gone.")
@json_option
def replicas(lfn: str, mark: str | None, forget: str | None, as_json: bool) -> None:
    """Show where the copies of LFN are; jobs read those that are available."""
    with session() as router:
        if mark or forget:
            with asked(router, "replicas", f"{lfn}: {mark or ''} {forget or ''}"):
                _change(router.catalogue, lfn, mark, forget)
        told(router.look(lfn))
        found, placed = router.catalogue.copies(lfn), router.memory.placed_at(lfn)
    if as_json:
        known = [{"se": c.replica.se, "site": c.replica.site, "pfn": c.replica.pfn, "state": c.state} for c in found]
        print_json({"lfn": lfn, "replicas": known})
        return
    rows = table("site", "storage element", "state", "physical name")
    for each in found:
        rows.add_row(each.replica.site, each.replica.se, each.state, each.replica.pfn)
    console().print(rows)
    for copy in placed.values():
        click.echo(f"{copy}. No job has had it since {when(copy.used)}.")


def _change(catalogue: UserCatalogue, lfn: str, mark: str | None, forget: str | None) -> None:
    if mark:
        se, _, state = mark.partition("=")
        catalogue.set_state(lfn, se, _state(state))
    if forget:
        catalogue.forget_copy(lfn, forget)


def _state(text: str) -> ReplicaState:
    try:
        return ReplicaState(text)
    except ValueError:
        raise UserError(f"{text!r} is no state of a copy; write SE=bad, SE=copying or SE=available.") from None
