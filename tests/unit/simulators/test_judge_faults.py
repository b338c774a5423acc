"""Who made which part of an error: the judge on hand-made records."""

import pytest
from machinami_simulators import city, plan
from machinami_simulators.judge.alerts import alerts
from machinami_simulators.judge.equipment import equipment
from machinami_simulators.judge.platform import Observation
from machinami_simulators.judge.readings import KINDS, Readings
from machinami_simulators.judge.sent import readings
from machinami_simulators.judge.sides import Side
from machinami_simulators.judge_cli import _part, _percent
from machinami_simulators.scale import SCALES, Scale, find_scale
from machinami_simulators.scenario import find_scenario
from machinami_simulators.truth import Fault, Level, Reading, Run, TruthLog, Underpass
from machinami_simulators.truth_record import Span, find_truth
from machinami_simulators.world import World

START = 1_789_164_000.0
GAUGE, UNDERPASS = "gauge-nami-01", "underpass-joka"


@pytest.fixture
def written(tmp_path):
    """Writes a record of an hour and opens it."""

    def write(*rows):
        run = Run(scenario="typhoon", seed=1, start=START, scale="town", utc_offset_hours=9)
        with TruthLog(tmp_path / "truth", run) as truth:
            truth.add(Level, gauge=GAUGE, time=START + 3600, level=1.0, flow=1.0)
            for row in rows:
                truth.add(type(row), **{name: getattr(row, name) for name in row.__struct_fields__})
        return find_truth(tmp_path)

    return write


def reading(minute, reported, *, leaves=0.0):
    at = START + 60 * minute
    return Reading(
        device=GAUGE,
        time=at,
        quantity="level",
        observed_at=at,
        leaves=at + leaves,
        true=1.0,
        reported=reported,
    )


def test_each_reading_is_in_the_row_of_its_faults(written):
    faults = [
        Fault(device=GAUGE, start=START + 120, end=START + 300, kind="unit", parameters="{}"),
        Fault(device=GAUGE, start=START + 180, end=START + 300, kind="spike", parameters="{}"),
        Fault(device=GAUGE, start=START, end=START + 3600, kind="late", parameters="{}"),
    ]
    values = [1.0, 1.1, 100.0, 103.0, 100.0, 1.0]
    with written(*faults, *map(reading, range(6), values)) as record:
        span = record.span()
        sent = readings(record, "level", span)
        answered = {GAUGE: [Observation(row.observed_at, row.reported, None) for row in sent[:3]]}
        rows = {row.name: row for row in Readings(KINDS[0], sent, answered).by_fault(record, span)}
    assert {name: (row.sent, row.missing) for name, row in rows.items()} == {
        "gauge level: as made": (3, 1),
        "gauge level: unit": (1, 0),
        "gauge level: spike, unit": (2, 2),
    }
    assert rows["gauge level: unit"].sensors.mae == 99
    assert rows["gauge level: as made"].sensors.worst == pytest.approx(0.1)


def test_without_faults_there_is_no_row_of_faults(written):
    with written(reading(0, 1.0)) as record:
        sent = readings(record, "level", record.span())
        assert list(Readings(KINDS[0], sent, {}).by_fault(record, record.span())) == []


def test_what_would_have_left_after_the_end_was_never_sent(written):
    with written(reading(58, 1.0, leaves=60), reading(59, 1.0, leaves=180)) as record:
        assert len(readings(record, "level", record.span())) == 1


def flood(minute, depth):
    return Underpass(underpass=UNDERPASS, time=START + 60 * minute, depth=depth)


def side(series):
    has = equipment("town")
    return Side(
        levels={UNDERPASS: series}, thresholds=has.underpasses, reports={}, counts={}, place={},
        seen=[], fixes={}, ports={},
    )  # fmt: skip


def test_an_underpass_that_is_flooded_twice_raises_two_alerts(written):
    depths = [(5, 0.05), (6, 0.12), (7, 0.35), (8, 0.02), (30, 0.2), (31, 0.1)]
    with written(*(flood(*each) for each in depths)) as record:
        sent = [(START + 60 * minute + 20, depth) for minute, depth in [*depths, (9, 0.0)]]
        found = alerts(record, record.span(), equipment("town"), side(sorted(sent)), side([]))
        rows = {row.name: row for row in found}
    caution, danger = rows["alert underpass 冠水注意"], rows["alert underpass 冠水危険"]
    assert (caution.true, caution.sent, caution.answered, caution.missing) == (2, 2, 0, 2)
    within = 60 * 0.02 / 0.07, 60 * 0.1 / 0.2  # seconds before the minute, by how fast it rose
    assert caution.sensors.bias == pytest.approx(20 + sum(within) / 2)
    assert (danger.true, danger.unseen, danger.false) == (1, 0, 0)


def test_a_flood_that_began_before_raises_no_alert(written):
    with written(*(flood(minute, 0.5) for minute in range(5, 15))) as record:
        span = Span(START + 600, START + 3600)
        rows = {row.name: row for row in alerts(record, span, equipment("town"), side([]), side([]))}
    assert rows["alert underpass 冠水危険"].true == 0


def test_an_alert_without_a_flood_is_the_sensors_error(written):
    series = [(START, 0.0), (START + 60, 0.5)]
    with written() as record:
        rows = {
            row.name: row
            for row in alerts(record, record.span(), equipment("town"), side(series), side(series))
        }
    row = rows["alert underpass 冠水危険"]
    assert (row.false, row.missing, row.invented) == (1, 0, 0)
    assert _part(row.sensors, {"missed": row.unseen, "false": row.false}) == "1 false"


@pytest.mark.parametrize("name", ["hamlet", "town", "pair"])
def test_the_judge_knows_the_devices_of_a_scale(name, monkeypatch):
    monkeypatch.setitem(SCALES, "pair", Scale(name="pair", islands=2))
    world = World(
        city.build(plan.namiki()), find_scenario("ordinary-day"), start=START, seed=1, scale=find_scale(name)
    )
    has = equipment(name)
    known = {*has.gauges, *has.underpasses, *has.receivers, *has.cameras, *has.bikes}
    played = {device for each in world.sensors for device in each.group.names}
    ports = {device for device in played if "port-" in device}
    assert known == {device for device in played - ports if "paddy-" not in device}
    assert ports <= set(has.ports)
    for device, place in has.cameras.items():
        assert device.startswith("i0001-") == place.startswith("i0001-")


@pytest.mark.parametrize(
    ("percent", "shown"), [(None, ""), (8800.0, ""), (466.3, " (466 %)"), (4.24, " (4.2 %)"), (0.0, " (0 %)")]
)
def test_percentages_are_short(percent, shown):
    assert _percent(percent) == shown
