"""The schema as SQLAlchemy Core sees it. Migrations are written by hand; a test holds the two together.

``observation`` is partitioned by time (plain PostgreSQL: a partition a month; TimescaleDB: a hypertable),
which the migrations know and this module need not. Tenant is part of every key: a small number.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import UserDefinedType

metadata = MetaData()
Moment = DateTime(timezone=True)


class Box(UserDefinedType[str]):
    """PostgreSQL's ``box``: ``(east,north),(west,south)`` in degrees, WGS 84; needs no extension."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """The type's name in SQL."""
        return "box"


tenant = Table(
    "tenant",
    metadata,
    Column("tenant", SmallInteger, Identity(), primary_key=True, comment="number used in every key"),
    Column("name", Text, nullable=False, unique=True, comment="NGSILD-Tenant header"),
    Column("created_at", Moment, nullable=False, server_default=func.now()),
)

entity = Table(
    "entity",
    metadata,
    Column("tenant", SmallInteger, ForeignKey("tenant.tenant"), nullable=False),
    Column("id", Text(collation="C"), nullable=False),
    Column("types", ARRAY(Text), nullable=False, comment="expanded IRIs"),
    Column("scope", ARRAY(Text), nullable=False, server_default="{}"),
    Column(
        "attributes", JSONB, nullable=False, comment="expanded name → list of instances, see machinami.model"
    ),
    Column("bounds", Box, comment="bounding box of all instances of `location`"),
    Column("created_at", Moment, nullable=False),
    Column("modified_at", Moment, nullable=False),
    Column("expires_at", Moment, comment="until when it is stored; null is for good"),
    Column("due_at", Moment, comment="when it, or the first of its attributes, expires; null is never"),
    PrimaryKeyConstraint("tenant", "id"),
    Index("entity_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    Index("entity_types", "types", postgresql_using="gin"),
    Index("entity_bounds", "bounds", postgresql_using="gist"),
)

departed = Table(
    "departed",
    metadata,
    Column("tenant", SmallInteger, ForeignKey("tenant.tenant"), nullable=False),
    Column("id", Text(collation="C"), nullable=False),
    Column("types", ARRAY(Text), nullable=False, comment="expanded IRIs"),
    Column("created_at", Moment, nullable=False),
    Column("deleted_at", Moment, nullable=False),
    PrimaryKeyConstraint("tenant", "id"),
    comment="entities that were deleted, and may be there again",
)

series = Table(
    "series",
    metadata,
    Column("series", Integer, Identity(), primary_key=True),
    Column("tenant", SmallInteger, ForeignKey("tenant.tenant"), nullable=False),
    Column("entity_id", Text(collation="C"), nullable=False),
    Column("attribute", Text(collation="C"), nullable=False, comment="expanded IRI"),
    Column(
        "dataset_id",
        Text(collation="C"),
        nullable=False,
        server_default="",
        comment="'' is the default instance",
    ),
    Column(
        "unit_code",
        Text,
        nullable=False,
        server_default="",
        comment="UN/CEFACT code of the numbers in `number`",
    ),
    UniqueConstraint("tenant", "entity_id", "attribute", "dataset_id", name="series_key"),
)

observation = Table(
    "observation",
    metadata,
    Column("series", Integer, nullable=False),
    Column(
        "observed_at", Moment, nullable=False, comment="observedAt; the time of writing where there was none"
    ),
    Column("number", Double, comment="value of a plain numeric Property in the series' unit"),
    Column("document", JSONB, comment="the whole instance, where it is anything else; else null"),
    Column(
        "recorded_at", Moment, nullable=False, server_default=func.now(), comment="time of the transaction"
    ),
    UniqueConstraint("series", "observed_at", name="observation_key"),
    CheckConstraint("num_nonnulls(number, document) = 1", name="observation_one_value"),
    Index("observation_recorded", "recorded_at", postgresql_using="brin"),
)

storage = Table(
    "storage",
    metadata,
    Column("one", Boolean, primary_key=True, server_default="true", comment="there is one row"),
    Column("retention", Interval, comment="how long history is kept; null is for ever"),
    Column(
        "compress_after",
        Interval,
        server_default=text("INTERVAL '7 days'"),
        comment="age at which TimescaleDB turns a chunk into columns; null is never",
    ),
    Column("kept_from", Moment, comment="history before this is dropped"),
    Column("seen_until", Moment, comment="rows recorded before this are in the rollups"),
    Column("rolled_until", Moment, comment="rollups that end by this are whole"),
    Column("maintained_at", Moment, comment="end of the last round of maintenance"),
    CheckConstraint("one", name="storage_one_check"),
)

stream_position = Table(
    "stream_position",
    metadata,
    Column("stream", Text, nullable=False),
    Column("partition", SmallInteger, nullable=False, server_default="0", comment="from 0"),
    Column("partitions", SmallInteger, nullable=False, server_default="1", comment="how many the stream has"),
    Column("sequence", BigInteger, nullable=False, comment="last message whose effects are committed"),
    Column(
        "committed", BigInteger, nullable=False, server_default="0", comment="messages with a change stored"
    ),
    Column(
        "quarantined",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="messages with a rejection stored",
    ),
    Column("observations", BigInteger, nullable=False, server_default="0", comment="history rows stored"),
    Column(
        "repeated",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="history rows that were there already",
    ),
    Column("updated_at", Moment, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("stream", "partition"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("tenant", SmallInteger, ForeignKey("tenant.tenant"), nullable=False),
    Column("id", BigInteger, Identity(), nullable=False, comment="counts up for each rejection"),
    Column("stream", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("ordinal", SmallInteger, nullable=False, comment="which rejection of the message, from 0"),
    Column("topic", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False, comment="original bytes"),
    Column("received_at", Moment, nullable=False),
    Column("connector", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("cure", Text, nullable=False),
    Column("partial", Boolean, nullable=False),
    PrimaryKeyConstraint("tenant", "id"),
    UniqueConstraint("stream", "sequence", "ordinal", name="quarantine_message"),
)

subscription = Table(
    "subscription",
    metadata,
    Column("tenant", SmallInteger, ForeignKey("tenant.tenant"), nullable=False),
    Column("id", Text(collation="C"), nullable=False),
    Column("kind", Text, nullable=False, server_default="entities", comment="what it watches: see Watched"),
    Column("document", JSONB, nullable=False, comment="as given, terms expanded"),
    Column("context", JSONB, nullable=False, comment="@context for its notifications"),
    Column("created_at", Moment, nullable=False, server_default=func.now()),
    Column("modified_at", Moment, nullable=False, server_default=func.now()),
    Column(
        "status", JSONB, nullable=False, server_default="{}", comment="timesSent, lastSuccess, lastFailure …"
    ),
    PrimaryKeyConstraint("tenant", "id"),
)

subscription_copy = Table(
    "subscription_copy",
    metadata,
    Column("id", Text(collation="C"), primary_key=True, comment="of the copy at the source: a secret"),
    Column("tenant", SmallInteger, ForeignKey("tenant.tenant"), nullable=False),
    Column("subscription_id", Text(collation="C"), nullable=False, comment="may be gone: then it is removed"),
    Column("registration_id", Text(collation="C"), nullable=False, comment="may be gone, too"),
    Column("registration", JSONB, nullable=False, comment="how the source was spoken to last"),
    Column("sent", JSONB(none_as_null=True), comment="what the source has taken"),
    Column("attempts", Integer, nullable=False, server_default="0", comment="failed ones since"),
    Column("due_at", Moment, comment="when it is to be tried again"),
)

subscription_change = Table(
    "subscription_change",
    metadata,
    Column("revision", BigInteger, Identity(always=True), primary_key=True, comment="commits in this order"),
    Column("tenant", SmallInteger, nullable=False),
    Column("subscription_id", Text(collation="C"), nullable=False),
    comment="the last changes to subscriptions, so that indexes in memory read only these",
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="order of notifications"),
    Column("tenant", SmallInteger, nullable=False),
    Column("subscription_id", Text(collation="C"), nullable=False),
    Column(
        "entities", JSONB, nullable=False, comment="list of entities as they were in the writing transaction"
    ),
    Column("created_at", Moment, nullable=False, server_default=func.now()),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due_at", Moment, nullable=False, server_default=func.now()),
    Column("dead_at", Moment, comment="given up; a dead letter"),
    Column("last_error", Text),
    Column("taken_at", Moment, comment="a notifier has it in hand; left there, it may have been sent"),
    Index("outbox_waiting", "tenant", "subscription_id", "id", postgresql_where=text("dead_at IS NULL")),
    Index("outbox_dead", "tenant", "id", postgresql_where=text("dead_at IS NOT NULL")),
)

context = Table(
    "context",
    metadata,
    Column("url", Text, primary_key=True),
    Column("document", JSONB, nullable=False),
    Column("kind", Text, nullable=False, comment="Hosted, Cached or ImplicitlyCreated (5.13)"),
    Column("created_at", Moment, nullable=False, server_default=func.now()),
)

registration = Table(
    "registration",
    metadata,
    Column("tenant", SmallInteger, ForeignKey("tenant.tenant"), nullable=False),
    Column("id", Text(collation="C"), nullable=False),
    Column("document", JSONB, nullable=False, comment="as given, names expanded"),
    Column("status", JSONB, nullable=False, server_default="{}", comment="timesSent, lastFailure …"),
    Column("expires_at", Moment, comment="expiresAt; null is never"),
    Column("created_at", Moment, nullable=False, server_default=func.now()),
    Column("modified_at", Moment, nullable=False, server_default=func.clock_timestamp()),
    PrimaryKeyConstraint("tenant", "id"),
)

source_identity = Table(
    "source_identity",
    metadata,
    Column("one", Boolean, primary_key=True, server_default="true", comment="there is one row"),
    Column("alias", Text, nullable=False, comment="contextSourceAlias of this broker, for Via"),
    Column("since", Moment, nullable=False, server_default=func.now()),
    CheckConstraint("one", name="source_identity_one_check"),
)

entity_map = Table(
    "entity_map",
    metadata,
    Column("tenant", SmallInteger, ForeignKey("tenant.tenant"), nullable=False),
    Column("id", Text(collation="C"), nullable=False),
    Column("query", Text, nullable=False, comment="digest of what was asked"),
    Column("ids", ARRAY(Text), nullable=False, comment="of the entities, in the order of the answer"),
    Column(
        "sources", JSONB, nullable=False, comment="entity id → ids of registrations; who is absent is here"
    ),
    Column("expires_at", Moment, nullable=False),
    PrimaryKeyConstraint("tenant", "id"),
    Index("entity_map_expiry", "expires_at"),
)

snapshot = Table(
    "snapshot",
    metadata,
    Column("tenant", SmallInteger, ForeignKey("tenant.tenant"), nullable=False),
    Column("id", Text(collation="C"), nullable=False),
    Column(
        "home",
        SmallInteger,
        ForeignKey("tenant.tenant"),
        nullable=False,
        unique=True,
        comment="holds its data",
    ),
    Column("document", JSONB, nullable=False, comment="as given"),
    Column("details", JSONB, nullable=False, server_default="{}", comment="status, results of its queries"),
    Column("created_at", Moment, nullable=False, server_default=func.now()),
    Column("modified_at", Moment, nullable=False, server_default=func.now()),
    Column("used_at", Moment, nullable=False, server_default=func.now()),
    Column("expires_at", Moment, nullable=False),
    PrimaryKeyConstraint("tenant", "id"),
    Index("snapshot_expiry", "expires_at"),
)
