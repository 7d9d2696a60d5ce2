"""Luminosity sections of files; jobs that came to a task or were replaced, its stage, and the program it runs."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

NAME = sa.String(1024).with_variant(sa.String(1024, collation="C"), "postgresql")


def upgrade() -> None:
    """From 0003."""
    op.create_table(
        "file_lumis",
        sa.Column("lfn", NAME, sa.ForeignKey("files.lfn", onupdate="CASCADE"), primary_key=True),
        sa.Column("run", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("first", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    for table, columns in (
        (
            "added_jobs",
            [sa.Column("job", sa.String(16), primary_key=True), sa.Column("batch", sa.String(64), nullable=False)],
        ),
        ("replaced_jobs", [sa.Column("job", sa.String(16), primary_key=True)]),
        ("task_stages", [sa.Column("stage", sa.String(16), nullable=False)]),
        ("task_programs", [sa.Column("digest", sa.String(64), nullable=False)]),
    ):
        task = sa.Column("task", sa.String(96), sa.ForeignKey("tasks.id"), primary_key=True)
        op.create_table(table, task, *columns, if_not_exists=True)
    op.create_index("task_programs_by_digest", "task_programs", ["digest"], if_not_exists=True)


def downgrade() -> None:
    """Back to 0003: what splitting knows is lost."""
    for table in ("task_programs", "task_stages", "replaced_jobs", "added_jobs", "file_lumis"):
        op.drop_table(table)
