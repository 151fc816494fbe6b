"""Add files, uploads and vector stores."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


_SQLITE_TERMS = """CREATE VIRTUAL TABLE window_terms USING fts5(terms, tokenize = 'porter unicode61')"""
_SQLITE_FORGET = """CREATE TRIGGER windows_forget_terms AFTER DELETE ON windows
BEGIN DELETE FROM window_terms WHERE rowid = old.ord; END"""
_POSTGRES_TERMS = """CREATE TABLE window_terms (
ord BIGINT PRIMARY KEY REFERENCES windows (ord) ON DELETE CASCADE, terms tsvector NOT NULL)"""
_POSTGRES_INDEX = "CREATE INDEX ix_window_terms_terms ON window_terms USING gin (terms)"


def upgrade() -> None:
    op.create_table(
        "files",
        sa.Column(
            "ord", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("blob", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("ord", name=op.f("pk_files")),
        sa.UniqueConstraint("id", name=op.f("uq_files_id")),
    )
    with op.batch_alter_table("files", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_files_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "uploads",
        sa.Column(
            "ord", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("mime_type", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("file_seconds", sa.BigInteger(), nullable=True),
        sa.Column("file_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("ord", name=op.f("pk_uploads")),
        sa.UniqueConstraint("id", name=op.f("uq_uploads_id")),
    )
    with op.batch_alter_table("uploads", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_uploads_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "vector_stores",
        sa.Column(
            "ord", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("expires_after", sa.Text(), nullable=True),
        sa.Column("last_active_at", sa.Double(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ord", name=op.f("pk_vector_stores")),
        sa.UniqueConstraint("id", name=op.f("uq_vector_stores_id")),
    )
    op.create_table(
        "documents",
        sa.Column("file_id", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("embedder", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["file_id"], ["files.id"], name=op.f("fk_documents_file_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("file_id", name=op.f("pk_documents")),
    )
    op.create_table(
        "file_batches",
        sa.Column(
            "ord", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("vector_store_id", sa.Text(), nullable=False),
        sa.Column("is_cancelled", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["vector_store_id"],
            ["vector_stores.id"],
            name=op.f("fk_file_batches_vector_store_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("ord", name=op.f("pk_file_batches")),
        sa.UniqueConstraint("id", name=op.f("uq_file_batches_id")),
    )
    op.create_table(
        "store_files",
        sa.Column(
            "ord", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("vector_store_id", sa.Text(), nullable=False),
        sa.Column("file_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("usage_bytes", sa.BigInteger(), nullable=False),
        sa.Column("max_chunk_size_tokens", sa.Integer(), nullable=False),
        sa.Column("chunk_overlap_tokens", sa.Integer(), nullable=False),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"], ["files.id"], name=op.f("fk_store_files_file_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["vector_store_id"],
            ["vector_stores.id"],
            name=op.f("fk_store_files_vector_store_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("ord", name=op.f("pk_store_files")),
        sa.UniqueConstraint("id", name=op.f("uq_store_files_id")),
        sa.UniqueConstraint(
            "vector_store_id", "file_id", name=op.f("uq_store_files_vector_store_id_file_id")
        ),
    )
    with op.batch_alter_table("store_files", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_store_files_file_id_status"), ["file_id", "status"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_store_files_vector_store_id_status"), ["vector_store_id", "status"], unique=False
        )

    op.create_table(
        "upload_parts",
        sa.Column(
            "ord", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("upload_id", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("blob", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["upload_id"], ["uploads.id"], name=op.f("fk_upload_parts_upload_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("ord", name=op.f("pk_upload_parts")),
        sa.UniqueConstraint("id", name=op.f("uq_upload_parts_id")),
    )
    with op.batch_alter_table("upload_parts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_upload_parts_upload_id_ord"), ["upload_id", "ord"], unique=False)

    op.create_table(
        "batch_files",
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("store_file_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["file_batches.id"], name=op.f("fk_batch_files_batch_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["store_file_id"],
            ["store_files.id"],
            name=op.f("fk_batch_files_store_file_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("batch_id", "store_file_id", name=op.f("pk_batch_files")),
    )
    with op.batch_alter_table("batch_files", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_batch_files_store_file_id"), ["store_file_id"], unique=False)

    op.create_table(
        "chunks",
        sa.Column(
            "ord", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("store_file_id", sa.Text(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_file_id"], ["store_files.id"], name=op.f("fk_chunks_store_file_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("ord", name=op.f("pk_chunks")),
    )
    with op.batch_alter_table("chunks", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_chunks_store_file_id_start"), ["store_file_id", "start"], unique=False
        )

    op.create_table(
        "windows",
        sa.Column(
            "ord", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("file_id", sa.Text(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"], ["documents.file_id"], name=op.f("fk_windows_file_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("ord", name=op.f("pk_windows")),
    )
    with op.batch_alter_table("windows", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_windows_file_id_ord"), ["file_id", "ord"], unique=False)
    # The keyword index: each database has its own kind.
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in (_SQLITE_TERMS, _SQLITE_FORGET) if is_sqlite else (_POSTGRES_TERMS, _POSTGRES_INDEX):
        op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER windows_forget_terms")
    op.execute("DROP TABLE window_terms")
    with op.batch_alter_table("windows", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_windows_file_id_ord"))

    op.drop_table("windows")
    with op.batch_alter_table("chunks", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_chunks_store_file_id_start"))

    op.drop_table("chunks")
    with op.batch_alter_table("batch_files", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_batch_files_store_file_id"))

    op.drop_table("batch_files")
    with op.batch_alter_table("upload_parts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_upload_parts_upload_id_ord"))

    op.drop_table("upload_parts")
    with op.batch_alter_table("store_files", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_store_files_vector_store_id_status"))
        batch_op.drop_index(batch_op.f("ix_store_files_file_id_status"))

    op.drop_table("store_files")
    op.drop_table("file_batches")
    op.drop_table("documents")
    op.drop_table("vector_stores")
    with op.batch_alter_table("uploads", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_uploads_expires_at"))

    op.drop_table("uploads")
    with op.batch_alter_table("files", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_files_expires_at"))

    op.drop_table("files")
