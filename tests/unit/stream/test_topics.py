import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinami.stream.topics import subject_of, topic_of

# Each pair was read off the NATS server: published over MQTT, seen in the stream.
_OBSERVED = [
    ("a", "a"),
    ("/a", "/.a"),
    ("a/", "a./"),
    ("a//b", "a./.b"),
    ("/", "/./"),
    ("a.b", "a//b"),
    ("a./b", "a//.b"),
    ("a/.b", "a.//b"),
    ("///a", "/././.a"),
    ("$x/y", "$x.y"),
    ("./.", "//.//"),
    ("v3/namiki-paddy@namiki/devices/paddy-001/up", "v3.namiki-paddy@namiki.devices.paddy-001.up"),
]


@pytest.mark.parametrize(("topic", "subject"), _OBSERVED)
def test_as_the_server_writes_them(topic: str, subject: str) -> None:
    assert subject_of(topic) == subject
    assert topic_of(subject) == topic


@given(st.text(alphabet="ab./河", min_size=1))
def test_there_and_back(topic: str) -> None:
    assert topic_of(subject_of(topic)) == topic
