"""Evolutions of several places become one (clauses 5.7.3.4, 6.3.10 and 4.5.6)."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from machinami.federation.evolutions import Wish, horizon_of
from machinami.federation.exchange import Forward, Reply
from machinami.federation.received import Asked, Remote, Resolve
from machinami.federation.registration import Information, Mode, Registration
from machinami.linkage.histories import Most, compose
from machinami.model import Entity
from machinami.ngsild.context import CORE, Context
from machinami.ngsild.terms import SCOPE
from machinami.store.queries_temporal import Observed
from machinami.store.queries_window import Span

ROOM = "urn:ngsi-ld:Room:1"
LEVEL = "https://uri.etsi.org/ngsi-ld/default-context/level"
_REGISTRATION = Registration(
    tenant=1,
    id="urn:x:registration",
    mode=Mode.INCLUSIVE,
    operations=frozenset(),
    endpoint="http://127.0.0.1:9",
    information=(),
)
_FORWARD = Forward(registration=_REGISTRATION, method="GET", url="", headers={}, context=CORE)


def _hour(hour: int) -> datetime:
    return datetime(2026, 5, 1, hour, tzinfo=UTC)


def _instance(value: Any, hour: int, **more: str) -> dict[str, Any]:
    return {"type": "Property", "value": value, "observedAt": f"2026-05-01T{hour:02}:00:00Z", **more}


def _core(_: object) -> Context:
    return CORE


def _told(status: int, **members: Any) -> Remote:
    remote = Remote()
    document = {"id": ROOM, "type": "Room", **members}
    reply = Reply(forward=_FORWARD, status=status, body=orjson.dumps(document))
    asked = Asked(forward=_FORWARD, item=Information(), of_history=True)
    remote.add(asked, reply, Resolve(_core, CORE))
    assert not remote.warnings
    return remote


def _wish(**most: Any) -> Wish:
    return Wish(span=Span(), timeproperty="observedAt", most=Most(**most))


def test_what_a_source_says_is_kept_with_its_times() -> None:
    stamps = {
        "instanceId": "urn:ngsi-ld:Instance:7",
        "createdAt": "2026-05-02T00:00:00Z",
        "modifiedAt": "2026-05-03T00:00:00Z",
    }
    gone = {"type": "Property", "value": "urn:ngsi-ld:null", "deletedAt": "2026-05-04T00:00:00Z"}
    ended: dict[str, Any] = {"type": "Property", "value": [], "deletedAt": "2026-05-05T00:00:00Z", **stamps}
    remote = _told(200, level=[_instance(1, 1, **stamps), gone], scope=[_instance("/a", 1, **stamps), ended])
    [entity] = remote.equals[ROOM]
    assert entity.attributes[LEVEL] == [_instance(1, 1, **stamps), gone]
    assert entity.attributes[SCOPE] == [_instance("/a", 1)]
    assert not remote.partial
    assert _told(200, scope=["/a", "/b"]).equals[ROOM][0].scope == ("/a", "/b")
    assert _told(200, scope=ended).equals[ROOM][0].attributes == {}


@pytest.mark.parametrize(("last_n", "end"), [(None, 3), (5, 1)])
def test_a_first_part_reaches_as_far_as_its_last_instance(last_n: int | None, end: int) -> None:
    remote = _told(206, level=[_instance(1, 1), _instance(3, 3), _instance(2, 2)])
    assert horizon_of(_wish(last_n=last_n), remote) == _hour(end)
    whole = _told(200, level=[_instance(1, 1)])
    assert horizon_of(_wish(last_n=last_n), whole) is None


@pytest.mark.parametrize(
    ("most", "horizon", "hours", "extent"),
    [
        ({}, None, [1, 2, 3, 4], None),
        ({}, 2, [1, 2], (1, 2)),
        ({"instances": 3}, None, [1, 2, 3], (1, 3)),
        ({"instances": 1}, 3, [1], (1, 1)),
        ({"last_n": 9}, 3, [4, 3], (4, 3)),
        ({"last_n": 1}, 3, [4], (4, 3)),
    ],
)
def test_an_answer_ends_where_something_may_lack(
    most: dict[str, int], horizon: int | None, hours: list[int], extent: tuple[int, int] | None
) -> None:
    rows = [
        Observed(entity_id=ROOM, attribute=LEVEL, moment=_hour(hour), instance=_instance(hour, hour))
        for hour in sorted((1, 2, 3, 4), reverse="last_n" in most)
    ]
    [found] = compose(
        [Entity(id=ROOM, types=("urn:x:Room",), attributes={})],
        rows,
        Most(**most),
        horizon=_hour(horizon) if horizon else None,
    )
    assert [each["value"] for each in found.attributes[LEVEL]] == hours
    assert found.extent == (extent and tuple(_hour(hour) for hour in extent))
