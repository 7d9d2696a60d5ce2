"""Tables of copies of datasets that were made because jobs waited for them."""

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, String, Table, Text

from router.store.schema import FOLLOW, NAME, WHOLE, metadata

placements = Table(
    "placements",
    metadata,
    Column("dataset", NAME, primary_key=True),
    Column("se", String(64), primary_key=True),
    Column("site", String(64), nullable=False),
    Column("files", Integer, nullable=False),
    Column("bytes", WHOLE, nullable=False),
    Column("asked", Float, nullable=False),
    Column("used", Float, nullable=False),
    Column("leaving", Integer, nullable=False, default=0),
    Column("words", Text, nullable=False),
    Index("placements_by_time", "asked"),
)

placed_files = Table(
    "placed_files",
    metadata,
    Column("lfn", ForeignKey("files.lfn", onupdate=FOLLOW, ondelete=FOLLOW), primary_key=True),
    Column("se", String(64), primary_key=True),
    Column("dataset", NAME, nullable=False),
    Column("path", NAME, nullable=False),
    Column("source", String(64), nullable=False),
    Column("source_path", NAME, nullable=False),
    Column("state", String(16), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("due", Float, nullable=False),
    Column("cause", String(32), nullable=False),
    Column("words", Text, nullable=False),
    Column("changed", Float, nullable=False),
    Index("placed_files_by_due", "state", "due"),
    Index("placed_files_by_dataset", "dataset", "se"),
)
"""A file that is removed is no longer placed; what is said of it here follows when it is renamed."""
