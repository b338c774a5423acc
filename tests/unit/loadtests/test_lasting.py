"""The steady load of `machinami bench api --minutes`, with a clock of its own."""

from collections.abc import Sequence

import pytest
from machinami_loadtests.http import lasting


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Requests of each round."""
    rounds: list[int] = []

    async def hammer(_url: str, requests: Sequence[bytes], _connections: int) -> None:
        rounds.append(len(requests))

    monkeypatch.setattr(lasting, "hammer", hammer)
    monkeypatch.setattr(lasting, "time", Clock())
    return rounds


def test_memory_is_read_before_and_at_each_sixth(sent: list[int]) -> None:
    sizes, said = iter(range(100)), list[str]()
    assert lasting.hold("http://city", 5_000, 6, lambda: next(sizes), said.append) == [0, 1, 2, 3, 4, 5, 6]
    assert sent == [421] * 72
    assert said[0] == "6 minutes of all of them"
    assert said[-1].startswith("6 min")


def test_without_minutes_there_is_no_load(sent: list[int]) -> None:
    assert lasting.hold("http://city", 5_000, 0, lambda: 7, lambda _: None) == [7]
    assert not sent
