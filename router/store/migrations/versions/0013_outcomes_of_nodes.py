"""How jobs ended at single nodes."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """From 0012."""
    op.create_table(
        "node_outcomes",
        sa.Column("site", sa.String(64), primary_key=True),
        sa.Column("node", sa.String(255), primary_key=True),
        sa.Column("bucket", sa.Integer(), primary_key=True),
        sa.Column("good", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("doubtful", sa.Integer(), nullable=False),
        if_not_exists=True,
    )
    op.create_index("node_outcomes_by_time", "node_outcomes", ["bucket"], if_not_exists=True)


def downgrade() -> None:
    """Back to 0012: nodes are told apart by what happens from then on."""
    op.drop_table("node_outcomes")
