"""Alembic's entry: migrates over the connection that `store.opening` hands in."""

from alembic import context
from sqlalchemy import Connection

from assistants_api.store.tables import metadata

connection: Connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
