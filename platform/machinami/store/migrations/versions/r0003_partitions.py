"""A stream is read in partitions, each with a position of its own; one read so far becomes the only one."""

from alembic import op

revision = "0003"
down_revision = "0002"

_PARTITIONS = """
ALTER TABLE stream_position
    ADD COLUMN partition smallint NOT NULL DEFAULT 0,
    ADD COLUMN partitions smallint NOT NULL DEFAULT 1,
    DROP CONSTRAINT stream_position_pkey,
    ADD PRIMARY KEY (stream, partition)
"""


def upgrade() -> None:
    """Give each position its partition."""
    op.execute(_PARTITIONS)
