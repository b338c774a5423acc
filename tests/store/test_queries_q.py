"""The query language in SQL says what `matching.matches` says of an entity in memory."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from machinami.errors import BadRequestData
from machinami.linkage.write import Linkage
from machinami.model import Change, Entity
from machinami.ngsild.context import CORE
from machinami.ngsild.q import matches, parse_q
from machinami.ngsild.query import Absent, And, Comparison, Exists, Node, Operator, Or, Path, Range
from machinami.store.partitions import make_partitions, month_of
from machinami.store.queries import Selection, fetch_entities
from machinami.store.queries_q import q_clause
from machinami.store.queries_window import InSpan, Span
from machinami.store.reading import reading
from machinami.store.tables import entity as entity_table
from machinami.store.tables import observation, series
from sqlalchemy import Connection, Engine, insert, select

A, B, SUB = (f"https://example.org/{name}" for name in ("a", "b", "sub"))
_ID = "urn:ngsi-ld:T:1"

_moments = st.sampled_from(
    [
        "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.0Z", "2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00.50Z",
        "2026-01-01T00:00:00.51Z", "2026-01-01T00:00:00.123456Z", "2026-01-01T00:00:01Z",
        "2025-12-31T23:59:59Z",
    ]
)  # fmt: skip
_texts = st.one_of(
    st.sampled_from(["", "a", "b", "ab", 'quo"te', "back\\slash", "水位", "2026-01-01"]), _moments
)
_numbers = st.one_of(st.integers(-3, 3), st.sampled_from([0.5, -0.5, 1e20, 2.0]))
_scalars = st.one_of(_texts, _numbers, st.booleans())
_values = st.one_of(
    _scalars,
    st.lists(_scalars, max_size=3),
    st.dictionaries(
        st.sampled_from(["m", "n"]), st.one_of(_scalars, st.lists(_scalars, max_size=2)), max_size=2
    ),
    st.builds(lambda text: {"@type": "DateTime", "@value": text}, _moments),
    st.lists(st.dictionaries(st.just("m"), _scalars, max_size=1), max_size=2),
)


def _instance(value: Any, kind: str) -> dict[str, Any]:
    members = {
        "Property": {"value": value},
        "Relationship": {"object": "urn:ngsi-ld:T:2"},
        "LanguageProperty": {"languageMap": {"ja": "水位", "en": ["level", "ab"]}},
        "VocabProperty": {"vocab": B},
        "JsonProperty": {"json": value},
        "ListProperty": {"valueList": value if isinstance(value, list) else [value]},
    }
    return {"type": kind, **members[kind], "observedAt": "2026-01-01T00:00:00.5Z"}


_kinds = st.sampled_from(
    ["Property", "Relationship", "LanguageProperty", "VocabProperty", "JsonProperty", "ListProperty"]
)
_plain = st.builds(_instance, _values, _kinds)
_nested = st.builds(lambda outer, inner: {**outer, SUB: [inner]}, _plain, _plain)
_attributes = st.dictionaries(
    st.sampled_from([A, B]), st.lists(_nested | _plain, min_size=1, max_size=2), max_size=2
)

_paths = st.builds(
    Path,
    attribute=st.sampled_from([A, B]),
    steps=st.sampled_from([(), (), (SUB,), ("observedAt",), (SUB, "observedAt")]),
    members=st.sampled_from([(), (), ("m",), ("m", "n"), ("ja",), ("*",)]),
).map(
    lambda path: Path(
        attribute=path.attribute, steps=path.steps, members=() if "observedAt" in path.steps else path.members
    )
)
_times = _moments.map(datetime.fromisoformat)
_days = st.sampled_from([datetime(2026, 1, 1, tzinfo=UTC).date(), datetime(2025, 1, 1, tzinfo=UTC).date()])
_clocks = _moments.map(lambda text: datetime.fromisoformat(text).timetz())
_operands = st.one_of(_texts, _numbers, st.booleans(), _times, _days, _clocks)
_ranges = st.one_of(
    st.builds(lambda one, two: Range(low=min(one, two), high=max(one, two)), kind, kind)
    for kind in (_texts, _numbers, _times)
)
_orders = (Operator.GREATER, Operator.GREATER_EQUAL, Operator.LESS, Operator.LESS_EQUAL)
_comparisons = st.one_of(
    st.builds(
        lambda path, operator, operands: Comparison(path=path, operator=operator, operands=tuple(operands)),
        _paths,
        st.sampled_from([Operator.EQUAL, Operator.UNEQUAL]),
        st.lists(_operands | _ranges, min_size=1, max_size=2),
    ),
    st.builds(
        lambda path, operator, operand: Comparison(path=path, operator=operator, operands=(operand,)),
        _paths,
        st.sampled_from(_orders),
        st.one_of(_texts, _numbers, _times, _days, _clocks),
    ),
    st.builds(
        lambda path, operator, pattern: Comparison(path=path, operator=operator, operands=(pattern,)),
        _paths,
        st.sampled_from([Operator.MATCH, Operator.NOT_MATCH]),
        st.sampled_from(["a", "^b$", "a|b", r"\d+", "水.", 'quo"', r"\\"]),
    ),
)
_leaves = st.one_of(_comparisons, st.builds(Exists, path=_paths), st.builds(Absent, path=_paths))
_nodes = st.one_of(
    _leaves,
    st.builds(lambda one, two: And(nodes=(one, two)), _leaves, _leaves),
    st.builds(lambda one, two: Or(nodes=(one, two)), _leaves, _leaves),
)


def _in_sql(connection: Connection, attributes: dict[str, Any], node: Node) -> bool:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    row = {
        "tenant": 1,
        "id": _ID,
        "types": [A],
        "attributes": attributes,
        "created_at": moment,
        "modified_at": moment,
    }
    with connection.begin_nested() as savepoint:
        connection.execute(insert(entity_table).values(**row))
        found = connection.execute(
            select(entity_table.c.id).where(entity_table.c.id == _ID, q_clause(node))
        ).scalar_one_or_none()
        savepoint.rollback()
    return found is not None


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(attributes=_attributes, node=_nodes)
def test_sql_and_memory_agree(connection: Connection, attributes: dict[str, Any], node: Node) -> None:
    entity = Entity(id=_ID, types=(A,), attributes=attributes)
    assert _in_sql(connection, attributes, node) == matches(node, entity)


def _in_history(connection: Connection, attributes: dict[str, Any], node: Node) -> bool:
    """The same of an entity that has nothing now and had these instances."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    row = {
        "tenant": 1,
        "id": _ID,
        "types": [A],
        "attributes": {},
        "created_at": moment,
        "modified_at": moment,
    }
    own = {"tenant": 1, "entity_id": _ID}
    with connection.begin_nested() as savepoint:
        connection.execute(insert(entity_table).values(**row))
        for name, instances in attributes.items():
            for place, instance in enumerate(instances):
                named = insert(series).values(**own, attribute=name, dataset_id=f"urn:d:{place}")
                number = connection.execute(named.returning(series.c.series)).scalar_one()
                there = {"series": number, "observed_at": moment, "document": instance}
                connection.execute(insert(observation).values(**there))
        wanted = q_clause(node, InSpan(Span(start=moment, end=moment + timedelta(seconds=1))))
        query = select(entity_table.c.id).where(entity_table.c.id == _ID, wanted)
        found = connection.execute(query).scalar_one_or_none()
        savepoint.rollback()
    return found is not None


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(attributes=_attributes, node=_nodes)
def test_instances_of_a_span_and_memory_agree(
    connection: Connection, attributes: dict[str, Any], node: Node
) -> None:
    """Clause 5.7.4.4."""
    entity = Entity(id=_ID, types=(A,), attributes=attributes)
    assert _in_history(connection, attributes, node) == matches(node, entity)


