"""What the bench sends: meters that report four values in JSON, each time of each meter once."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from machinami_loadtests import packets

CONNECTOR_FOLDER = Path(__file__).parent / "connectors/meters"
VALUES = 4


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
        moment = self.moment(number).isoformat().replace("+00:00", "Z")
        values = f'"temperature":{15 + number % 200 / 10},"humidity":{number % 100}'
        more = f'"pressure":{1000 + number % 30},"voltage":{3 + number % 10 / 10}'
        payload = f'{{"time":"{moment}",{values},{more}}}'
        return f"load/meters/{self.device(number)}", payload.encode()

    def batches(self, connections: int, qos: int = 1) -> list[list[bytes]]:
        """PUBLISH packets for each connection; a device always uses the same one, so its order is kept."""
        lines: list[Iterator[tuple[str, bytes]]] = [
            self._line(line, connections) for line in range(connections)
        ]
        return [packets.publishes(line, qos) for line in lines]

    def _line(self, line: int, connections: int) -> Iterator[tuple[str, bytes]]:
        return (
            self.message(number)
            for number in range(self.messages)
            if number % self.devices % connections == line
        )
