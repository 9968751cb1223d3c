"""Alembic's environment: runs the migrations on the connection that `warehouse.migrate` hands over."""

from alembic import context
from sqlalchemy import create_engine, pool

raw = context.config.attributes["connection"]
engine = create_engine("postgresql+psycopg://", creator=lambda: raw, poolclass=pool.StaticPool)

with engine.connect() as connection:
    context.configure(connection=connection, version_table_schema="ops", transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
