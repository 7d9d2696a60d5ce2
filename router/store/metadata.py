"""What is said of files, datasets and directories: typed values by key, and the files that a query finds."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Column, Connection, Table, delete, exists, insert, or_, select

from router.errors import PermissionRefused, UserError
from router.model import query_text
from router.model.query import BUILT_IN, EVENT_PREFIX, MAX_NUMBER, Search, Value, kind_of
from router.model.rights import NO_GROUPS, Members, Rights, above, directory_of
from router.store import bulk
from router.store.bulk import chunks
from router.store.registering import refuse_foreign
from router.store.schema import Database, dataset_files, datasets, file_values, files, keys, scope_values
from router.store.search import hits
from router.store.walk import Walk, missing, rights_of

Said = Mapping[str, Mapping[str, Value]]
"""Values by name and key; the name of the root directory is empty."""

Stored = tuple[float | None, str | None]


class Metadata:
    """Knows what is said of files, and finds the files of which something is said."""

    def __init__(self, database: Database, members: Members = NO_GROUPS) -> None:
        """Keep what is said in `database`; `members` says who is in which group."""
        self._db = database
        self.members = members

    def kinds(self) -> dict[str, str]:
        """Every key that was ever set, and whether it holds a `flag`, a `number` or a `text`."""
        with self._db.read() as connection:
            return {row.key: row.kind for row in connection.execute(select(keys).order_by(keys.c.key))}

    def describe(self, said: Said, user: str) -> None:
        """Set values of files, datasets or directories; all of it happens, or nothing.

        Raises PermissionRefused where the user may not write, UserError where a key holds values of another kind, and
        NotFound where nothing has the name.
        """
        with self._db.write() as connection:
            walk = Walk(connection, self.members, user)
            _declare(connection, said)
            walk.load({directory_of(name) for name in said})
            real = {name: walk.place(name) if name else name for name in said}
            owned = rights_of(connection, files, list(real.values()))
            for name in said:
                _refuse_stranger(walk, real[name], owned.get(real[name]))
            told = {real[name]: values for name, values in said.items()}
            _replace(connection, file_values, {name: values for name, values in told.items() if name in owned})
            _replace(connection, scope_values, {name: values for name, values in told.items() if name not in owned})

    def forget(self, name: str, wanted: Sequence[str], user: str) -> int:
        """Take back values of `name`, by their keys; returns how many there were."""
        with self._db.write() as connection:
            walk = Walk(connection, self.members, user)
            name = walk.place(name) if name else name
            rights = rights_of(connection, files, [name]).get(name)
            _refuse_stranger(walk, name, rights)
            table = scope_values if rights is None else file_values
            mine = (_name(table) == name) & table.c.key.in_(wanted)
            gone = connection.execute(delete(table).where(mine)).rowcount
            held = [exists().where(each.c.key == keys.c.key) for each in (file_values, scope_values)]
            # A key that nothing has any more may be set anew, to values of another kind.
            connection.execute(delete(keys).where(keys.c.key.in_(wanted), ~or_(*held)))
            return gone

    def described(self, name: str) -> dict[str, tuple[Value, str]]:
        """Each key that holds for a file, dataset or directory: its value, and of what it is said."""
        with self._db.read() as connection:
            return described(connection, name)

    def find(self, search: Search, limit: int | None = None) -> list[str]:
        """The names of the files that a search asks for, sorted; the first `limit` of them."""
        with self._db.read() as connection:
            return list(connection.execute(hits(connection, search).limit(limit)).scalars())


def described(connection: Connection, name: str) -> dict[str, tuple[Value, str]]:
    """Each key that holds for a file, dataset or directory: its value, and of what it is said."""
    held_above = above(name)[::-1]
    kinds = {row.key: row.kind for row in connection.execute(select(keys))}
    if _owned(connection, [name]):
        held = select(dataset_files.c.dataset).where(dataset_files.c.lfn == name)
        scopes = [*sorted(connection.execute(held).scalars()), *held_above]
    else:
        made = connection.execute(select(datasets.c.name).where(datasets.c.name == name)).scalar()
        scopes = [name] if made else [name, *held_above]  # the files of a dataset may lie anywhere
    own, inherited = _said(connection, file_values, [name]), _said(connection, scope_values, scopes)
    found: dict[str, tuple[Value, str]] = {}
    for source, values in ((name, own.get(name, {})), *((each, inherited.get(each, {})) for each in scopes)):
        for key, stored in values.items():
            found.setdefault(key, (_value(kinds[key], stored), source or "/"))
    return dict(sorted(found.items()))


def _declare(connection: Connection, said: Said) -> None:
    """A key is of the kind of its first value."""
    known = {row.key: row.kind for row in connection.execute(select(keys))}
    fresh: dict[str, str] = {}
    for name, values in said.items():
        for key, value in values.items():
            _check_key(key)
            kind = kind_of(value)
            held = known.get(key) or fresh.setdefault(key, kind)
            if held != kind:
                raise UserError(f"The key {key} holds a {held}, and {value!r}, for {name}, is a {kind}.")
    if fresh:
        connection.execute(insert(keys), [{"key": key, "kind": kind} for key, kind in fresh.items()])


def _check_key(key: str) -> None:
    try:
        query_text.key(key)
    except ValueError as error:
        raise UserError(f"{error}.") from None
    if key in BUILT_IN:
        raise UserError(f"The key {key} is of every file already, and cannot be set.")
    if key.startswith(EVENT_PREFIX):
        raise UserError(f"The key {key} would be of single events; the catalogue knows files.")


def _owned(connection: Connection, named: Sequence[str]) -> bool:
    return bool(rights_of(connection, files, named))


def _refuse_stranger(walk: Walk, name: str, rights: Rights | None) -> None:
    """Of a file, dataset and directory those say what holds who may write; a name may be a dataset and a directory."""
    if rights is not None:
        of = [rights]
    else:
        made = rights_of(walk.connection, datasets, [name])
        there = walk.directory(name)
        of = [*made.values(), *([there] if there else [])]
        if made:
            refuse_foreign(walk, name)
    if not of:
        raise missing(name)
    for each in of:
        if not walk.person.may_describe(each):
            raise PermissionRefused(
                f"{name or '/'} is not yours to describe: its rights are {each}. Only who may write says what holds."
            )


def _replace(connection: Connection, table: Table, said: Said) -> None:
    of = _name(table).name
    bulk.put(
        connection,
        table,
        [_row(of, name, key, value) for name, values in said.items() for key, value in values.items()],
    )


def _row(column: str, name: str, key: str, value: Value) -> dict[str, object]:
    number, text = (None, value) if isinstance(value, str) else (float(value), None)
    return {column: name, "key": key, "number": number, "text": text}


def restore_values(
    connection: Connection, lfn: str, values: Sequence[tuple[str, str, float | None, str | None]]
) -> None:
    """Say of a file again what was said of it (key, kind, and number or text), but where the key has another kind."""
    kinds = {row.key: row.kind for row in connection.execute(select(keys))}
    for key, kind, number, text in values:
        if key not in kinds:
            connection.execute(insert(keys).values(key=key, kind=kind))
        if kinds.get(key, kind) == kind:
            connection.execute(insert(file_values).values(lfn=lfn, key=key, number=number, text=text))


def _said(connection: Connection, table: Table, names: Sequence[str]) -> dict[str, dict[str, Stored]]:
    found: dict[str, dict[str, Stored]] = {}
    for part in chunks(names):
        for name, key, number, text in connection.execute(select(table).where(_name(table).in_(part))):
            found.setdefault(name, {})[key] = (number, text)
    return found


def _name(table: Table) -> Column[str]:
    """The column that says of what a value is."""
    return next(iter(table.c))


def _value(kind: str, stored: Stored) -> Value:
    number, text = stored
    if number is None:
        return text or ""
    if kind == "flag":
        return bool(number)
    return int(number) if abs(number) <= MAX_NUMBER and number.is_integer() else number
