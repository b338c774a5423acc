import json
from pathlib import Path

from machinami.connect.discovery import discover
from machinami.connect.dry_run import Step, dry_run
from unit.connect.helpers import HEAD, NOW, TEMPERATURE, write_connector

WIND = '\n[[message.attribute]]\nname = "windSpeed"\npath = ["w", "wind.speed"]\noptional = true\n'


def steps(folder: Path, payload: object, topic: str = "weather/w1") -> dict[str, Step]:
    connector = write_connector(folder, HEAD + 'when = { kind = "now" }\n' + TEMPERATURE + WIND)
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return {step.rule: step for step in dry_run(connector, topic, data, NOW)}


def test_every_rule_shows_path_found_value_and_result(tmp_path: Path) -> None:
    shown = steps(tmp_path, {"kind": "now", "at": "2026-11-21T10:02:03", "t": 21.5})
    assert list(shown) == ["topic", "format", "when", "time", "id", "temperature", "windSpeed"]
    assert shown["topic"].result == '{"station":"w1"}'
    assert (shown["time"].found, shown["time"].result) == ("2026-11-21T10:02:03", "2026-11-21T01:02:03Z")
    assert shown["id"].result == "urn:ngsi-ld:WeatherObserved:test:w1"
    assert (shown["temperature"].path, shown["temperature"].result) == ("t", "21.5 CEL")
    assert (shown["windSpeed"].path, shown["windSpeed"].result) == ("w, wind.speed", "(left out)")
    assert not any(step.reason for step in shown.values())


def test_a_rule_that_fails_says_why_and_the_others_go_on(tmp_path: Path) -> None:
    shown = steps(tmp_path, {"kind": "then", "at": "noon", "t": 99})
    reasons = {rule: step.reason for rule, step in shown.items() if step.reason}
    assert reasons == {
        "when": "not 'now', so this rule does not read it",
        "time": "the time cannot be read",
        "temperature": "greater than 60",
    }
    assert all(shown[rule].cure for rule in reasons)


def test_a_payload_that_cannot_be_decoded_ends_there(tmp_path: Path) -> None:
    shown = steps(tmp_path, b"{")
    assert list(shown) == ["topic", "format"]
    assert shown["format"].reason.startswith("not JSON")


def test_another_topic_lists_those_declared(tmp_path: Path) -> None:
    shown = steps(tmp_path, {}, "rain/w1")
    assert list(shown) == ["topic"]
    assert "weather/{station}" in shown["topic"].cure


def test_identifiers_are_hidden_before_they_are_shown() -> None:
    detection = {"time": "2024-10-20 00:00:50", "device": "u00001", "packets": "1"}
    shown = dry_run(discover()["fukui-wifi"], "replay/fukui-wifi/64", json.dumps(detection).encode(), NOW)
    assert "anon-" in next(step.result for step in shown if step.rule == "id")
    assert next(step.result for step in shown if step.rule == "pseudonymise") == "hidden"
