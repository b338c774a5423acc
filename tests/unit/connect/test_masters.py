from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinami.connect.masters import check_master, read_master
from machinami.connect.words import MasterRule
from machinami.errors import BadRequestData, SetupError
from machinami.model import Mapped, Operation
from machinami.ngsild.context import CORE

WORDS: dict[str, Any] = {
    "title": {"en": "Places"},
    "id": "urn:ngsi-ld:{kind}:test:{no}",
    "type": "{kind}",
    "translate": {"kind": {"river": "River", "place": "PointOfInterest"}},
    "attribute": [
        {"name": "name", "kind": "language", "languages": {"ja": "ja", "en": "en"}},
        {"name": "location", "kind": "geometry", "path": "wkt"},
        {"name": "dangerLevel", "path": "level", "unit": "MTR", "optional": True},
        {"name": "dataProvider", "kind": "text", "value": "test"},
    ],
}
HEADER = "no,kind,ja,en,wkt,level\r\n"
ROW = "1,river,足羽川,Asuwa,POINT (136.2 36.1),6.10\r\n"


def read(text: str, written: str = "utf-8", **words: Any) -> list[Mapped]:
    return list(read_master(msgspec.convert(WORDS | words, MasterRule), text.encode(written)))


def test_a_row_becomes_an_entity_without_times() -> None:
    ((change,),) = (mapped.changes for mapped in read(HEADER + ROW))
    assert (change.entity_id, change.types) == ("urn:ngsi-ld:River:test:1", (CORE.expand_type("River"),))
    assert (change.operation, change.only_newer) == (Operation.MERGE, False)
    assert change.attributes == {
        CORE.expand("name"): [{"type": "LanguageProperty", "languageMap": {"ja": "足羽川", "en": "Asuwa"}}],
        CORE.expand("location"): [
            {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [136.2, 36.1]}}
        ],
        CORE.expand("dangerLevel"): [{"type": "Property", "value": 6.1, "unitCode": "MTR"}],
        CORE.expand("dataProvider"): [{"type": "Property", "value": "test"}],
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
def test_the_declared_encoding_is_read_and_a_byte_order_mark_skipped(encoding: str) -> None:
    declared = encoding.removesuffix("-sig")
    assert read(HEADER + ROW, encoding, encoding=declared) == read(HEADER + ROW)


@pytest.mark.parametrize("cell", ["", "---", "--- "])
def test_a_marked_cell_leaves_its_attribute_out(cell: str) -> None:
    (mapped,) = read(HEADER + ROW.replace("6.10", cell))
    assert not mapped.rejections
    assert CORE.expand("dangerLevel") not in mapped.changes[0].attributes


def test_a_bad_cell_is_rejected_alone_with_its_line() -> None:
    (mapped,) = read(HEADER + ROW.replace("6.10", "high"))
    assert CORE.expand("name") in mapped.changes[0].attributes
    (rejection,) = mapped.rejections
    assert (rejection.field, rejection.value, rejection.reason) == ("level", "high", "line 2: not a number")
    assert rejection.partial


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        (ROW.replace("1,", ",", 1), "no", "line 3: empty, and the id needs it"),
        (ROW.replace("river", "lake"), "kind", "line 3: not a known word"),
        (ROW.replace("6.10", "6.10,7"), "", "line 3: more cells than the header has"),
        ("2,river\r\n", "ja", "line 3: missing"),
    ],
)
def test_a_bad_row_is_rejected_and_its_neighbours_stay(row: str, field: str, reason: str) -> None:
    first, bad, last = read(HEADER + ROW + row + ROW)
    assert first.changes == last.changes
    assert first.changes
    assert (bad.rejections[0].field, bad.rejections[0].reason) == (field, reason)


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"", "header"),
        (b"no,kind\r\n1,river\r\n", "header"),
        (HEADER.encode() + b"\xff\r\n", "encoding"),
        (HEADER.encode() + b'1,"river"x,', "file"),
    ],
)
def test_a_file_that_is_another_is_refused_as_a_whole(content: bytes, field: str) -> None:
    with pytest.raises(BadRequestData) as caught:
        list(read_master(msgspec.convert(WORDS, MasterRule), content))
    assert caught.value.field == field
    assert caught.value.cure


def test_a_mapping_that_cannot_work_is_refused() -> None:
    with pytest.raises(SetupError, match="not a template of a URI"):
        check_master(msgspec.convert(WORDS | {"id": "{no}"}, MasterRule))


@given(st.lists(st.lists(st.text(), min_size=1, max_size=7), max_size=4))
def test_whatever_the_cells_each_row_is_an_entity_or_says_why(rows: list[list[str]]) -> None:
    lines = "".join(",".join(f'"{cell.replace(chr(34), "")}"' for cell in row) + "\r\n" for row in rows)
    for mapped in read(HEADER + lines, "utf-8"):
        assert mapped.changes or mapped.rejections
