"""The revisions of the database's schema, as Alembic runs them."""
