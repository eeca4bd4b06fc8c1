"""Runs the migrations, with Alembic, on a connection that is open already."""

import sqlite3
from pathlib import Path
from typing import Final

import sqlalchemy
from alembic import command
from alembic.config import Config
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

from agentlin_server.domain.errors import StorageError

_FOLDER: Final = Path(__file__).parent


def upgrade(db: sqlite3.Connection, *, to: str) -> None:
    """Apply all migrations up to `to`, in one transaction.

    Raises:
        StorageError: one failed; the database is as it was before.
    """
    # The connection stays the caller's: the pool hands out this one and never closes it.
    engine = sqlalchemy.create_engine("sqlite://", creator=lambda: db, poolclass=StaticPool)
    row_factory, db.row_factory = db.row_factory, None
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            config.attributes["connection"] = connection
            command.upgrade(config, to)
            connection.commit()
    except (SQLAlchemyError, sqlite3.Error) as exc:
        raise StorageError(f"the migration of the database to schema {to} failed: {exc}") from exc
    finally:
        db.row_factory = row_factory
