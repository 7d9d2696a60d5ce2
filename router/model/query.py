"""What is asked of the catalogue's metadata, as values: conditions on keys, and where to look."""

from dataclasses import dataclass
from enum import Enum

Value = bool | int | float | str
"""A key's value: a flag, a number or a text; whole numbers are int."""

EVENT_PREFIX = "event."
"""Keys that begin so are of single events, not of files."""

BUILT_IN = {"name": "text", "size": "number", "events": "number", "owner": "text"}
"""What every file has without being told, and of which kind it is."""

MAX_NUMBER = 2**53
"""Whole numbers beyond it are not exact in the database."""


class Operator(Enum):
    """How a key is compared with values."""

    EQUAL = "="
    DIFFERENT = "!="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    IN = "in"
    LIKE = "like"
    EXISTS = "exists"


@dataclass(frozen=True, slots=True)
class Condition:
    """One key compared; a file that has no such key does not satisfy it, whatever the operator."""

    key: str
    operator: Operator
    values: tuple[Value, ...] = ()
    """One; for `in` any number; for `exists` none. For `like` a pattern: `*` is any text, `?` any character."""


@dataclass(frozen=True, slots=True)
class Not:
    """All but those that `part` accepts, those without its keys among them."""

    part: "Query"


@dataclass(frozen=True, slots=True)
class All:
    """Those that every part accepts."""

    parts: tuple["Query", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """Those that at least one part accepts."""

    parts: tuple["Query", ...]


Query = Condition | Not | All | Some


class Reach(Enum):
    """Which files a place means."""

    DATASET = "the files of a dataset"
    IN = "the files right in a directory"
    BELOW = "the files below a directory, however deep"


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look."""

    name: str
    """A dataset's or a directory's; the root directory's is empty."""
    reach: Reach = Reach.BELOW

    def __str__(self) -> str:
        """The place as it is written."""
        return self.name + {Reach.DATASET: "", Reach.IN: "/", Reach.BELOW: "//"}[self.reach]


EVERYWHERE = Place("")


@dataclass(frozen=True, slots=True)
class Search:
    """The files of a place that a query accepts; all of them without one."""

    place: Place = EVERYWHERE
    where: Query | None = None


def kind_of(value: Value) -> str:
    """What a value is: `flag`, `number` or `text`."""
    if isinstance(value, bool):
        return "flag"
    return "text" if isinstance(value, str) else "number"


def conditions(query: Query) -> tuple[Condition, ...]:
    """Every condition of a query, from left to right."""
    if isinstance(query, Condition):
        return (query,)
    parts = (query.part,) if isinstance(query, Not) else query.parts
    return tuple(found for part in parts for found in conditions(part))


def of_events(query: Query) -> bool:
    """Whether a query asks about single events in any of its conditions."""
    return any(each.key.startswith(EVENT_PREFIX) for each in conditions(query))


def apart(query: Query) -> tuple[Query | None, Query | None]:
    """A query in two: what files are asked, and what their events are; both have to hold.

    Raises ValueError where an `or` or a `not` asks both at once, so that it has no such parts.
    """
    parts = query.parts if isinstance(query, All) else (query,)
    files = tuple(part for part in parts if not of_events(part))
    events = tuple(part for part in parts if of_events(part))
    for part in events:
        if not all(each.key.startswith(EVENT_PREFIX) for each in conditions(part)):
            raise ValueError("mixes keys of files and of events in one `or` or `not`; join the two with `and` only")
    return _joined(files), _joined(events)


def _joined(parts: tuple[Query, ...]) -> Query | None:
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else All(parts)


def cut(query: Query) -> str:
    """A query about events as the expression that uproot takes as `cut`.

    Raises ValueError for what arrays of numbers are not compared with.
    """
    if isinstance(query, Condition):
        return _cut_condition(query)
    if isinstance(query, Not):
        return f"~({cut(query.part)})"
    sign = " & " if isinstance(query, All) else " | "
    return sign.join(f"({cut(part)})" for part in query.parts)


def _cut_condition(condition: Condition) -> str:
    key = condition.key.removeprefix(EVENT_PREFIX)
    if not key.isidentifier():
        raise ValueError(f"{condition.key}: the name of an event's quantity has no '.'")
    if condition.operator in (Operator.LIKE, Operator.EXISTS) or not all(
        kind_of(value) == "number" for value in condition.values
    ):
        raise ValueError(f"{condition.key}: a quantity of events is compared with numbers, by = != < <= > >= or in")
    if condition.operator is Operator.IN:
        return " | ".join(f"({key} == {value!r})" for value in condition.values)
    sign = "==" if condition.operator is Operator.EQUAL else condition.operator.value
    return f"{key} {sign} {condition.values[0]!r}"
