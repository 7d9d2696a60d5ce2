"""Queries on metadata as SQL: every name and every value is a bound parameter.

A file's value for a key is its own; else that of the first dataset, by name, that holds the file and has the key; else
that of the nearest directory above it that has the key. A query is a check for each file of the place. So that few
files are checked, the rarest part that every hit must satisfy is looked up first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.sql.selectable import CompoundSelect

from router.errors import NotFound, UserError
from router.model.document import suggestion
from router.model.query import (
    BUILT_IN,
    EVENT_PREFIX,
    All,
    Condition,
    Not,
    Operator,
    Place,
    Query,
    Reach,
    Search,
    Some,
    Value,
    conditions,
    kind_of,
)
from router.store.schema import dataset_files, datasets, file_values, files, keys, scope_values

STEPS = (500, 20_000)
"""Candidates that are looked up one by one rather than walking through a place: all conditions are counted up to the
first of these before any is up to the next; measured with a million files."""

NOWHERE = "-"
"""No name of a dataset or directory: in place of a NULL, which `not` would leave a NULL."""

Candidates = Select[str] | CompoundSelect[str]

COLUMNS: dict[str, Column[object]] = {
    "name": files.c.lfn,
    "size": files.c.size,
    "events": files.c.events,
    "owner": files.c.owner,
}


@dataclass(frozen=True)
class _Known:
    """What must be known of a query's keys before it can be compiled."""

    scoped: Mapping[str, frozenset[int]]
    """Keys that a directory or dataset has, with how many signs the names of these have."""
    of_datasets: frozenset[str]
    """Keys that a dataset has."""


def hits(connection: Connection, search: Search) -> Select[str]:
    """The names of the files that a search asks for, sorted. Raises UserError for keys that are not there or are
    compared with what they never hold, and NotFound for a dataset that is not there."""
    where = search.where
    asked = {} if where is None else _asked(connection, where)
    known = _known(connection, asked)
    statement = select(files.c.lfn).where(_inside(connection, search.place)).order_by(files.c.lfn)
    if where is not None:
        statement = statement.where(_check(where, known))
    candidates = _rarest(connection, [] if where is None else _drivers(where, known))
    if candidates is None and search.place.reach is Reach.DATASET:
        candidates = select(dataset_files.c.lfn).where(dataset_files.c.dataset == search.place.name)
    return statement if candidates is None else statement.where(files.c.lfn.in_(candidates))


def range_of(directory: str, name: ColumnElement[str] | Column[str]) -> ColumnElement[bool]:
    """Whether `name` is below a directory: a range, which an index knows; `0` follows `/`."""
    return and_(name >= directory + "/", name < directory + "0")


def _inside(connection: Connection, place: Place) -> ColumnElement[bool]:
    if place.reach is Reach.DATASET:
        if connection.execute(select(datasets.c.name).where(datasets.c.name == place.name)).scalar() is None:
            raise NotFound(
                f"There is no dataset {place.name}. `glideroute dataset list` lists them; "
                f"{place.name}// would be what lies below a directory."
            )
        held = (dataset_files.c.dataset == place.name) & (dataset_files.c.lfn == files.c.lfn)
        return exists().where(held)
    below = range_of(place.name, files.c.lfn) if place.name else true()
    if place.reach is Reach.BELOW:
        return below
    return and_(below, func.substr(files.c.lfn, len(place.name) + 2).not_like("%/%"))


def _asked(connection: Connection, query: Query) -> dict[str, str]:
    """The kind of each key of a query; raises UserError for one that is not known or compared with another kind."""
    found: dict[str, str] = dict(BUILT_IN)
    wanted = conditions(query)
    found |= {row.key: row.kind for row in connection.execute(select(keys))}
    for each in wanted:
        _refuse_unknown(each, found)
        for value in each.values:
            kind = "text" if each.operator is Operator.LIKE else kind_of(value)
            if found[each.key] != kind:
                raise UserError(f"The key {each.key} holds a {found[each.key]}, and {value!r} is a {kind}.")
    return {each.key: found[each.key] for each in wanted}


