"""Queries over a hundred thousand entities are answered from indexes: PostgreSQL's own plans say so."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from machinami.ngsild.context import CORE
from machinami.ngsild.geo import parse_geo
from machinami.ngsild.q import parse_q
from machinami.store.partitions import make_partitions, month_of
from machinami.store.queries import EntitySelector, Selection, fetch_candidates, fetch_entities, fetch_next
from machinami.store.queries_temporal import fetch_temporal_ids
from machinami.store.queries_window import Span
from machinami.store.tenants import tenant_number
from sqlalchemy import Connection, Engine, event, text

_DEFAULT = "https://uri.etsi.org/ngsi-ld/default-context/"
_ENTITIES = 100_000
_SIDE = 317  # they lie on a grid of so many by so many, about 70 m apart
_FILL = text("""
    INSERT INTO entity (tenant, id, types, attributes, bounds, created_at, modified_at)
    SELECT :tenant, 'urn:ngsi-ld:Room:' || n, ARRAY[:type || n % 4],
        jsonb_build_object(
            CAST(:level AS text),
            jsonb_build_array(jsonb_build_object('type', 'Property', 'value', n % 100)),
            'https://uri.etsi.org/ngsi-ld/location',
            jsonb_build_array(jsonb_build_object(
                'type', 'GeoProperty',
                'value', jsonb_build_object('type', 'Point', 'coordinates', jsonb_build_array(x, y))
            ))
        ),
        box(point(x, y), point(x, y)), now(), now()
    FROM generate_series(0, :count - 1) n,
        LATERAL (SELECT 151.4 + 0.2 * (n % :side) / :side AS x, 30.4 + 0.2 * (n / :side) / :side AS y) p
""")

_RECORD = text("""
    WITH recorded AS (
        INSERT INTO series (tenant, entity_id, attribute)
        SELECT :tenant, 'urn:ngsi-ld:Room:' || n, :level FROM generate_series(0, :count - 1) n
        RETURNING series
    )
    INSERT INTO observation (series, observed_at, number)
    SELECT series, CAST(:start AS timestamptz) + m * interval '1 hour', m
    FROM recorded, generate_series(0, 3) m
""")
_START = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def tenant(engine: Engine) -> int:
    """A tenant with very many entities of four types."""
    names = {"type": f"{_DEFAULT}Kind", "level": f"{_DEFAULT}level"}
    with engine.begin() as connection:
        number = tenant_number(connection, "", create=True)
        connection.execute(_FILL, {"tenant": number, "count": _ENTITIES, "side": _SIDE, **names})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE entity"))
    return number


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from _nodes(each)


class _Plans:
    """What the database plans for the statements that a connection runs."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._asked: list[tuple[str, Any]] = []
        event.listen(connection, "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        self._asked.append((statement, parameters))

    def indexes(self) -> set[str]:
        """The indexes used; fails where the whole table is read."""
        event.remove(self._connection, "before_cursor_execute", self._note)
        found: set[str] = set()
        for statement, parameters in self._asked:
            answer = self._connection.exec_driver_sql(
                f"EXPLAIN (FORMAT JSON) {statement}", parameters
            ).scalar_one()
            (plan,) = json.loads(answer) if isinstance(answer, str) else answer
            nodes = list(_nodes(plan["Plan"]))
            assert not [node for node in nodes if node["Node Type"] == "Seq Scan"], plan
            found |= {node["Index Name"] for node in nodes if "Index Name" in node}
        return found


def test_type_value_and_area_use_the_index_of_places(engine: Engine, tenant: int) -> None:
    selection = Selection(
        selectors=(EntitySelector(types=((f"{_DEFAULT}Kind1",),)),),
        q=parse_q("level>50", CORE),
        geo=parse_geo("near;maxDistance==1000", "Point", "[151.5,30.5]", None, CORE),
    )
    with engine.connect() as connection:
        plans = _Plans(connection)
        candidates = fetch_candidates(
            connection, tenant, selection, ["https://uri.etsi.org/ngsi-ld/location"]
        )
        page = fetch_next(connection, tenant, selection, after="", limit=1_000)
        assert 0 < len(candidates) == len(page) < 1_000
        assert "entity_bounds" in plans.indexes()


def test_ids_and_pages_use_the_primary_key(engine: Engine, tenant: int) -> None:
    with engine.connect() as connection:
        plans = _Plans(connection)
        ids = ("urn:ngsi-ld:Room:7", "urn:ngsi-ld:Room:99999")
        assert len(fetch_entities(connection, tenant, Selection(among=ids), limit=10)) == 2
        assert len(fetch_next(connection, tenant, Selection(), after="urn:ngsi-ld:Room:5", limit=20)) == 20
        assert plans.indexes() == {"entity_pkey"}


def test_what_was_so_in_a_span_is_found_series_by_series(engine: Engine, tenant: int) -> None:
    """Clause 5.7.4.4: a query over the instances of a span reads these, not the history."""
    size = {"count": _ENTITIES}
    with engine.begin() as connection:
        make_partitions(connection, "observation", [month_of(_START)])
        connection.execute(_RECORD, {"tenant": tenant, "level": f"{_DEFAULT}level", "start": _START, **size})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE series, observation"))
    selection = Selection(
        selectors=(EntitySelector(types=((f"{_DEFAULT}Kind1",),)),), q=parse_q("level>1", CORE)
    )
    span = Span(start=_START + timedelta(hours=1), end=_START + timedelta(hours=3))
    with engine.connect() as connection:
        plans = _Plans(connection)
        assert len(fetch_temporal_ids(connection, tenant, selection, span, limit=20)) == 20
        of_history = (
            "_series_observed_at_key",
            "_observation_key",
        )  # of a partition, of a chunk of TimescaleDB's
        assert any(name.endswith(of_history) for name in plans.indexes())
