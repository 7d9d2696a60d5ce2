"""What databases were before revisions were counted; those may lack some of these tables."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NAME = sa.String(1024).with_variant(sa.String(1024, collation="C"), "postgresql")
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TOLD = sa.text("text IS NOT NULL")


def upgrade() -> None:
    """From nothing."""
    _catalogue()
    _said()
    _ledger()
    _sites()
    _service()


def downgrade() -> None:
    """There is nothing before."""


def _table(name: str, *columns: Any, **options: Any) -> None:
    op.create_table(name, *columns, if_not_exists=True, **options)


def _index(name: str, table: str, columns: list[str], where: Any = None) -> None:
    op.create_index(name, table, columns, if_not_exists=True, sqlite_where=where, postgresql_where=where)


def _catalogue() -> None:
    _table(
        "files",
        sa.Column("lfn", NAME, nullable=False),
        sa.Column("size", WHOLE, nullable=False),
        sa.Column("adler32", sa.String(length=8), nullable=False),
        sa.Column("events", WHOLE, nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("created", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("lfn"),
    )
    _table(
        "replicas",
        sa.Column("lfn", NAME, nullable=False),
        sa.Column("se", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("pfn", sa.String(length=2048), nullable=False),
        sa.ForeignKeyConstraint(["lfn"], ["files.lfn"]),
        sa.PrimaryKeyConstraint("lfn", "se"),
    )
    _table(
        "datasets",
        sa.Column("name", NAME, nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("created", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    _table(
        "dataset_files",
        sa.Column("dataset", NAME, nullable=False),
        sa.Column("lfn", NAME, nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.name"]),
        sa.ForeignKeyConstraint(["lfn"], ["files.lfn"]),
        sa.PrimaryKeyConstraint("dataset", "lfn"),
    )
    _index("dataset_files_by_file", "dataset_files", ["lfn", "dataset"])


def _said() -> None:
    _table(
        "metadata_keys",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    _table(
        "file_values",
        sa.Column("lfn", NAME, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Float(), nullable=True),
        sa.Column("text", NAME, nullable=True),
        sa.ForeignKeyConstraint(["lfn"], ["files.lfn"]),
        sa.PrimaryKeyConstraint("lfn", "key"),
        sqlite_with_rowid=False,
    )
    _index("file_values_by_number", "file_values", ["key", "number", "lfn"])
    _index("file_values_by_text", "file_values", ["key", "text", "lfn"], where=TOLD)
    _table(
        "scope_values",
        sa.Column("scope", NAME, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Float(), nullable=True),
        sa.Column("text", NAME, nullable=True),
        sa.PrimaryKeyConstraint("scope", "key"),
        sqlite_with_rowid=False,
    )
    _index("scope_values_by_key", "scope_values", ["key", "scope"])
    _index("scope_values_by_number", "scope_values", ["key", "number", "scope"])
    _index("scope_values_by_text", "scope_values", ["key", "text", "scope"], where=TOLD)


def _ledger() -> None:
    _table(
        "tasks",
        sa.Column("id", sa.String(length=96), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("directory", sa.String(length=4096), nullable=False),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("complete", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    _table(
        "batches",
        sa.Column("task", sa.String(length=96), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("cluster", sa.Integer(), nullable=True),
        sa.Column("jobs", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["task"], ["tasks.id"]),
        sa.PrimaryKeyConstraint("task", "key"),
    )
    _index("batches_by_cluster", "batches", ["cluster"])
    _table(
        "batch_inputs",
        sa.Column("task", sa.String(length=96), nullable=False),
        sa.Column("batch", sa.String(length=64), nullable=False),
        sa.Column("lfn", NAME, nullable=False),
        sa.PrimaryKeyConstraint("task", "batch", "lfn"),
    )
    _table(
        "ended",
        sa.Column("cluster", sa.Integer(), nullable=False),
        sa.Column("proc", sa.Integer(), nullable=False),
        sa.Column("task", sa.String(length=96), nullable=False),
        sa.Column("batch", sa.String(length=64), nullable=False),
        sa.Column("job", sa.String(length=16), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("ended", sa.Float(), nullable=False),
        sa.Column("wall_s", sa.Float(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("cpus", sa.Integer(), nullable=False),
        sa.Column("report", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("cluster", "proc"),
    )
    _index("ended_by_task", "ended", ["task"])
    _index("ended_by_time", "ended", ["ended"])
    _table(
        "decisions",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("cluster", sa.Integer(), nullable=False),
        sa.Column("task", sa.String(length=96), nullable=False),
        sa.Column("batch", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("jobs", sa.Integer(), nullable=False),
        sa.Column("sites", sa.Text(), nullable=False),
        sa.Column("came_from", sa.Text(), nullable=False),
        sa.Column("tag", sa.String(length=64), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("verdicts", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    _index("decisions_by_cluster", "decisions", ["cluster", "id"])
    _index("decisions_by_outcome", "decisions", ["outcome"])
    _index("decisions_by_task", "decisions", ["task", "id"])


def _sites() -> None:
    _table(
        "site_states",
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("site"),
    )
    _table(
        "downtimes",
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("begins", sa.Float(), nullable=False),
        sa.Column("ends", sa.Float(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("site", "begins"),
    )
    _table(
        "site_seen",
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("seen", sa.Float(), nullable=False),
        sa.Column("asked", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("site"),
    )
    _table(
        "site_outcomes",
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("site", "bucket", "kind"),
    )
    _index("site_outcomes_by_time", "site_outcomes", ["bucket"])
    _table(
        "site_streaks",
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("tasks", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("site"),
    )


def _service() -> None:
    _table(
        "leases",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(1024), nullable=False),
        sa.Column("term", sa.Integer(), nullable=False),
        sa.Column("beat", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    _table(
        "event_log",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("position", sa.String(length=200), nullable=False),
        sa.Column("read", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    _table("schema_version", sa.Column("version", sa.Integer(), nullable=False))
