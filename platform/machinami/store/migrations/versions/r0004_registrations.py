"""Context source registrations, and the name by which this broker is known to others."""

from alembic import op

revision = "0004"
down_revision = "0003"

_TABLES = """
CREATE TABLE registration (
    tenant smallint NOT NULL REFERENCES tenant,
    id text COLLATE "C" NOT NULL,
    document jsonb NOT NULL,
    status jsonb NOT NULL DEFAULT '{}',
    expires_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    modified_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, id)
);
CREATE TABLE source_identity (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    alias text NOT NULL,
    since timestamptz NOT NULL DEFAULT now()
);
INSERT INTO source_identity (alias) VALUES ('machinami-' || replace(gen_random_uuid()::text, '-', ''));
"""


def upgrade() -> None:
    """Add the tables; a broker's alias is made once and stays with its data."""
    op.execute(_TABLES)
