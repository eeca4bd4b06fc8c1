"""The journal and the rows; the SQL is in the file of the same name."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make all tables."""
    script = Path(__file__).with_suffix(".sql").read_text("utf-8")
    lines = (line.partition("--")[0] for line in script.splitlines())
    for statement in "\n".join(lines).split(";"):
        if statement.strip():
            op.execute(statement)
