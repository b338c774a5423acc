"""Subscriptions of two kinds, what changed among them, and notifications that were under way."""

from alembic import op

revision = "0005"
down_revision = "0004"

_TABLES = """
ALTER TABLE subscription ADD COLUMN kind text NOT NULL DEFAULT 'entities';
CREATE TABLE subscription_change (
    revision bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant smallint NOT NULL,
    subscription_id text COLLATE "C" NOT NULL
);
ALTER TABLE outbox ADD COLUMN taken_at timestamptz;
DROP INDEX outbox_due;
DROP INDEX outbox_order;
CREATE INDEX outbox_waiting ON outbox (tenant, subscription_id, id) WHERE dead_at IS NULL;
CREATE INDEX outbox_dead ON outbox (tenant, id) WHERE dead_at IS NOT NULL;
"""


def upgrade() -> None:
    """Add them; there are never many subscriptions or notifications, so this is quick."""
    op.execute(_TABLES)