def _refuse_unknown(condition: Condition, known: dict[str, str]) -> None:
    if condition.key.startswith(EVENT_PREFIX):
        raise UserError(
            f"{condition.key} is a quantity of single events, which the catalogue does not know; "
            "it can stand in `input.where` of a payload, whose jobs are told it."
        )
    if condition.key not in known:
        there = suggestion(condition.key, known) or f"; there are: {', '.join(sorted(known))}."
        raise UserError(f"No file has a key {condition.key}{there}")


def _known(connection: Connection, asked: Iterable[str]) -> _Known:
    wanted = list(asked)
    of = scope_values.c.key.in_(wanted)
    signs = select(scope_values.c.key, func.length(scope_values.c.scope)).where(of).distinct()
    scoped: dict[str, set[int]] = {}
    for key, length in connection.execute(signs):
        scoped.setdefault(key, set()).add(length)
    told = {key: frozenset(lengths) for key, lengths in scoped.items()}
    joined = select(scope_values.c.key).join(datasets, datasets.c.name == scope_values.c.scope)
    of_datasets = connection.execute(joined.where(of).distinct()).scalars() if told else ()
    return _Known(told, frozenset(of_datasets))


def _check(query: Query, known: _Known) -> ColumnElement[bool]:
    """Whether a row of `files` satisfies a query."""
    if isinstance(query, Condition):
        return _holds([query], known)
    if isinstance(query, Not):
        return not_(_check(query.part, known))
    if isinstance(query, Some):
        return or_(*[_check(part, known) for part in query.parts])
    of_keys, others = _by_key(query)
    return and_(*[_holds(of, known) for of in of_keys], *[_check(part, known) for part in others])


def _by_key(query: All) -> tuple[list[list[Condition]], list[Query]]:
    """What is asked of each key, and what is no condition. A file has one value of a key: a range has its two ends."""
    found: dict[str, list[Condition]] = {}
    for part in query.parts:
        if isinstance(part, Condition):
            found.setdefault(part.key, []).append(part)
    return list(found.values()), [part for part in query.parts if not isinstance(part, Condition)]


def _holds(of: Sequence[Condition], known: _Known) -> ColumnElement[bool]:
    """Whether a row of `files` satisfies conditions of one key."""
    key = of[0].key
    if key in COLUMNS:
        return and_(*[_compared(each, COLUMNS[key]) for each in of])
    own = (file_values.c.lfn == files.c.lfn) & (file_values.c.key == key)
    satisfied = exists().where(own, *_satisfied(of, file_values))
    if key not in known.scoped:
        return satisfied
    wanted = select(scope_values.c.scope).where(scope_values.c.key == key, *_satisfied(of, scope_values))
    return satisfied | (~exists().where(own) & func.coalesce(_scope(key, known), NOWHERE).in_(wanted))


def _scope(key: str, known: _Known) -> ColumnElement[str]:
    """The dataset or directory from which a row of `files` inherits a key."""
    above, inside = scope_values.c.scope, files.c.directory + literal("/")
    # Looked up one by one: all that come before a file by name may be thousands, and none of them above it.
    starts = [func.substr(files.c.directory, 1, length) for length in sorted(known.scoped[key])]
    directory = (
        select(above)
        .where(scope_values.c.key == key, above.in_(starts))
        .where(func.substr(inside, func.length(above) + 1, 1) == literal("/"))
        .order_by(above.desc())  # the nearest: the names of the others are how its name begins
        .limit(1)
        .scalar_subquery()
    )
    if key not in known.of_datasets:
        return directory
    dataset = (
        select(above)
        .join(dataset_files, dataset_files.c.dataset == above)
        .where(dataset_files.c.lfn == files.c.lfn, scope_values.c.key == key)
        .order_by(above)
        .limit(1)
        .scalar_subquery()
    )
    return func.coalesce(dataset, directory)


