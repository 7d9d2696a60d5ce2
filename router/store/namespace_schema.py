"""Tables of the namespace around the files: directories, links, what was removed, quotas, and who changed what."""

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, String, Table, Text

from router.store.schema import NAME, WHOLE, metadata

directories = Table(
    "directories",
    metadata,
    Column("lfn", NAME, primary_key=True),
    Column("directory", NAME, nullable=False),
    Column("owner", String(64), nullable=False),
    Column("team", String(64), nullable=False, default=""),
    Column("mode", Integer, nullable=False),
    Column("created", Float, nullable=False),
    Index("directories_by_directory", "directory", "lfn"),
)
"""The root directory's name is empty; `directory` is the one that holds it."""

links = Table(
    "links",
    metadata,
    Column("lfn", NAME, primary_key=True),
    Column("directory", NAME, nullable=False),
    Column("target", NAME, nullable=False),
    Column("owner", String(64), nullable=False),
    Column("created", Float, nullable=False),
    Index("links_by_directory", "directory", "lfn"),
)

removed_files = Table(
    "removed_files",
    metadata,
    Column("guid", String(36), primary_key=True),
    Column("lfn", NAME, nullable=False),
    Column("size", WHOLE, nullable=False),
    Column("adler32", String(8), nullable=False),
    Column("events", WHOLE, nullable=False),
    Column("owner", String(64), nullable=False),
    Column("team", String(64), nullable=False),
    Column("mode", Integer, nullable=False),
    Column("created", Float, nullable=False),
    Column("removed", Float, nullable=False),
    Column("removed_by", String(64), nullable=False),
    Column("kept", Text, nullable=False),
    Index("removed_files_by_name", "lfn", "removed"),
    Index("removed_files_by_time", "removed"),
)
"""Files whose name is free again and whose copies are still there; `kept` is JSON: their datasets and values."""

removed_replicas = Table(
    "removed_replicas",
    metadata,
    Column("guid", ForeignKey("removed_files.guid", ondelete="CASCADE"), primary_key=True),
    Column("se", String(64), primary_key=True),
    Column("site", String(64), nullable=False),
    Column("pfn", String(2048), nullable=False),
    Column("state", String(16), nullable=False),
)

retired_copies = Table(
    "retired_copies",
    metadata,
    Column("lfn", NAME, primary_key=True),
    Column("se", String(64), primary_key=True),
    Column("task", String(96), nullable=False),
    Column("at", Float, nullable=False),
    Index("retired_copies_by_task", "task"),
)
"""Copies that the catalogue has no more, and whose bytes are still to be removed."""

quotas = Table(
    "quotas",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("bytes", WHOLE, nullable=False),
    Column("files", WHOLE, nullable=False),
)
"""0 is no limit."""

changes = Table(
    "catalogue_changes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("user", String(64), nullable=False),
    Column("what", String(16), nullable=False),
    Column("name", NAME, nullable=False),
    Column("count", Integer, nullable=False),
    Column("detail", Text, nullable=False),
    Index("catalogue_changes_by_name", "name", "id"),
)
"""One row a change: of a call that changes many files, one for each directory, with their number."""
