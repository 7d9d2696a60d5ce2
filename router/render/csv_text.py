"""Values as CSV that a spreadsheet shows and does not run."""

import csv
import io
from collections.abc import Iterable, Sequence

from router.model import names

FORMULA = ("=", "+", "-", "@", "|", "%", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula or of a command."""


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[str | int | float]]) -> str:
    """A table with a header (RFC 4180); a text that a spreadsheet would run is written behind an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(each) for each in row] for row in rows)
    return out.getvalue()


def _cell(value: str | int | float) -> str | int | float:
    if not isinstance(value, str):
        return value
    line = names.CONTROL.sub(" ", value)
    return f"'{line}" if value.lstrip(" ").startswith(FORMULA) or line.lstrip(" ").startswith(FORMULA) else line
