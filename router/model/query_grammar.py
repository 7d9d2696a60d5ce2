"""The language in which the catalogue is asked, such as `/cms//: run >= 148029 and tier = 'AOD'`.

Imported where a query is read, not before: most commands never ask, and the parser generator takes its time to load.
"""

import re
from functools import cache
from typing import Any

from lark import Lark, Transformer, v_args
from lark.exceptions import UnexpectedInput, VisitError

from router.model import names
from router.model.document import suggestion
from router.model.query import EVERYWHERE, All, Condition, Not, Operator, Query, Search, Some, Value, conditions
from router.model.query_text import WORDS, key, number, place

GRAMMAR = r"""
search: PLACE ":" any_of   -> search
      | PLACE              -> place_alone
      | any_of             -> where_alone
any_of: all_of (_OR all_of)*
all_of: denied (_AND denied)*
?denied: _NOT denied       -> deny
       | "(" any_of ")"
       | KEY COMPARED value        -> compare
       | KEY _LIKE TEXT            -> like
       | KEY _IN "(" value ("," value)* ")" -> is_in
       | KEY _EXISTS               -> exists
value: NUMBER -> number
     | TEXT   -> text
     | TRUE   -> true
     | FALSE  -> false
COMPARED: "<=" | ">=" | "!=" | "=" | "<" | ">"
_OR.2: /or\b/i
_AND.2: /and\b/i
_NOT.2: /not\b/i
_LIKE.2: /like\b/i
_IN.2: /in\b/i
_EXISTS.2: /exists\b/i
TRUE.2: /true\b/i
FALSE.2: /false\b/i
KEY: /[A-Za-z_][A-Za-z0-9_.]*/
PLACE: /\/[A-Za-z0-9._+=@\/-]*/
NUMBER: /[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?(?![A-Za-z0-9_.])/
TEXT: /'[^']*'/ | /"[^"]*"/
%ignore /[ \t\r\n]+/
"""

MAX_CHARACTERS, MAX_CONDITIONS, MAX_DEPTH = 4_096, 100, 20

EXAMPLE = "a condition looks like run >= 148029 or tier = 'AOD'"

HINTS = (
    (re.compile("=="), "equality is a single ="),
    (re.compile("&"), "write `and`"),
    (re.compile(r"\|"), "write `or`"),
    (re.compile("<>"), "write !="),
    (re.compile("!"), "write `not` before a condition, or != between key and value"),
    (re.compile("['\"]"), "a text ends with the quote it began with"),
    (re.compile("[%*]"), "patterns are texts in quotes, after `like`"),
)


def parse(text: str) -> Search:
    """The search that `text` asks for. Raises ValueError that names the column and what could stand there."""
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"is {len(text):,} characters long; at most {MAX_CHARACTERS:,} are read")
    try:
        found: Any = _parser().parse(text)
    except UnexpectedInput as error:
        raise ValueError(_told(text, error)) from None
    except VisitError as error:
        raise ValueError(str(error.orig_exc)) from None
    search: Search = found
    if search.where is not None:
        _bound(search.where)
    return search


def where(text: str) -> Query:
    """The query that `text` is, where the place is known already. Raises ValueError."""
    found = parse(text)
    if found.where is None or found.place != EVERYWHERE:
        raise ValueError("must be conditions alone, such as run >= 148029, without a place before them")
    return found.where


@cache
def _parser() -> Lark:
    return Lark(GRAMMAR, start="search", parser="lalr", transformer=_Values())


@v_args(inline=True)
class _Values(Transformer[Any, Any]):
    """Makes values while it is parsed, so that no depth of brackets becomes a depth of calls."""

    def search(self, where: Any, asked: Query) -> Search:
        return Search(place(str(where)), asked)

    def place_alone(self, where: Any) -> Search:
        return Search(place(str(where)))

    def where_alone(self, asked: Query) -> Search:
        return Search(EVERYWHERE, asked)

    def any_of(self, *parts: Query) -> Query:
        return parts[0] if len(parts) == 1 else Some(parts)

    def all_of(self, *parts: Query) -> Query:
        return parts[0] if len(parts) == 1 else All(parts)

    def deny(self, part: Query) -> Query:
        return part.part if isinstance(part, Not) else Not(part)

    def compare(self, word: Any, sign: Any, value: Value) -> Condition:
        return Condition(key(str(word)), Operator(str(sign)), (value,))

    def like(self, word: Any, pattern: Any) -> Condition:
        return Condition(key(str(word)), Operator.LIKE, (names.plain(str(pattern)[1:-1]),))

    def is_in(self, word: Any, *values: Value) -> Condition:
        return Condition(key(str(word)), Operator.IN, values)

    def exists(self, word: Any) -> Condition:
        return Condition(key(str(word)), Operator.EXISTS)

    def number(self, text: Any) -> int | float:
        return number(str(text))

    def text(self, text: Any) -> str:
        return names.plain(str(text)[1:-1])

    def true(self, _: Any) -> bool:
        return True

    def false(self, _: Any) -> bool:
        return False


def _bound(query: Query) -> None:
    """Refuse what no person writes and a database would choke on."""
    _shallow(query, MAX_DEPTH)
    if sum(max(1, len(each.values)) for each in conditions(query)) > MAX_CONDITIONS:
        raise ValueError(f"compares more than {MAX_CONDITIONS} times")


def _shallow(query: Query, left: int) -> None:
    if left == 0:
        raise ValueError(f"has more than {MAX_DEPTH} levels of brackets")
    if not isinstance(query, Condition):
        for part in (query.part,) if isinstance(query, Not) else query.parts:
            _shallow(part, left - 1)


def _told(text: str, error: UnexpectedInput) -> str:
    at = error.pos_in_stream
    ended = getattr(getattr(error, "token", None), "type", "") == "$END"
    if ended or at is None or not text[at:].strip():
        return f"column {len(text) + 1}: the query ends too early; {EXAMPLE}"
    found = re.match(r"[\w.]+|[^\w\s]{1,2}", text[at:])
    return f"column {at + 1}: {found.group() if found else text[at]!r} cannot stand here; {_hint(text, at)}"


def _hint(text: str, at: int) -> str:
    around = (text[at : at + 2], text[max(0, at - 1) : at + 2])
    for pattern, words in HINTS:
        if any(pattern.match(each) for each in around):
            return words
    word = re.match(r"[A-Za-z_][\w.]*", text[at:])
    if word and re.search(r"[=<>(,]\s*$|\blike\s*$", text[:at]):
        return f"texts are in quotes: '{word.group()}'"
    if word:
        return suggestion(word.group().lower(), WORDS).lstrip("; ") or "conditions are joined by `and` or `or`"
    return EXAMPLE
