"""What runs had done when they were last seen to do something."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """From 0006."""
    op.create_table(
        "run_activity",
        sa.Column("cluster", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("proc", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("started", WHOLE, primary_key=True, autoincrement=False),
        sa.Column("told", WHOLE, nullable=False),
        sa.Column("cpu_s", sa.Float(), nullable=False),
        sa.Column("disk_mb", WHOLE, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "run_look",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("at", sa.Float(), nullable=False),
        if_not_exists=True,
    )


def downgrade() -> None:
    """Back to 0006: runs are watched anew."""
    op.drop_table("run_look")
    op.drop_table("run_activity")
