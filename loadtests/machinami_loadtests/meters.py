"""What the bench sends: meters that report four values in JSON, each time of each meter once."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from machinami_simulators import packets

CONNECTOR_FOLDER = Path(__file__).parent / "connectors/meters"
VALUES = 4
_PERIOD = 600  # messages after which the values come again


def _reading(number: int) -> bytes:
    values = f'"temperature":{15 + number % 200 / 10},"humidity":{number % 100}'
    return f'{values},"pressure":{1000 + number % 30},"voltage":{3 + number % 10 / 10}}}'.encode()


_READINGS = tuple(map(_reading, range(_PERIOD)))


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of so many devices; message n is of device n % devices, one second after its last.

    Attributes:
        name: goes into the device names, so that two plans share no series.
        start: observation time of each device's first message, aware UTC.
    """

    name: str
    messages: int
    devices: int
    start: datetime

    @classmethod
    def ending_now(cls, name: str, messages: int, devices: int) -> "Plan":
        """A plan whose last observation time is not in the future."""
        seconds = messages // devices + 2
        now = datetime.now(UTC).replace(microsecond=0)
        return cls(name=name, messages=messages, devices=devices, start=now - timedelta(seconds=seconds))

    def device(self, number: int) -> str:
        """Name of the device that sends message `number`."""
        return f"{self.name}-{number % self.devices:05d}"

    def moment(self, number: int) -> datetime:
        """Observation time of message `number`."""
        return self.start + timedelta(seconds=number // self.devices)

    def message(self, number: int) -> tuple[str, bytes]:
        """Topic and payload."""
        return self._topic(number), self._time(number) + _READINGS[number % _PERIOD]

    def numbers(self, line: int, connections: int) -> Iterator[int]:
        """Numbers of the messages that a connection sends, in order; a device always uses the same one."""
        devices = range(line, self.devices, connections)
        for first in range(0, self.messages, self.devices):
            yield from (first + device for device in devices if first + device < self.messages)

    def shares(self, connections: int) -> list[float]:
        """Each connection's part of the messages: that of its devices."""
        return [len(range(line, self.devices, connections)) / self.devices for line in range(connections)]

    def packets(self, line: int, connections: int, qos: int = 1) -> Iterator[bytes]:
        """PUBLISH packets of one connection, made as they are asked for.

        The same bytes as `packets.publishes` makes of each message, but put together from ready pieces: no
        load test should spend on its own messages what the city needs to read them.
        """
        devices = range(line, self.devices, connections)
        topics = [packets.text(self._topic(device)) for device in devices]
        heads = packets.Heads(qos)
        identities = packets.identities(qos)
        size, second = len(identities[0]), -1
        time = b""
        for place, number in enumerate(self.numbers(line, connections)):
            if number // self.devices != second:
                second, time = number // self.devices, self._time(number)
            topic, reading = topics[number % self.devices // connections], _READINGS[number % _PERIOD]
            head = heads[len(topic) + size + len(time) + len(reading)]
            yield head + topic + identities[place % packets.LAST_ID] + time + reading

    def batches(self, connections: int, qos: int = 1) -> list[list[bytes]]:
        """PUBLISH packets for each connection, all made ahead of time."""
        return [list(self.packets(line, connections, qos)) for line in range(connections)]

    def _topic(self, number: int) -> str:
        return f"load/meters/{self.device(number)}"

    def _time(self, number: int) -> bytes:
        return f'{{"time":"{self.moment(number).isoformat().replace("+00:00", "Z")}",'.encode()
