"""Where the city is: its data folder and the address of its MQTT broker."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import platformdirs

from machinami_simulators.errors import AlreadyRunning, BrokerUnreachable, InvalidOption

_CITY_FILE = "city.json"
_DEFAULT_HOST, _DEFAULT_PORT = "127.0.0.1", 1883


class _Address(msgspec.Struct):
    host: str
    port: int


class _CityFile(msgspec.Struct):
    mqtt: _Address
    api: str = ""


def data_folder(given: Path | None) -> Path:
    """The folder given, else MACHINAMI_DATA_DIR, else the user's data folder."""
    default = os.environ.get("MACHINAMI_DATA_DIR") or platformdirs.user_data_path("machinami")
    return given or Path(default)


def broker(data_dir: Path, host: str | None, port: int | None) -> tuple[str, int]:
    """Address of the MQTT broker: as given, else of the city that runs on the data folder.

    Raises:
        BrokerUnreachable: no address was given and no city runs there.
        InvalidOption: the city's file cannot be read.
    """
    if host is not None or port is not None:
        return host or _DEFAULT_HOST, port or _DEFAULT_PORT
    city = _city(data_dir, "name a broker with --mqtt-host and --mqtt-port")
    return city.mqtt.host, city.mqtt.port


def api(data_dir: Path) -> str:
    """Base URL of the API of the city that runs on the data folder.

    Raises:
        BrokerUnreachable: no city runs there.
        InvalidOption: the city's file cannot be read.
    """
    return _city(data_dir, "name an API with --url").api


def _city(data_dir: Path, otherwise: str) -> _CityFile:
    try:
        return msgspec.json.decode((data_dir / _CITY_FILE).read_bytes(), type=_CityFile)
    except FileNotFoundError:
        raise BrokerUnreachable(
            f"no city runs on {data_dir}",
            f"Start one (machinami up), or {otherwise}",
        ) from None
    except msgspec.DecodeError as error:
        raise InvalidOption(
            f"{data_dir / _CITY_FILE} cannot be read ({error})", "Start the city again: machinami up"
        ) from error


@contextmanager
def only_one(data_dir: Path, what: str) -> Generator[None]:
    """Hold the lock of `what` on this data folder; the system lets go of it however the process ends.

    Raises:
        AlreadyRunning: another process holds it.
    """
    path = data_dir / "ledger" / f"{what}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"another machinami {what} runs on {data_dir} with the same devices",
                "Stop it, or run the city with `machinami up --no-simulator`",
            ) from None
        yield
