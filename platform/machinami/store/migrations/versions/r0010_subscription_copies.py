"""Copies of subscriptions at context sources (clause 5.8.1.4)."""

from alembic import op

revision = "0010"
down_revision = "0009"

_TABLE = """
CREATE TABLE subscription_copy (
    id text COLLATE "C" PRIMARY KEY,
    tenant smallint NOT NULL REFERENCES tenant,
    subscription_id text COLLATE "C" NOT NULL,
    registration_id text COLLATE "C" NOT NULL,
    registration jsonb NOT NULL,
    sent jsonb,
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz
);
"""


def upgrade() -> None:
    """Add the table; subscriptions that are there are copied when the notifier starts."""
    op.execute(_TABLE)
