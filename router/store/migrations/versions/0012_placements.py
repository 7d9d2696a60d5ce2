"""Further copies of datasets that many jobs wait for."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

NAME = sa.String(1024).with_variant(sa.String(1024, collation="C"), "postgresql")
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """From 0011."""
    op.create_table(
        "placements",
        sa.Column("dataset", NAME, primary_key=True),
        sa.Column("se", sa.String(64), primary_key=True),
        sa.Column("site", sa.String(64), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("bytes", WHOLE, nullable=False),
        sa.Column("asked", sa.Float(), nullable=False),
        sa.Column("used", sa.Float(), nullable=False),
        sa.Column("leaving", sa.Integer(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        if_not_exists=True,
    )
    op.create_index("placements_by_time", "placements", ["asked"], if_not_exists=True)
    op.create_table(
        "placed_files",
        sa.Column("lfn", NAME, sa.ForeignKey("files.lfn", onupdate="CASCADE", ondelete="CASCADE"), primary_key=True),
        sa.Column("se", sa.String(64), primary_key=True),
        sa.Column("dataset", NAME, nullable=False),
        sa.Column("path", NAME, nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("source_path", NAME, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due", sa.Float(), nullable=False),
        sa.Column("cause", sa.String(32), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("changed", sa.Float(), nullable=False),
        if_not_exists=True,
    )
    op.create_index("placed_files_by_due", "placed_files", ["state", "due"], if_not_exists=True)
    op.create_index("placed_files_by_dataset", "placed_files", ["dataset", "se"], if_not_exists=True)


def downgrade() -> None:
    """Back to 0011: copies that were made stay, and nobody takes them away."""
    op.drop_table("placed_files")
    op.drop_table("placements")
