"""Parts that merged files hold, and copies that are to be removed."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

NAME = sa.String(1024).with_variant(sa.String(1024, collation="C"), "postgresql")


def upgrade() -> None:
    """From 0010."""
    op.create_table(
        "joined_parts",
        sa.Column("lfn", NAME, primary_key=True),
        sa.Column("task", sa.String(96), nullable=False),
        sa.Column("merged", NAME, nullable=False),
        if_not_exists=True,
    )
    op.create_index("joined_parts_by_merged", "joined_parts", ["merged"], if_not_exists=True)
    op.create_table(
        "retired_copies",
        sa.Column("lfn", NAME, primary_key=True),
        sa.Column("se", sa.String(64), primary_key=True),
        sa.Column("task", sa.String(96), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        if_not_exists=True,
    )
    op.create_index("retired_copies_by_task", "retired_copies", ["task"], if_not_exists=True)


def downgrade() -> None:
    """Back to 0010: parts that are not removed yet stay where they are."""
    op.drop_table("retired_copies")
    op.drop_table("joined_parts")
