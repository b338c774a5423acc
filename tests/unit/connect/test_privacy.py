import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinami.connect.discovery import discover
from machinami.connect.privacy import Pseudonyms, compile_hide
from machinami.connect.router import Router
from machinami.connect.samples import read_samples
from machinami.connect.words import Privacy
from machinami.errors import BadRequestData, SetupError
from unit.connect.helpers import HEAD, NOW, SECRET, TEMPERATURE, message, weather_router

MAC = "5E:00:00:00:00:01"
PRIVACY = Privacy(patterns=["(?:[0-9A-F]{2}:){5}[0-9A-F]{2}"])


@pytest.fixture(scope="module")
def router() -> Router:
    return Router(discover(), SECRET)


def pseudonyms(secret: bytes = SECRET) -> Pseudonyms:
    return Pseudonyms(PRIVACY, secret)


def test_a_pseudonym_holds_for_the_local_day_only() -> None:
    made = pseudonyms()
    before_midnight = datetime(2026, 11, 21, 14, 59, tzinfo=UTC)  # 23:59 in Japan
    same_day = made.pseudonym(MAC, datetime(2026, 11, 20, 15, 0, tzinfo=UTC))
    assert made.pseudonym(MAC, before_midnight) == same_day
    assert made.pseudonym(MAC, datetime(2026, 11, 21, 15, 0, tzinfo=UTC)) != same_day
    assert made.pseudonym(MAC, before_midnight) == same_day


def test_a_pseudonym_depends_on_the_secret_and_not_on_how_an_address_is_written() -> None:
    assert pseudonyms().pseudonym(MAC, NOW) == pseudonyms().pseudonym("5e0000000001", NOW)
    assert pseudonyms().pseudonym(MAC, NOW) != pseudonyms(b"another secret of 16").pseudonym(MAC, NOW)


@given(st.text(min_size=1))
def test_a_pseudonym_maps_to_itself(identifier: str) -> None:
    made = pseudonyms()
    once = made.pseudonym(identifier, NOW)
    assert made.pseudonym(once, datetime(2020, 1, 1, tzinfo=UTC)) == once


@given(st.text(), st.text())
def test_redacting_twice_changes_nothing_more(before: str, after: str) -> None:
    made = pseudonyms()
    once = made.redact(before + MAC + after, NOW)
    assert made.redact(once, datetime(2020, 1, 1, tzinfo=UTC)) == once


@pytest.mark.parametrize("secret", [b"", b"fifteen bytes.."])
def test_a_short_secret_is_refused(secret: bytes) -> None:
    with pytest.raises(SetupError, match="secret"):
        pseudonyms(secret)


def test_a_broken_pattern_is_refused() -> None:
    with pytest.raises(SetupError) as caught:
        Pseudonyms(Privacy(patterns=["("]), SECRET)
    assert (caught.value.field, caught.value.value) == ("privacy.patterns", "(")


def test_identifiers_in_lists_and_members_are_hidden_in_place() -> None:
    hide = compile_hide(["seen[].phone.mac", "owner"], pseudonyms())
    assert hide
    document = {"seen": [{"phone": {"mac": MAC}}], "owner": 12345}
    hide(document, NOW)
    assert document == {
        "seen": [{"phone": {"mac": pseudonyms().pseudonym(MAC, NOW)}}],
        "owner": pseudonyms().pseudonym("12345", NOW),
    }


@pytest.mark.parametrize(
    "document", [{}, {"seen": 1}, {"seen": [1]}, {"seen": [{}]}, {"seen": [{"mac": [MAC]}]}]
)
def test_an_identifier_that_cannot_be_hidden_is_refused_and_not_shown(document: dict[str, object]) -> None:
    hide = compile_hide(["seen[].mac"], pseudonyms())
    assert hide
    with pytest.raises(BadRequestData) as caught:
        hide(document, NOW)
    assert MAC not in str(caught.value.value)


