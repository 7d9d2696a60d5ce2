"""Outputs on their way to their destinations, and how copies to each destination went lately."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

NAME = sa.String(1024).with_variant(sa.String(1024, collation="C"), "postgresql")
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """From 0004."""
    op.create_table(
        "transfers",
        sa.Column("lfn", NAME, primary_key=True),
        sa.Column("size", WHOLE, nullable=False),
        sa.Column("adler32", sa.String(8), nullable=False),
        sa.Column("events", WHOLE, nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("task", sa.String(96), nullable=False),
        sa.Column("job", sa.String(16), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("destination", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due", sa.Float(), nullable=False),
        sa.Column("cause", sa.String(32), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("changed", sa.Float(), nullable=False),
        if_not_exists=True,
    )
    op.create_index("transfers_by_due", "transfers", ["state", "due"], if_not_exists=True)
    op.create_index("transfers_by_task", "transfers", ["task"], if_not_exists=True)
    op.create_table(
        "transfer_destinations",
        sa.Column("se", sa.String(64), primary_key=True),
        sa.Column("streak", sa.Integer(), nullable=False),
        sa.Column("cause", sa.String(32), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        if_not_exists=True,
    )


def downgrade() -> None:
    """Back to 0004: what was under way to a destination stays where it is."""
    op.drop_table("transfer_destinations")
    op.drop_table("transfers")
