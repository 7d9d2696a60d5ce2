"""Templates whose every value goes through one encoder."""

from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def environment(folder: Path, encoder: Callable[[object], object]) -> Environment:
    """Templates of a folder: a value that is missing is an error, and `encoder` writes each one that is there."""
    return Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        finalize=encoder,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - nothing here is HTML; the encoder writes every value instead
    )
