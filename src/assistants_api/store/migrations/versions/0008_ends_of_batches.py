"""Let a batch keep how its files ended, whatever becomes of them in the store."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_FILE = "FROM store_files WHERE store_files.id = batch_files.store_file_id"
_IS_CANCELLED = """status = 'in_progress'
AND batch_id IN (SELECT id FROM file_batches WHERE is_cancelled)"""


def upgrade() -> None:
    with op.batch_alter_table("batch_files", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("fk_batch_files_store_file_id"), type_="foreignkey")
        batch_op.add_column(sa.Column("status", sa.Text(), server_default="in_progress", nullable=False))
        batch_op.add_column(sa.Column("last_error", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("usage_bytes", sa.BigInteger(), server_default="0", nullable=False))
    op.execute(
        f"UPDATE batch_files SET status = (SELECT status {_FILE}),"
        f" last_error = (SELECT last_error {_FILE}), usage_bytes = (SELECT usage_bytes {_FILE})"
    )
    # A file of a cancelled batch that is in progress has come again since.
    op.execute(f"UPDATE batch_files SET status = 'cancelled' WHERE {_IS_CANCELLED}")


def downgrade() -> None:
    op.execute("DELETE FROM batch_files WHERE store_file_id NOT IN (SELECT id FROM store_files)")
    with op.batch_alter_table("batch_files", schema=None) as batch_op:
        batch_op.drop_column("usage_bytes")
        batch_op.drop_column("last_error")
        batch_op.drop_column("status")
        batch_op.create_foreign_key(
            op.f("fk_batch_files_store_file_id"),
            "store_files",
            ["store_file_id"],
            ["id"],
            ondelete="CASCADE",
        )
