"""Entities and attributes that are stored for a while only."""

from alembic import op

revision = "0006"
down_revision = "0005"

_COLUMNS = """
ALTER TABLE entity ADD COLUMN expires_at timestamptz, ADD COLUMN due_at timestamptz;
CREATE INDEX entity_due ON entity (due_at) WHERE due_at IS NOT NULL;
"""


def upgrade() -> None:
    """Add them, empty: quick, whatever there is."""
    op.execute(_COLUMNS)
