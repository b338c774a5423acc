import csv
import io
import json
import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinami_simulators.errors import InvalidOption
from machinami_simulators.recordings import RECORDINGS, check_header, find_recording, read_rows

RIVER = RECORDINGS["fukui-river"]


def rows(tmp_path, text, recording=RIVER):
    path = tmp_path / "recording.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(read_rows(recording, [path], run="1"))


def test_a_row_is_sent_as_it_stands(tmp_path):
    text = "\ufeff日時,河川水位,id\n2023-07-13T07:20,2.72,1\n2023-07-13T07:00,,2\n2023-07-13T24:00,*,3\n"
    found = rows(tmp_path, text)
    assert [json.loads(row.message.payload) for row in found] == [
        {"\ufeff日時": "2023-07-13T07:20", "河川水位": "2.72", "id": "1"},
        {"\ufeff日時": "2023-07-13T07:00", "河川水位": "", "id": "2"},
        {"\ufeff日時": "2023-07-13T24:00", "河川水位": "*", "id": "3"},
    ]
    assert [row.message.topic for row in found] == [f"replay/fukui-river/{n}" for n in (1, 2, 3)]
    assert [row.message.kind for row in found] == ["fukui-river"] * 3
    assert found[0].time == found[1].time + 1200
    assert found[2].time is None


def test_cells_too_many_and_too_few_arrive_as_they_are(tmp_path):
    found = rows(tmp_path, "日時,河川水位,id\n2023-07-13T07:20,1\n\nx,2.0,7,extra\n")
    assert [json.loads(row.message.payload) for row in found] == [
        {"日時": "2023-07-13T07:20", "河川水位": "1"},
        {"日時": "x", "河川水位": "2.0", "id": "7", "#4": "extra"},
    ]
    assert [row.message.topic for row in found] == ["replay/fukui-river/_", "replay/fukui-river/7"]


def test_a_device_keeps_to_one_connection(tmp_path):
    found = rows(tmp_path, "日時,河川水位,id\n" + "".join(f"t,1,{n % 50}\n" for n in range(200)))
    by_topic = {(row.message.topic, row.message.connection) for row in found}
    assert len(by_topic) == 50
    assert 1 < len({connection for _, connection in by_topic}) <= 4


_cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(table=st.lists(st.tuples(_cells, _cells, _cells), max_size=20))
def test_any_cell_survives_the_way(tmp_path_factory, table):
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerows([("日時", "河川水位", "id"), *table])
    found = rows(tmp_path_factory.mktemp("any"), text.getvalue())
    assert [tuple(json.loads(row.message.payload).values()) for row in found] == table
    for row in found:
        assert re.fullmatch(r"replay/fukui-river/[^+#/ \0]+", row.message.topic, re.DOTALL)


@given(junk=st.binary(max_size=200))
def test_junk_is_a_clear_error_or_rows(tmp_path_factory, junk):
    with suppress(InvalidOption):
        rows(tmp_path_factory.mktemp("junk"), "日時,河川水位,id\n".encode() + junk)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"id,time\n1,2\n", r"no column 日時, 河川水位; found: id, time"),
        (b"", r"no column 日時, 河川水位, id; found: nothing"),
        ("日時,河川水位,id\n".encode("cp932"), r"not UTF-8"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, content, said):
    path = tmp_path / "wrong.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidOption, match=said) as caught:
        check_header(RIVER, path)
    assert "wrong.csv" in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InvalidOption, match=r"gone\.csv cannot be read \(No such file"):
        check_header(RIVER, tmp_path / "gone.csv")


def test_an_unknown_recording_lists_the_known():
    with pytest.raises(InvalidOption, match=r"'tokyo'.*fukui-river, fukui-wifi, .*kakogawa-probe"):
        find_recording("tokyo")


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "pattern", "count"),
    [
        ("fukui-river", "fukui-river-level/data/2023-07-13.csv", 1823),
        ("fukui-wifi", "fukui-wifi-packet/detections_20241020.csv", 44041),
        ("kakogawa-probe", "kakogawa-vehicle-probe/*.csv", 98460),
    ],
)
def test_real_recordings_are_read_to_the_last_row(real_data, name, pattern, count):
    (path,) = real_data.glob(pattern)
    recording = find_recording(name)
    found = list(read_rows(recording, [path], run="1"))
    assert len(found) == count
    assert set(json.loads(found[0].message.payload)) - {"\ufeff日時"} <= set(recording.columns)


def test_a_camera_has_a_topic_for_each_thing_it_counts_and_a_snapshot_has_no_time(tmp_path):
    camera = (
        "placement,object class,aggregate from,aggregate to,total count\ngate,Face,a,2024-12-21 00:00:00,3\n"
    )
    (counted,) = rows(tmp_path, camera, RECORDINGS["fukui-camera-day"])
    assert counted.message.topic == "replay/fukui-camera-day/gate/Face"
    assert counted.time is not None
    columns = ",".join(RECORDINGS["hello-cycling"].columns)
    (port,) = rows(tmp_path, f"{columns}\n17,35.7,139.7,0,8\n", RECORDINGS["hello-cycling"])
    assert (port.message.topic, port.time) == ("replay/hello-cycling/17", None)


REAL = {
    "fukui-river": "fukui-river-level/data/*.csv",
    "fukui-wifi": "fukui-wifi-packet/detections_*.csv",
    "fukui-camera-hour": "fukui-ai-camera/fukui_station_east_person_hourly.csv",
    "fukui-camera-day": "fukui-ai-camera/daily_*.csv",
    "hello-cycling": "japan-bikeshare-ports/hellocycling_station_snapshot_*.csv",
    "kakogawa-probe": "kakogawa-vehicle-probe/*.csv",
}


@pytest.mark.real_data
@pytest.mark.parametrize("name", RECORDINGS)
def test_every_real_recording_is_read_to_its_last_row(name, real_data):
    for path in sorted(real_data.glob(REAL[name])):
        with path.open(encoding="utf-8", newline="") as file:
            expected = sum(1 for line in csv.reader(file) if line) - 1
        assert sum(1 for _ in read_rows(RECORDINGS[name], [path], run="1")) == expected > 0