def _satisfied(of: Sequence[Condition], table: FromClause) -> list[ColumnElement[bool]]:
    """That a row of values satisfies conditions."""
    return [_compared(each, table.c.text if _of_text(each) else table.c.number) for each in of]


def _of_text(condition: Condition) -> bool:
    return condition.operator is Operator.LIKE or any(isinstance(value, str) for value in condition.values)


def _compared(condition: Condition, column: ColumnElement[object]) -> ColumnElement[bool]:
    # All as floats: of several numbers PostgreSQL is told the type of the first, and would round 0.5 after -1.
    values = [value if isinstance(value, str) else float(value) for value in condition.values]
    match condition.operator:
        case Operator.EXISTS:
            return true()
        case Operator.IN:
            return column.in_(values)
        case Operator.LIKE:
            return column.like(_pattern(str(values[0])), escape="\\")
        case _:
            return _ordered(condition.operator, column, values[0])


def _ordered(operator: Operator, column: ColumnElement[object], value: Value) -> ColumnElement[bool]:
    signs = {
        Operator.EQUAL: column == value,
        Operator.DIFFERENT: column != value,
        Operator.LESS: column < value,
        Operator.AT_MOST: column <= value,
        Operator.MORE: column > value,
        Operator.AT_LEAST: column >= value,
    }
    return signs[operator]


def _pattern(text: str) -> str:
    """A pattern with `*` and `?` as one of SQL; what SQL would read as more than itself is escaped."""
    signs = {"*": "%", "?": "_", "%": "\\%", "_": "\\_", "\\": "\\\\"}
    return "".join(signs.get(each, each) for each in text)


def _drivers(query: Query, known: _Known) -> list[list[Candidates]]:
    """Sets of candidates: every file that satisfies the query is in each of them, in one of its parts."""
    if isinstance(query, Condition):
        return [] if query.key in COLUMNS else [_candidates([query], known)]
    if isinstance(query, All):
        of_keys, others = _by_key(query)
        found = [_candidates(of, known) for of in of_keys if of[0].key not in COLUMNS]
        return found + [each for part in others for each in _drivers(part, known)]
    if isinstance(query, Some):
        several = [_drivers(part, known) for part in query.parts]
        return [[each for found in several for each in found[0]]] if all(several) else []
    return []


def _candidates(of: Sequence[Condition], known: _Known) -> list[Candidates]:
    """The files that may have a value which satisfies conditions of one key: their own, or an inherited one."""
    key = of[0].key
    parts: list[Candidates] = [select(file_values.c.lfn).where(file_values.c.key == key, *_satisfied(of, file_values))]
    wanted = and_(scope_values.c.key == key, *_satisfied(of, scope_values))
    if key in known.scoped:
        above = scope_values.c.scope
        below = and_(files.c.lfn >= above + literal("/"), files.c.lfn < above + literal("0"))
        parts.append(select(files.c.lfn).join(scope_values, below).where(wanted))
    if key in known.of_datasets:
        held = select(dataset_files.c.lfn).join(scope_values, scope_values.c.scope == dataset_files.c.dataset)
        parts.append(held.where(wanted))
    return parts


def _rarest(connection: Connection, drivers: list[list[Candidates]]) -> Candidates | None:
    """The set with the fewest candidates, where there is one with few; limited to their number.

    The limit takes nothing away. It tells PostgreSQL how few there are, which it cannot estimate of ranges.
    """
    for most in STEPS:
        best, least = None, most + 1
        for parts in drivers:
            joined = union_all(*parts)
            count = connection.execute(select(func.count()).select_from(joined.limit(least).subquery())).scalar_one()
            if count < least:
                best, least = joined.limit(count), count
            if count == 0:
                break
        if best is not None:
            return best
    return None
