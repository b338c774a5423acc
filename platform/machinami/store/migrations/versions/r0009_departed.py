"""Entities that were deleted, whose temporal evolution can still be retrieved."""

from alembic import op

revision = "0009"
down_revision = "0008"

_TABLE = """
CREATE TABLE departed (
    tenant smallint NOT NULL REFERENCES tenant,
    id text COLLATE "C" NOT NULL,
    types text[] NOT NULL,
    created_at timestamptz NOT NULL,
    deleted_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);
"""


def upgrade() -> None:
    """Add the table; of what was deleted before, nothing but history is known."""
    op.execute(_TABLE)
