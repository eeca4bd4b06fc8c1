"""The fair queue, deadlines, sealing; the SQL is in the file of the same name."""

from pathlib import Path

from alembic import op

from agentlin_server.store.migrations.script import statements

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns and indexes, and give tasks that wait their places in the queue."""
    for statement in statements(Path(__file__).with_suffix(".sql")):
        op.execute(statement)
