"""Directories, owners, groups and modes; links; states of copies; what was removed; quotas; who changed what."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

NAME = sa.String(1024).with_variant(sa.String(1024, collation="C"), "postgresql")
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TOLD = sa.text("text IS NOT NULL")
GUIDS = {
    "postgresql": "UPDATE files SET guid = gen_random_uuid()::text",
    "sqlite": "UPDATE files SET guid = lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' "
    "|| substr(hex(randomblob(2)), 2) || '-a' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))",
}
SHARED, OWN = 0o1777, 0o755


def upgrade() -> None:
    """From a flat list of files; directories get the owner of all that they hold, or everybody may add to them."""
    _widen()
    _relink(cascade="CASCADE")
    op.create_index("batch_inputs_by_file", "batch_inputs", ["lfn"])
    _tables()
    _trash()
    _log()
    connection = op.get_bind()
    rows = [
        {"lfn": name, "directory": name.rpartition("/")[0], "owner": owner, "mode": mode, "created": created}
        for name, owner, mode, created in _directories(connection)
    ]
    if rows:
        told = "INSERT INTO directories VALUES (:lfn, :directory, :owner, '', :mode, :created)"
        connection.execute(sa.text(told), rows)


def downgrade() -> None:
    """Back to a flat list: rights, links, what was removed, quotas and the changes are lost."""
    for table in ("catalogue_changes", "quotas", "removed_replicas", "removed_files", "links", "directories"):
        op.drop_table(table)
    op.drop_index("batch_inputs_by_file", "batch_inputs")
    _relink(cascade=None)
    for index in ("files_by_guid", "files_by_directory", "files_by_owner"):
        op.drop_index(index, "files")
    for column in ("guid", "directory", "team", "mode"):
        op.drop_column("files", column)
    op.drop_index("datasets_by_directory", "datasets")
    for column in ("directory", "team", "mode", "closed"):
        op.drop_column("datasets", column)


def _widen() -> None:
    op.add_column("files", sa.Column("guid", sa.String(36), nullable=False, server_default=""))
    for table, name in (("files", "lfn"), ("datasets", "name")):
        op.add_column(table, sa.Column("directory", NAME, nullable=False, server_default=""))
        op.add_column(table, sa.Column("team", sa.String(64), nullable=False, server_default=""))
        op.add_column(table, sa.Column("mode", sa.Integer(), nullable=False, server_default=str(0o644)))
        within = sa.table(table, sa.column(name), sa.column("directory"))
        op.execute(sa.update(within).values(directory=_parent(within.c[name])))
        op.create_index(f"{table}_by_directory", table, ["directory", name])
    op.execute(sa.text(GUIDS[op.get_bind().dialect.name]))
    op.create_index("files_by_guid", "files", ["guid"], unique=True)
    op.create_index("files_by_owner", "files", ["owner", "size"])
    op.add_column("datasets", sa.Column("closed", sa.Float(), nullable=True))


def _parent(name: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """All of a name up to its last `/`, without that."""
    upto = sa.func.rtrim(name, sa.func.replace(name, "/", ""))
    return sa.func.substr(name, 1, sa.func.length(upto) - 1)


def _relink(cascade: str | None) -> None:
    """Make anew what refers to files and datasets, so that it follows them when they are renamed, or does not."""

    def of(target: str) -> sa.ForeignKey:
        return sa.ForeignKey(target, onupdate=cascade)

    state = [sa.Column("state", sa.String(16), nullable=False, server_default="available")] if cascade else []
    _anew(
        "replicas",
        sa.Column("lfn", NAME, of("files.lfn"), primary_key=True),
        sa.Column("se", sa.String(64), primary_key=True),
        sa.Column("site", sa.String(64), nullable=False),
        sa.Column("pfn", sa.String(2048), nullable=False),
        *state,
        copied="lfn, se, site, pfn",
    )
    _anew(
        "dataset_files",
        sa.Column("dataset", NAME, of("datasets.name"), primary_key=True),
        sa.Column("lfn", NAME, of("files.lfn"), primary_key=True),
        copied="dataset, lfn",
    )
    op.create_index("dataset_files_by_file", "dataset_files", ["lfn", "dataset"])
    _anew(
        "file_values",
        sa.Column("lfn", NAME, of("files.lfn"), primary_key=True),
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("number", sa.Float(), nullable=True),
        sa.Column("text", NAME, nullable=True),
        copied="lfn, key, number, text",
    )
    op.create_index("file_values_by_number", "file_values", ["key", "number", "lfn"])
    op.create_index(
        "file_values_by_text", "file_values", ["key", "text", "lfn"], sqlite_where=TOLD, postgresql_where=TOLD
    )


def _anew(table: str, *columns: sa.Column[Any], copied: str) -> None:
    options = {"sqlite_with_rowid": False} if table == "file_values" else {}
    op.create_table(f"{table}_anew", *columns, **options)
    names = copied.split(", ")
    old, new = (sa.table(each, *(sa.column(name) for name in names)) for each in (table, f"{table}_anew"))
    op.execute(sa.insert(new).from_select(names, sa.select(old)))
    op.drop_table(table)
    op.rename_table(f"{table}_anew", table)


def _tables() -> None:
    op.create_table(
        "directories",
        sa.Column("lfn", NAME, primary_key=True),
        sa.Column("directory", NAME, nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("team", sa.String(64), nullable=False),
        sa.Column("mode", sa.Integer(), nullable=False),
        sa.Column("created", sa.Float(), nullable=False),
    )
    op.create_index("directories_by_directory", "directories", ["directory", "lfn"])
    op.create_table(
        "links",
        sa.Column("lfn", NAME, primary_key=True),
        sa.Column("directory", NAME, nullable=False),
        sa.Column("target", NAME, nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("created", sa.Float(), nullable=False),
    )
    op.create_index("links_by_directory", "links", ["directory", "lfn"])
    op.create_table(
        "quotas",
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("bytes", WHOLE, nullable=False),
        sa.Column("files", WHOLE, nullable=False),
    )


def _trash() -> None:
    op.create_table(
        "removed_files",
        sa.Column("guid", sa.String(36), primary_key=True),
        sa.Column("lfn", NAME, nullable=False),
        sa.Column("size", WHOLE, nullable=False),
        sa.Column("adler32", sa.String(8), nullable=False),
        sa.Column("events", WHOLE, nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("team", sa.String(64), nullable=False),
        sa.Column("mode", sa.Integer(), nullable=False),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("removed", sa.Float(), nullable=False),
        sa.Column("removed_by", sa.String(64), nullable=False),
        sa.Column("kept", sa.Text(), nullable=False),
    )
    op.create_index("removed_files_by_name", "removed_files", ["lfn", "removed"])
    op.create_index("removed_files_by_time", "removed_files", ["removed"])
    op.create_table(
        "removed_replicas",
        sa.Column("guid", sa.String(36), sa.ForeignKey("removed_files.guid", ondelete="CASCADE"), primary_key=True),
        sa.Column("se", sa.String(64), primary_key=True),
        sa.Column("site", sa.String(64), nullable=False),
        sa.Column("pfn", sa.String(2048), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
    )


def _log() -> None:
    op.create_table(
        "catalogue_changes",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("user", sa.String(64), nullable=False),
        sa.Column("what", sa.String(16), nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
    )
    op.create_index("catalogue_changes_by_name", "catalogue_changes", ["name", "id"])


def _directories(connection: sa.Connection) -> Iterable[tuple[str, str, int, float]]:
    """Every directory above a file or a dataset: its name, owner and mode, and when the first of its files was made."""
    owners: dict[str, set[str]] = {}
    created: dict[str, float] = {}
    for table in ("files", "datasets"):
        it = sa.table(table, sa.column("directory"), sa.column("owner"), sa.column("created"))
        held = sa.select(it.c.directory, it.c.owner, sa.func.min(it.c.created)).group_by(it.c.directory, it.c.owner)
        for directory, owner, first in connection.execute(held):
            parts = directory.split("/")
            for depth in range(2, len(parts) + 1):
                name = "/".join(parts[:depth])
                owners.setdefault(name, set()).add(owner)
                created[name] = min(created.get(name, first), first)
    for name in sorted(owners):
        parts, of = name.split("/"), owners[name]
        if parts[1] == "user" and len(parts) <= 3:
            yield name, parts[2] if len(parts) == 3 else "", OWN, created[name]
        else:
            yield name, min(of) if len(of) == 1 else "", OWN if len(of) == 1 else SHARED, created[name]
