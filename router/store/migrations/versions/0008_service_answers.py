"""What data services told last."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

NAME = sa.String(1024).with_variant(sa.String(1024, collation="C"), "postgresql")
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """From 0007."""
    op.create_table(
        "service_answers",
        sa.Column("dataset", NAME, primary_key=True),
        sa.Column("service", sa.String(64), nullable=False),
        sa.Column("asked", sa.Float(), nullable=False),
        sa.Column("answered", sa.Float(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("copies", sa.Integer(), nullable=False),
        sa.Column("bytes", WHOLE, nullable=False),
        if_not_exists=True,
    )


def downgrade() -> None:
    """Back to 0007: files that services told of stay registered."""
    op.drop_table("service_answers")
