import json
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from machinami.connect.discovery import discover
from machinami.connect.router import Router
from machinami.errors import SetupError
from machinami.model import Mapped, Operation
from machinami.ngsild.context import CORE
from unit.connect.helpers import (
    HEAD,
    SECRET,
    TEMPERATURE,
    message,
    only_value,
    weather_router,
    write_connector,
)

AT = "2026-11-21T10:02:03"
HUMIDITY = '\n[[message.attribute]]\nname = "humidity"\npath = "h"\nunit = "P1"\nminimum = 0\n'


def summary(mapped: Mapped) -> list[tuple[str, str, bool]]:
    return [(r.field, r.reason, r.partial) for r in mapped.rejections]


@pytest.fixture(scope="module")
def router() -> Router:
    return Router(discover(), SECRET)


def test_a_message_becomes_a_change_with_units_and_its_own_time(tmp_path: Path) -> None:
    (change,) = weather_router(tmp_path).map(message("weather/w1", {"at": AT, "t": 21.5})).changes
    assert change.entity_id == "urn:ngsi-ld:WeatherObserved:test:w1"
    assert change.types == (CORE.expand_type("WeatherObserved"),)
    assert (change.operation, change.only_newer, change.tenant) == (Operation.MERGE, True, "default")
    instance = {"type": "Property", "value": 21.5, "unitCode": "CEL", "observedAt": "2026-11-21T01:02:03Z"}
    assert change.attributes == {CORE.expand("temperature"): [instance]}


def test_a_bad_attribute_is_rejected_alone(tmp_path: Path) -> None:
    mapped = weather_router(tmp_path, HEAD + TEMPERATURE + HUMIDITY).map(
        message("weather/w1", {"at": AT, "t": 21.5, "h": -1})
    )
    (change,), (rejection,) = mapped.changes, mapped.rejections
    assert list(change.attributes) == [CORE.expand("temperature")]
    assert rejection.partial
    assert (rejection.connector, rejection.field, rejection.value) == ("weather", "h", "-1")
    assert rejection.reason == "less than 0"
    assert rejection.cure


def test_when_nothing_is_sound_nothing_is_partial(tmp_path: Path) -> None:
    mapped = weather_router(tmp_path, HEAD + TEMPERATURE + HUMIDITY).map(
        message("weather/w1", {"at": AT, "h": "x"})
    )
    assert not mapped.changes
    assert summary(mapped) == [
        ("t", "missing", False),
        ("h", "not a number", False),
    ]


def test_one_bad_reading_of_several_is_rejected_alone(tmp_path: Path) -> None:
    readings = [{"at": AT, "t": 1}, {"t": 2}, {"at": AT, "t": 3}]
    mapped = weather_router(tmp_path).map(message("weather/w1", readings))
    assert len(mapped.changes) == 2
    assert summary(mapped) == [("at", "the time is missing", True)]


def test_an_undeclared_topic_is_a_rejection_without_connector(router: Router) -> None:
    (rejection,) = router.map(message("no/such/topic", b"{}")).rejections
    assert (rejection.connector, rejection.field, rejection.value) == ("", "topic", "no/such/topic")


@pytest.mark.parametrize(
    ("topic", "entity"),
    [
        ("weather/駅 1", "urn:ngsi-ld:WeatherObserved:test:%E9%A7%85%201"),
        ("weather/50%", "urn:ngsi-ld:WeatherObserved:test:50%25"),
    ],
)
def test_topic_levels_become_uris(tmp_path: Path, topic: str, entity: str) -> None:
    (change,) = weather_router(tmp_path).map(message(topic, {"at": AT, "t": 1})).changes
    assert change.entity_id == entity


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("weather/", "empty, and the id needs it"),
        ("weather/" + "x" * 1_000, "an id of more than 1000 characters"),
        ("weather/\ud800", "text with NUL or broken characters"),
        ("weather/\x00", "text with NUL or broken characters"),
    ],
)
def test_a_topic_that_makes_no_id_is_rejected_by_name(tmp_path: Path, topic: str, reason: str) -> None:
    (rejection,) = weather_router(tmp_path).map(message(topic, {"at": AT, "t": 1})).rejections
    assert (rejection.connector, rejection.reason) == ("weather", reason)


def test_an_id_may_come_from_the_payload(tmp_path: Path) -> None:
    manifest = HEAD.replace(":{station}", ":{meta.serial}") + TEMPERATURE
    router = weather_router(tmp_path, manifest)
    (change,) = router.map(message("weather/w1", {"at": AT, "t": 1, "meta": {"serial": 7}})).changes
    assert change.entity_id == "urn:ngsi-ld:WeatherObserved:test:7"
    (rejection,) = router.map(message("weather/w1", {"at": AT, "t": 1})).rejections
    assert (rejection.field, rejection.reason) == ("meta.serial", "missing, and the id needs it")


