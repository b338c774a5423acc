"""Recorded devices beside the simulated ones."""

from datetime import datetime

import pytest
from machinami_simulators.beside import Beside
from machinami_simulators.errors import InvalidOption
from machinami_simulators.scenario import Replay, find_scenario
from machinami_simulators.world import World

START = datetime.fromisoformat("2023-07-13T07:00:00+09:00").timestamp()
RIVER = Replay(recording="fukui-river", files="*.csv")


def rows(folder, *lines):
    (folder / "day.csv").write_text("日時,河川水位,id\n" + "".join(f"{line}\n" for line in lines))
    return folder


def made(folder, start=START):
    return Beside((RIVER,), folder, start=start, utc_offset_hours=9)


def test_rows_leave_at_their_time_and_earlier_ones_never(tmp_path):
    beside = made(
        rows(tmp_path, "2023-07-13T07:10,2,1", "x,2,2", "2023-07-13T06:50,1,1", "2023-07-13T07:05,1,3")
    )
    assert [message.topic[-1] for message in beside.due(START + 300)] == ["3"]
    assert [message.topic[-1] for message in beside.due(START + 600)] == ["1", "2"]
    assert beside.due(START + 900) == []


@pytest.mark.parametrize(
    ("start", "files", "said"),
    [
        (START + 7200, True, r"nothing was recorded after 2023-07-13T09:00:00\+09:00.*07:10:00"),
        (START, False, r"no file \*\.csv lies in"),
    ],
)
def test_recordings_that_do_not_fit_are_named(tmp_path, start, files, said):
    if files:
        rows(tmp_path, "2023-07-13T07:10,2,1")
    with pytest.raises(InvalidOption, match=said):
        made(tmp_path, start)


def test_without_a_folder_the_option_is_named():
    with pytest.raises(InvalidOption, match="--recordings"):
        made(None)


def test_without_replays_there_is_nothing():
    assert Beside((), None, start=START, utc_offset_hours=9).due(1e12) == []


@pytest.mark.real_data
def test_real_and_simulated_gauges_report_side_by_side(namiki, real_data):
    scenario = find_scenario("real-rivers")
    beside = Beside(scenario.replays, real_data, start=START, utc_offset_hours=9)
    world = World(namiki, scenario, start=START, seed=1, beside=beside)
    messages = [message for _ in range(6 * 45) for message in world.step()]
    topics = {message.topic for message in messages if "river" in message.kind}
    assert len([topic for topic in topics if topic.startswith("replay/fukui-river/")]) > 80
    assert len([topic for topic in topics if topic.startswith("ul/namiki-river/gauge-")]) == 60
    assert [message.at for message in messages] == sorted(message.at for message in messages)
