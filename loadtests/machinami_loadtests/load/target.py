"""What is put under load: a city that runs on this machine, or somebody else's broker."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec
from machinami.errors import InvalidRequest
from machinami.local.state import read_state
from machinami.settings import read_city

_PORT = 1883


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where messages go.

    Attributes:
        data_dir: of the city, whose database, roles and counters are then looked at; None: only a broker.
        database: libpq URL of the city.
    """

    host: str
    port: int
    user: str = ""
    password: str = ""
    data_dir: Path | None = None
    database: str = ""

    @property
    def address(self) -> str:
        """host:port, without user and password."""
        return f"{self.host}:{self.port}"


def find_target(data_dir: Path, broker: str | None) -> Target:
    """The broker that is named, else the city that runs on the data folder.

    Raises:
        InvalidRequest: the broker's URL cannot be read.
        Unavailable: no city runs there.
    """
    if broker is not None:
        return parse_broker(broker)
    read_state(data_dir)
    city = read_city(data_dir)
    mqtt = city.mqtt
    return Target(host=str(mqtt["host"]), port=int(mqtt["port"]), data_dir=data_dir, database=city.database)


def parse_broker(url: str) -> Target:
    """Read ``mqtt://user:password@host:port``; all but the host may be left out.

    Raises:
        InvalidRequest: it is something else.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _refused(url, str(error)) from error
    if parts.scheme != "mqtt":
        raise _refused(url, "only plain MQTT 3.1.1 over TCP is spoken")
    if not host:
        raise _refused(url, "it names no host")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Target(host=host, port=port or _PORT, user=user, password=password)


def _refused(url: str, reason: str) -> InvalidRequest:
    cure = "Write mqtt://host:port or mqtt://user:password@host:port"
    return InvalidRequest(f"--broker {url!r}: {reason}", field="--broker", value=url, cure=cure)