def test_when_keeps_other_messages_out(tmp_path: Path) -> None:
    router = weather_router(tmp_path, HEAD + 'when = { "meta.kind" = 1 }\n' + TEMPERATURE)
    assert only_value(router.map(message("weather/w1", {"at": AT, "t": 1, "meta": {"kind": 1}}))) == 1
    for kind in (True, "1", None):
        (rejection,) = router.map(
            message("weather/w1", {"at": AT, "t": 1, "meta": {"kind": kind}})
        ).rejections
        assert (rejection.field, rejection.reason) == ("meta.kind", "not 1, so this rule does not read it")


def test_the_manifest_moves_future_and_tenant(tmp_path: Path) -> None:
    manifest = HEAD.replace("title", 'tenant = "north"\ntitle') + TEMPERATURE + "[limits]\nfuture_hours = 0\n"
    router = weather_router(tmp_path, manifest)
    (change,) = router.map(message("weather/w1", {"at": "2026-11-21T01:02:10Z", "t": 1})).changes
    assert change.tenant == "north"
    assert router.map(message("weather/w1", {"at": "2026-11-21T01:02:11Z", "t": 1})).rejections


def test_a_payload_of_nothing_but_optional_values_that_are_not_there_is_rejected(tmp_path: Path) -> None:
    router = weather_router(tmp_path, HEAD + TEMPERATURE + "optional = true\n")
    (rejection,) = router.map(message("weather/w1", {"at": AT})).rejections
    assert rejection.reason == "no attribute of the manifest is in the payload"


def test_a_rejection_can_be_stored_whatever_the_value(tmp_path: Path) -> None:
    payload = {"at": AT, "t": "\x00\ud83d" + "x" * 500}
    sent = message("weather/w1", json.dumps(payload).replace("\\ud83d", "\\u0007").encode())
    (rejection,) = weather_router(tmp_path).map(sent).rejections
    assert len(rejection.value) == 200
    assert rejection.value.isprintable()


def test_a_defect_of_ours_is_a_rejection_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Mapped:
        raise ZeroDivisionError

    monkeypatch.setattr("machinami.connect.messages.MessageMapper.map", broken)
    (rejection,) = weather_router(tmp_path).map(message("weather/w1", {})).rejections
    assert (rejection.connector, rejection.reason) == ("weather", "the connector failed: ZeroDivisionError")


def test_two_connectors_on_one_topic_are_refused(tmp_path: Path) -> None:
    connector = write_connector(tmp_path, HEAD + TEMPERATURE)
    with pytest.raises(SetupError, match=r"connector\.toml: topic 'weather/\{station\}' is already declared"):
        Router({"weather": connector, "copy": connector}, SECRET)


def test_remembered_topics_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("machinami.connect.router.KNOWN_TOPICS", 3)
    router = weather_router(tmp_path)
    for n in range(10):
        assert router.map(message(f"weather/w{n}", {"at": AT, "t": n})).changes
    assert len(router._routes) <= 3


TOPICS = [
    "v3/namiki-paddy@namiki/devices/paddy-001/up",
    "ul/namiki-river/g1/attrs",
    "minew/namiki/AC233FC00001/status",
    "owntracks/namiki/b1",
    "gbfs/namiki/station_status/p1",
    "replay/fukui-river/1",
    "replay/fukui-wifi/64",
    "replay/kakogawa-probe/1",
]
KEYS = [
    *(
        "received_at",
        "uplink_message",
        "frm_payload",
        "type",
        "mac",
        "rssi",
        "timestamp",
        "_type",
        "lat",
        "lon",
    ),
    *("tst", "vel", "batt", "num_bikes_available", "is_renting", "last_reported", "日時", "河川水位"),
    *("time", "device", "packets", "vehicle_id"),
]
WORDS = [
    "location",
    "Gateway",
    "Unknown",
    "2026-11-21T01:02:03Z",
    "2024-10-20 00:00:50",
    "*",
    "",
    "AAAA",
    "1",
]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner, max_size=8)
    ),
    max_leaves=12,
)
payloads = st.one_of(
    st.binary(),
    values.map(lambda value: json.dumps(value).encode()),
    st.lists(st.sampled_from([*WORDS, "l", "b", "|", "#", "2.3"])).map(
        lambda parts: "|".join(parts).encode()
    ),
)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(topic=st.sampled_from(TOPICS) | st.text(), twenty=st.lists(payloads, min_size=20, max_size=20))
def test_ten_thousand_payloads_are_changes_or_rejections_that_can_be_stored(
    router: Router, topic: str, twenty: list[bytes]
) -> None:
    for payload in twenty:
        check_storable(router.map(message(topic, payload)))


def check_storable(mapped: Mapped) -> None:
    assert mapped.changes or mapped.rejections
    for change in mapped.changes:
        assert orjson.dumps(change.attributes)
        assert change.entity_id.isascii()
    for rejection in mapped.rejections:
        assert rejection.reason
        assert not rejection.reason.startswith("the connector failed")
        assert all(text.isprintable() for text in (rejection.field, rejection.value, rejection.reason))
        assert rejection.partial == bool(mapped.changes)
