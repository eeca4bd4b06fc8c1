"""Migrations of the database, run by Alembic; the SQL is in files."""