_MOMENT = st.builds(
    lambda second, digits: f"2026-01-01T00:00:0{second}" + (f".{digits}" if digits else "") + "Z",
    st.integers(0, 1),
    st.text(alphabet="015", max_size=6),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(there=_MOMENT, asked=_MOMENT, operator=st.sampled_from([Operator.EQUAL, Operator.UNEQUAL, *_orders]))
def test_moments_compare_as_moments(
    connection: Connection, there: str, asked: str, operator: Operator
) -> None:
    attributes = {A: [{"type": "Property", "value": there}]}
    node = Comparison(path=Path(attribute=A), operator=operator, operands=(datetime.fromisoformat(asked),))
    assert _in_sql(connection, attributes, node) == matches(
        node, Entity(id=_ID, types=(A,), attributes=attributes)
    )


@pytest.fixture
def connection(engine: Engine) -> Any:
    Linkage(engine).apply([Change(entity_id="urn:ngsi-ld:T:0", types=(A,))])  # the default tenant exists
    with engine.begin() as connection:
        make_partitions(connection, "observation", [month_of(datetime(2026, 1, 1, tzinfo=UTC))])
    with engine.connect() as connection:
        yield connection


@pytest.mark.parametrize(
    ("q", "matching"),
    [
        ("createdAt>2000-01-01T00:00:00Z", True),
        ("createdAt<2000-01-01T00:00:00Z", False),
        ("modifiedAt==2000-01-01T00:00:00Z", False),
        ("modifiedAt!=2000-01-01T00:00:00Z", True),
        ("createdAt", True),
        ("createdAt==2000-01-01T00:00:00Z..2100-01-01T00:00:00Z", True),
    ],
)
def test_the_entity_s_own_times_are_columns(connection: Connection, q: str, matching: bool) -> None:
    assert _in_sql(connection, {}, parse_q(q, CORE)) is matching


def test_a_pattern_that_is_none_is_the_client_s_mistake(engine: Engine) -> None:
    path = Path(attribute=A)
    node = Comparison(path=path, operator=Operator.MATCH, operands=("a(",))
    with pytest.raises(BadRequestData, match="regular expression"), reading(engine) as connection:
        fetch_entities(connection, 1, Selection(q=node), limit=1)
