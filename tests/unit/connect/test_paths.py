import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinami.connect.paths import ABSENT, compile_path, split_path
from machinami.errors import SetupError

UPLINK = {"uplink": {"rx": [{"rssi": -80}, {"rssi": -91}]}, "a.b": 1, "日時": None, "text": "abc"}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("uplink.rx[1].rssi", -91),
        ('["a.b"]', 1),
        ("日時", None),
        ("uplink.rx[2].rssi", ABSENT),
        ("uplink.nothing.more", ABSENT),
        ("text[0]", ABSENT),
        ("nothing", ABSENT),
        (["nothing", "a", '["a.b"]'], 1),
        (["nothing", "neither"], ABSENT),
    ],
)
def test_a_path_leads_to_its_value(path: str | list[str], value: object) -> None:
    assert compile_path(path)(UPLINK) is value or compile_path(path)(UPLINK) == value


@pytest.mark.parametrize("path", ["", ".a", "a..b", "a[", "a[x]", "a]", "a[]"])
def test_what_is_no_path_is_refused_with_a_cure(path: str) -> None:
    with pytest.raises(SetupError) as caught:
        compile_path(path)
    assert caught.value.value == path
    assert caught.value.cure


@given(st.text())
def test_any_text_is_a_path_or_refused(path: str) -> None:
    try:
        steps = split_path(path)
    except SetupError:
        return
    assert steps
    assert compile_path(path)({}) is ABSENT
