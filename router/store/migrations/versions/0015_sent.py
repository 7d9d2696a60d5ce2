"""What a transfer service brings outputs under."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """From 0014."""
    op.add_column("transfers", sa.Column("bulk", sa.String(64), nullable=False, server_default=""))


def downgrade() -> None:
    """Back to 0014: what a service was given waits, and is copied anew."""
    op.execute("UPDATE transfers SET state = 'waiting' WHERE state = 'sent'")
    op.drop_column("transfers", "bulk")
