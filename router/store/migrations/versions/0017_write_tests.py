"""Whether outputs can be written to storage."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """From 0016."""
    op.create_table(
        "write_tests",
        sa.Column("se", sa.String(64), primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("took_s", sa.Float, nullable=False),
        sa.Column("cause", sa.String(32), nullable=False),
        sa.Column("words", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Back to 0016: it is tested anew."""
    op.drop_table("write_tests")