def test_pseudonymise_without_privacy_is_refused(tmp_path: Path) -> None:
    manifest = HEAD + 'pseudonymise = ["who"]\n' + TEMPERATURE
    with pytest.raises(SetupError, match=r"weather/connector\.toml: pseudonymise without \[privacy\]"):
        weather_router(tmp_path, manifest)


BAD_DETECTIONS = [
    (
        "minew/namiki/AC233FC00001/status",
        '[{"type":"Gateway","timestamp":"2026-11-21T01:02:03Z"},{"mac":"5E0000000001","rssi":null}]',
        "5E0000000001",
    ),
    ("minew/namiki/AC233FC00001/status", '[{"mac":"5e:00:00:00:00:01"', "5e:00:00:00:00:01"),
    ("minew/namiki/AC233FC00001/status", r'[{"mac":"\u0035E0000000001"', "5E0000000001"),
    ("minew/namiki/AC233FC00001/other", '[{"mac":"5E0000000001"}]', "5E0000000001"),
    ("minew/namiki/AC233FC00001/status", '[{"mac":"phone-of-taro"}]', "phone-of-taro"),
    ("replay/fukui-wifi/64", '{"time":"u00001","device":"u00001"}', "u00001"),
    ("replay/fukui-wifi/64", '{"time":"2024-10-20 00:00:50","device":"phone-of-taro","packets":"x"}', "taro"),
    ("replay/fukui-wifi/64", '{"time":"2024-10-20 00:00:50","device":["u00001"]}', "u00001"),
]


@pytest.mark.parametrize(("topic", "payload", "identifier"), BAD_DETECTIONS)
def test_no_identifier_reaches_quarantine(router: Router, topic: str, payload: str, identifier: str) -> None:
    sent = message(topic, payload.encode())
    rejections = router.map(sent).rejections
    assert rejections
    assert identifier not in str(rejections)
    assert identifier.encode() not in router.redact(sent)


def test_a_redacted_payload_maps_to_what_the_original_would(router: Router) -> None:
    detection = {"time": "2024-10-20 00:00:50", "facility_no": "64", "device": "u00001", "packets": "1"}
    original = message("replay/fukui-wifi/64", detection)
    redacted = message(original.topic, router.redact(original))
    assert b"u00001" not in redacted.payload
    assert router.map(redacted) == router.map(original)


@pytest.mark.parametrize("name", ["people-flow", "fukui-wifi"])
def test_what_was_redacted_stays_as_it_is_and_maps_alike(router: Router, name: str) -> None:
    for sample in read_samples(discover()[name].folder):
        once = message(sample.message.topic, router.redact(sample.message), sample.message.received_at)
        assert router.redact(once) == once.payload
        assert router.map(once).changes == router.map(sample.message).changes


def test_other_connectors_payloads_stay_byte_for_byte(router: Router) -> None:
    sent = message("ul/namiki-river/g/attrs", b"\xff u00001 5E0000000001")
    assert router.redact(sent) == sent.payload
    assert router.redact(message("nobody", sent.payload)) == sent.payload


@given(payload=st.binary())
def test_whatever_the_bytes_they_can_be_redacted(router: Router, payload: bytes) -> None:
    for topic in ("minew/namiki/g/status", "replay/fukui-wifi/64", "replay/fukui-wifi", "x"):
        assert isinstance(router.redact(message(topic, payload)), bytes)


def test_counts_survive_hiding(router: Router) -> None:
    packets = [{"mac": f"5E000000000{n % 2}", "rssi": -60 - n, "type": "Unknown"} for n in range(4)]
    gateway = {"type": "Gateway", "timestamp": "2026-11-21T01:02:03Z"}
    (change,) = router.map(message("minew/namiki/g/status", [gateway, *packets])).changes
    assert "5E" not in json.dumps(change.attributes)
    assert next(instance[0]["value"] for instance in change.attributes.values()) == 2
