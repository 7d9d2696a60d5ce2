"""Queries on metadata as SQL: every name and every value is a bound parameter.

A file's value for a key is its own; else that of the first dataset, by name, that holds the file and has the key; else
that of the nearest directory above it that has the key. A query is a check for each file of the place. So that few
files are checked, the rarest part that every hit must satisfy is looked up first.
"""

from collections.abc import Iterable
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

FEW = 20_000
"""Candidates that are looked up one by one rather than walking through a place; measured with a million files."""

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

    scoped: frozenset[str]
    """Keys that a directory or dataset has."""
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
    candidates = _rarest(connection, [] if where is None else _drivers(where))
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
    scoped = frozenset(connection.execute(select(scope_values.c.key).where(of).distinct()).scalars())
    joined = select(scope_values.c.key).join(datasets, datasets.c.name == scope_values.c.scope)
    return _Known(scoped, frozenset(connection.execute(joined.where(of).distinct()).scalars()) if scoped else scoped)


def _check(query: Query, known: _Known) -> ColumnElement[bool]:
    """Whether a row of `files` satisfies a query."""
    if isinstance(query, Condition):
        return _holds(query, known)
    if isinstance(query, Not):
        return not_(_check(query.part, known))
    parts = [_check(part, known) for part in query.parts]
    return and_(*parts) if isinstance(query, All) else or_(*parts)


def _holds(condition: Condition, known: _Known) -> ColumnElement[bool]:
    if condition.key in COLUMNS:
        return _compared(condition, COLUMNS[condition.key])
    own = (file_values.c.lfn == files.c.lfn) & (file_values.c.key == condition.key)
    satisfied = exists().where(own, _satisfied(condition, file_values))
    if condition.key not in known.scoped:
        return satisfied
    wanted = select(scope_values.c.scope).where(
        scope_values.c.key == condition.key, _satisfied(condition, scope_values)
    )
    return satisfied | (~exists().where(own) & func.coalesce(_scope(condition.key, known), NOWHERE).in_(wanted))


def _scope(key: str, known: _Known) -> ColumnElement[str]:
    """The dataset or directory from which a row of `files` inherits a key."""
    # Of directories above a file the nearest is the last by name: the others are how its name begins.
    above = scope_values.c.scope
    directory = (
        select(above)
        .where(scope_values.c.key == key, above < files.c.lfn)
        .where(files.c.lfn >= above + literal("/"), files.c.lfn < above + literal("0"))
        .order_by(above.desc())
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


def _satisfied(condition: Condition, table: FromClause) -> ColumnElement[bool]:
    if condition.operator is Operator.EXISTS:
        return true()
    text = condition.operator is Operator.LIKE or isinstance(condition.values[0], str)
    return _compared(condition, table.c.text if text else table.c.number)


def _compared(condition: Condition, column: ColumnElement[object]) -> ColumnElement[bool]:
    values = [float(value) if isinstance(value, bool) else value for value in condition.values]
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


def _drivers(query: Query) -> list[list[Candidates]]:
    """Sets of candidates: every file that satisfies the query is in each of them, in one of its parts."""
    if isinstance(query, Condition):
        return [] if query.key in COLUMNS else [_candidates(query)]
    if isinstance(query, All):
        return [each for part in query.parts for each in _drivers(part)]
    if isinstance(query, Some):
        found = [_drivers(part) for part in query.parts]
        return [[each for part in found for each in part[0]]] if all(found) else []
    return []


def _candidates(condition: Condition) -> list[Candidates]:
    own = select(file_values.c.lfn).where(file_values.c.key == condition.key, _satisfied(condition, file_values))
    wanted = (scope_values.c.key == condition.key) & _satisfied(condition, scope_values)
    below = select(files.c.lfn).join(
        scope_values,
        and_(files.c.lfn >= scope_values.c.scope + literal("/"), files.c.lfn < scope_values.c.scope + literal("0")),
    )
    held = select(dataset_files.c.lfn).join(scope_values, scope_values.c.scope == dataset_files.c.dataset)
    return [own, below.where(wanted), held.where(wanted)]


def _rarest(connection: Connection, drivers: list[list[Candidates]]) -> Candidates | None:
    """The set with the fewest candidates, where there is one with few."""
    best, least = None, FEW + 1
    for parts in drivers:
        joined = union_all(*parts)
        count = connection.execute(select(func.count()).select_from(joined.limit(least).subquery())).scalar_one()
        if count < least:
            best, least = joined, count
        if count == 0:
            break
    return best
