"""The one encoder of values into HTCondor's submit language and into ClassAd text.

A newline inside a value would be read as further commands, some of which run programs; a trailing backslash would
swallow the next line; `$(…)`, `$ENV(…)`, `$$(…)` would be expanded, and the language has no escape that survives
every one of its passes. So a value has no control characters, no `$`, and does not end in a backslash. What users
write freely, such as arguments, travels in the jobs' JSON descriptions and never gets here.
"""

from collections.abc import Iterable

from router.errors import UserError
from router.model import names


class Encoded(str):
    """Text that is already in submit language."""

    __slots__ = ()


def submit_value(value: object) -> str:
    """A value as the right-hand side of a submit command. Raises UserError where it cannot be one."""
    if isinstance(value, Encoded):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError(f"a {type(value).__name__} has no form in a submit description")
    return _safe(str(value))


def classad_string(value: str) -> Encoded:
    """A value as a ClassAd string literal in a submit description."""
    return Encoded(_safe(quoted(value)))


def quoted(value: str) -> str:
    """A value as a ClassAd string literal, in the old form that submit descriptions and the queue speak.

    It knows one escape, that of the quote: a backslash elsewhere stands for itself, and one before the closing quote
    swallows it. So a value has none. Raises UserError where it cannot be written.
    """
    _plain(value)
    if "\\" in value:
        raise UserError(f"A value of the job description contains a backslash, which HTCondor's strings cannot hold: "
                        f"{value[:60]!r}")  # fmt: skip
    return '"' + value.replace('"', '\\"') + '"'


def file_list(value: Iterable[str]) -> Encoded:
    """Paths as one of HTCondor's comma-separated lists, which know no quoting."""
    paths = list(value)
    for path in paths:
        if "," in path or path != path.strip() or '"' in path:
            raise UserError(f"The path {path!r} cannot be sent with a job: HTCondor's lists of files know no commas.")
    return Encoded(", ".join(_safe(path) for path in paths))


def _plain(text: str) -> None:
    try:
        names.plain(text)
    except ValueError as error:
        raise UserError(f"A value of the job description {error}: {text[:60]!r}") from None


def _safe(text: str) -> str:
    _plain(text)
    if text.endswith("\\"):
        raise UserError(
            f"A value of the job description ends in a backslash, which would swallow the next line: {text[-60:]!r}"
        )
    if "$" in text:
        raise UserError(f"A value of the job description contains a $, which HTCondor would expand: {text[:60]!r}")
    return text
