"""Create the table of where deleted objects stood."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "removed",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("ord", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_removed")),
    )


def downgrade() -> None:
    op.drop_table("removed")
