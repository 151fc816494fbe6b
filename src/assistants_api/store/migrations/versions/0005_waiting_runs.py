"""Let runs wait behind the one that holds their thread."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ACTIVE = "status IN ('cancelling', 'in_progress', 'queued', 'requires_action')"


def upgrade() -> None:
    # Added one by one: a table that others refer to is not made anew.
    op.add_column("runs", sa.Column("is_waiting", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("runs", sa.Column("brought", sa.Text(), server_default="[]", nullable=False))
    op.drop_index("uq_runs_active_thread", table_name="runs")
    op.create_index(
        "uq_runs_active_thread",
        "runs",
        ["thread_id"],
        unique=True,
        sqlite_where=sa.text(f"{_ACTIVE} AND is_waiting IS 0"),
        postgresql_where=sa.text(f"{_ACTIVE} AND is_waiting IS false"),
    )
    op.create_index(
        "ix_runs_waiting",
        "runs",
        ["thread_id"],
        unique=False,
        sqlite_where=sa.text("is_waiting IS 1"),
        postgresql_where=sa.text("is_waiting IS true"),
    )
    op.create_table(
        "waiting_messages",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("messages", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_waiting_messages_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_waiting_messages")),
    )


def downgrade() -> None:
    op.drop_table("waiting_messages")
    op.drop_index("ix_runs_waiting", table_name="runs")
    op.execute("UPDATE runs SET status = 'cancelled' WHERE is_waiting")
    op.drop_index("uq_runs_active_thread", table_name="runs")
    op.create_index(
        "uq_runs_active_thread",
        "runs",
        ["thread_id"],
        unique=True,
        sqlite_where=sa.text(_ACTIVE),
        postgresql_where=sa.text(_ACTIVE),
    )
    op.drop_column("runs", "brought")
    op.drop_column("runs", "is_waiting")
