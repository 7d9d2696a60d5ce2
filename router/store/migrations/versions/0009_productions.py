"""Which job made which file; of files that are there already nobody knows."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """From 0008."""
    op.create_table(
        "productions",
        sa.Column("guid", sa.String(36), primary_key=True),
        sa.Column("task", sa.String(96), nullable=False),
        sa.Column("job", sa.String(16), nullable=False),
        sa.Column("cluster", sa.Integer(), nullable=False),
        sa.Column("proc", sa.Integer(), nullable=False),
        if_not_exists=True,
    )
    op.create_index("productions_by_job", "productions", ["task", "job"], if_not_exists=True)


def downgrade() -> None:
    """Back to 0008."""
    op.drop_table("productions")
