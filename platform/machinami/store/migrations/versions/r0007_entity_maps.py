"""EntityMaps: which entities a sequence of requests is about."""

from alembic import op

revision = "0007"
down_revision = "0006"

_TABLE = """
CREATE TABLE entity_map (
    tenant smallint NOT NULL REFERENCES tenant,
    id text COLLATE "C" NOT NULL,
    query text NOT NULL,
    ids text[] NOT NULL,
    sources jsonb NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX entity_map_expiry ON entity_map (expires_at);
"""


def upgrade() -> None:
    """Add the table."""
    op.execute(_TABLE)
