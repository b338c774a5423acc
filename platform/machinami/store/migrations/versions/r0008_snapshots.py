"""Snapshots, each in a tenant of its own whose number is negative and never used again."""

from alembic import op

revision = "0008"
down_revision = "0007"

_TABLE = """
CREATE SEQUENCE snapshot_home AS smallint INCREMENT BY -1 MAXVALUE -1 MINVALUE -32768 START WITH -1;
CREATE TABLE snapshot (
    tenant smallint NOT NULL REFERENCES tenant,
    id text COLLATE "C" NOT NULL,
    home smallint NOT NULL UNIQUE REFERENCES tenant,
    document jsonb NOT NULL,
    details jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    modified_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX snapshot_expiry ON snapshot (expires_at);
"""


def upgrade() -> None:
    """Add the table."""
    op.execute(_TABLE)
