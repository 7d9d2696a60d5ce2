"""Values as a notebook shows them: HTML in which everything that somebody wrote is text."""

from collections.abc import Iterable, Sequence
from html import escape


def text(value: object) -> str:
    """A value as HTML text, in an attribute too; what cannot be printed is replaced, for it may hide other text."""
    told = "".join(each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in str(value))
    return escape(told, quote=True)


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with a caption; its cells are texts."""
    top = "".join(f"<th>{text(each)}</th>" for each in head)
    body = "".join(f"<tr>{''.join(f'<td>{text(each)}</td>' for each in row)}</tr>" for row in rows)
    return f"<table><caption>{text(title)}</caption><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def document(source: str) -> str:
    """A text in its own lines."""
    return f"<pre>{text(source)}</pre>"
