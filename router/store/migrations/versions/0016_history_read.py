"""How far the schedd's history was read."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """From 0015."""
    op.create_table(
        "history_read",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("cluster", sa.Integer, nullable=False),
        sa.Column("proc", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    """Back to 0015: the history is read on by its times."""
    op.drop_table("history_read")
