"""Keys, values and places as people write them."""

import re

from router.model import names
from router.model.query import MAX_NUMBER, Place, Reach, Value

WORDS = frozenset({"and", "or", "not", "in", "like", "exists", "true", "false"})
"""What no key may be called."""


def key(text: str) -> str:
    """The name of a key. Raises ValueError."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*", text) or len(text) > 64:
        raise ValueError(f"{text!r} is not a key: letters, digits, '_' and '.', at most 64, beginning with a letter")
    if text.lower() in WORDS:
        raise ValueError(f"{text!r} is not a key: the query language uses the word")
    return text


def number(text: str) -> int | float:
    """A number, an int where it is whole. Raises ValueError for one that the database would change."""
    found = int(text) if re.fullmatch(r"[+-]?\d{1,20}", text) else float(text)
    if abs(found) > MAX_NUMBER and not (isinstance(found, float) and abs(found) < 1e300):
        raise ValueError(f"{text} is too large: whole numbers go to {MAX_NUMBER:,}")
    return int(found) if found == int(found) and abs(found) <= MAX_NUMBER else found


def literal(text: str) -> Value:
    """What a person writes as a value: a number, true or false, or else a text, quoted where it looks like those."""
    names.plain(text)
    if re.fullmatch(r"'[^']*'|\"[^\"]*\"", text):
        return text[1:-1]
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", text):
        return number(text)
    return text


def place(text: str) -> Place:
    """`/a` is a dataset, `/a/` the files right in a directory, `/a//` all below it. Raises ValueError."""
    base = text.rstrip("/")
    slashes = len(text) - len(base)
    if slashes > 2:
        raise ValueError(f"{text} ends in too many slashes: / is a directory, // all below it")
    if base:
        names.lfn(base)
    elif slashes == 1:
        return Place("", Reach.IN)
    return Place(base, (Reach.DATASET, Reach.IN, Reach.BELOW)[slashes])
