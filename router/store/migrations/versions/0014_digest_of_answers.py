"""Of a data service's last answer its digest, so that the same one again costs little."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """From 0013."""
    op.add_column("service_answers", sa.Column("digest", sa.String(64), nullable=False, server_default=""))


def downgrade() -> None:
    """Back to 0013."""
    with op.batch_alter_table("service_answers") as table:
        table.drop_column("digest")
