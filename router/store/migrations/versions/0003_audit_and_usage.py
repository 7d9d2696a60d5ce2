"""The audit, append-only, and what jobs used; databases may have these tables from before revisions were counted."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

GENESIS = ""
REFUSALS = (
    "CREATE TRIGGER audit_log_changed BEFORE UPDATE ON audit_log "
    "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    "CREATE TRIGGER audit_log_removed BEFORE DELETE ON audit_log WHEN OLD.number > (SELECT number FROM audit_start) "
    "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    "CREATE TRIGGER audit_log_inserted BEFORE INSERT ON audit_log WHEN NEW.number <> 1 + "
    "coalesce((SELECT max(number) FROM audit_log), (SELECT number FROM audit_start)) "
    "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    "CREATE TRIGGER audit_start_removed BEFORE DELETE ON audit_start "
    "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    "CREATE TRIGGER audit_start_moved_back BEFORE UPDATE ON audit_start WHEN NEW.number <= OLD.number "
    "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
)


def upgrade() -> None:
    """From 0002."""
    begun = sa.inspect(op.get_bind()).has_table("audit_start")
    _audit()
    _usage()
    if not begun:
        start = sa.table("audit_start", sa.column("id"), sa.column("number"), sa.column("digest"))
        op.execute(sa.insert(start).values(id=1, number=0, digest=GENESIS))
        if op.get_bind().dialect.name == "sqlite":
            for refusal in REFUSALS:
                op.execute(refusal)


def downgrade() -> None:
    """Back to 0002: the audit and what jobs used are lost."""
    for table in ("usage_marks", "usage_days", "usage_runs", "audit_log", "audit_start"):
        op.drop_table(table)


def _table(name: str, *columns: Any) -> None:
    op.create_table(name, *columns, if_not_exists=True)


def _index(name: str, table: str, columns: list[str]) -> None:
    op.create_index(name, table, columns, if_not_exists=True)


def _audit() -> None:
    _table(
        "audit_log",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("who", sa.String(128), nullable=False),
        sa.Column("act", sa.String(64), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("task", sa.String(96), nullable=False),
        sa.Column("cluster", sa.Integer(), nullable=False),
        sa.Column("request", sa.String(32), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    _index("audit_log_by_task", "audit_log", ["task", "number"])
    _index("audit_log_by_cluster", "audit_log", ["cluster", "number"])
    _index("audit_log_by_time", "audit_log", ["at"])
    _table(
        "audit_start",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )


def _usage() -> None:
    _table(
        "usage_runs",
        *(sa.Column(name, sa.Integer(), primary_key=True, autoincrement=False) for name in ("cluster", "proc")),
        sa.Column("queued", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("group", sa.String(128), nullable=False),
        sa.Column("task", sa.String(96), nullable=False),
        sa.Column("site", sa.String(64), nullable=False),
        sa.Column("entry", sa.String(64), nullable=False),
        sa.Column("node", sa.String(256), nullable=False),
        sa.Column("subject", sa.String(256), nullable=False),
        sa.Column("issuer", sa.String(256), nullable=False),
        sa.Column("token", sa.String(128), nullable=False),
        sa.Column("cores", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("started", "ended", "cpu_ms")),
        sa.Column("outcome", sa.String(16), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("exit_code", "teller", "job")),
    )
    for index, column in (("task", "task"), ("end", "ended"), ("subject", "subject")):
        _index(f"usage_runs_by_{index}", "usage_runs", [column])
    sums = ("runs", "wall_s", "cpu_ms", "wasted_s", "jobs_well", "jobs_badly")
    _table(
        "usage_days",
        sa.Column("user", sa.String(64), primary_key=True),
        sa.Column("group", sa.String(128), primary_key=True),
        sa.Column("site", sa.String(64), primary_key=True),
        sa.Column("day", sa.Integer(), primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in sums),
    )
    _index("usage_days_by_day", "usage_days", ["day"])
    _table(
        "usage_marks",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("read", sa.Float(), nullable=False),
        sa.Column("closed", sa.Float(), nullable=False),
    )
