"""How storage elements served jobs, and which copies could not be fetched."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

NAME = sa.String(1024).with_variant(sa.String(1024, collation="C"), "postgresql")
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """From 0009."""
    op.create_table(
        "served_copies",
        sa.Column("se", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("bucket", WHOLE, primary_key=True, autoincrement=False),
        sa.Column("given", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        if_not_exists=True,
    )
    op.create_index("served_copies_by_bucket", "served_copies", ["bucket"], if_not_exists=True)
    op.create_table(
        "failed_copies",
        sa.Column("cluster", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("proc", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("start", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("at", WHOLE, nullable=False),
        sa.Column("lfn", NAME, nullable=False),
        sa.Column("se", sa.String(64), nullable=False),
        sa.Column("cause", sa.String(16), nullable=False),
        sa.Column("words", sa.String(200), nullable=False),
        if_not_exists=True,
    )
    op.create_index("failed_copies_by_time", "failed_copies", ["at"], if_not_exists=True)
    op.create_table(
        "copies_read",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("upto", WHOLE, nullable=False),
        if_not_exists=True,
    )


def downgrade() -> None:
    """Back to 0009: what jobs told of copies is forgotten."""
    op.drop_table("copies_read")
    op.drop_table("failed_copies")
    op.drop_table("served_copies")
