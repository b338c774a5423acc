"""Environment and machinami.toml; nothing else reads them. Also where a running city says its addresses."""

import os
import secrets
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

import msgspec
import platformdirs
from pydantic import Field
from pydantic_settings import (
    BaseSettings,
    SecretsSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from machinami.errors import Unavailable

CITY_FILE = "city.json"
PSEUDONYM_FILE = "pseudonym.key"
_CONTAINER_SECRETS = "/run/secrets"


def default_data_dir() -> Path:
    """The user's data folder, so that commands typed in another terminal find the running city."""
    return Path(platformdirs.user_data_path("machinami"))


def _secrets_dir() -> str | None:
    """Where systemd, else Docker or Kubernetes, lays files of which each holds one secret setting."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY", _CONTAINER_SECRETS)
    return folder if Path(folder).is_dir() else None


class Durability(StrEnum):
    """What an acknowledged message survives in the embedded broker's log, before it is committed."""

    CRASH = "crash"  # any killed process; a power cut takes the last second at most
    POWER_LOSS = "power-loss"  # that too: each message is on disk before it is acknowledged


class Settings(BaseSettings):
    """Settings of all roles: the command line wins, then MACHINAMI_… variables, secret files, machinami.toml.

    A secret file is named as the variable in small letters, e.g. ``/run/secrets/machinami_database_url``.
    Durations are in seconds, sizes in bytes, ages in hours where the name says so.
    """

    model_config = SettingsConfigDict(env_prefix="MACHINAMI_", extra="forbid")

    data_dir: Path = Field(default_factory=default_data_dir)
    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8080, ge=0, le=65535)
    public_url: str = ""
    api_workers: int = Field(default=1, ge=1, le=64)
    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(default=0, ge=0, le=65535)
    mqtt_port: int = Field(default=1883, ge=0, le=65535)
    database_url: str | None = None
    nats_address: str | None = None
    nats_password: str = ""
    connector_folders: list[Path] = Field(default_factory=list[Path])
    context_folders: list[Path] = Field(default_factory=list[Path])
    context_fetch: bool = True
    context_timeout: float = 5.0
    context_private_addresses: bool = False
    source_timeout: float = 5.0
    source_private: bool = False
    split_entities: bool = False
    dead_letter_days: float = Field(default=30.0, gt=0)
    tile_url: str = ""
    stream_max_bytes: int = 8 * 2**30
    stream_max_age_hours: int = 24
    stream_keep_messages: int = 10_000
    stream_partitions: int = Field(default=8, ge=1, le=1024)
    stream_replicas: int = Field(default=1, ge=1, le=5)
    durability: Durability = Durability.CRASH
    batch_messages: int = 20_000
    ingest_workers: int = Field(default=1, ge=1, le=64)
    query_timeout: float = 30.0
    temporal_instances: int = Field(default=10_000, ge=2)

    @classmethod
    def load(cls, data_dir: Path | None = None, **overrides: object) -> "Settings":
        """Read machinami.toml, secret files, the environment, then given options (None: not given)."""
        given = {name: value for name, value in overrides.items() if value is not None}
        folder = data_dir or cls().data_dir
        toml = TomlConfigSettingsSource(cls, toml_file=folder / "machinami.toml")()
        secret = SecretsSettingsSource(cls, secrets_dir=_secrets_dir())()
        environment = cls().model_dump(exclude_unset=True)
        return cls.model_validate({**toml, **secret, **environment, "data_dir": folder, **given})


class City(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses of a running city, written by its supervisor to ``<data-dir>/city.json`` (mode 0600).

    Attributes:
        api: base URL, e.g. ``http://127.0.0.1:8080``.
        mqtt: ``{"host": …, "port": …}`` of the MQTT listener; the member that the simulators read.
        nats: host:port of the stream's client port.
        database: libpq URL.
        supervisor: pid of ``machinami up``.
        broker_monitor: the broker's monitoring port on this machine.
    """

    api: str
    mqtt: dict[str, str | int]
    nats: str
    nats_password: str = ""
    database: str
    supervisor: int
    broker_monitor: int = 0


def write_city(data_dir: Path, city: City) -> None:
    """Say where the city is. Written whole or not at all."""
    target = data_dir / CITY_FILE
    part = target.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_bytes(msgspec.json.encode(city))
    part.replace(target)


def read_city(data_dir: Path) -> City:
    """Addresses of the city that runs on this data folder.

    Raises:
        Unavailable: no city has been started there.
    """
    try:
        return msgspec.json.decode((data_dir / CITY_FILE).read_bytes(), type=City)
    except FileNotFoundError:
        raise Unavailable(
            f"no city runs on {data_dir}",
            field="--data-dir",
            value=str(data_dir),
            cure="Start one: machinami up; or set MACHINAMI_DATABASE_URL and MACHINAMI_NATS_ADDRESS",
        ) from None


def database_address(settings: Settings) -> str:
    """libpq URL of the database that the settings name, else of the city that runs on the data folder.

    Raises:
        Unavailable: neither names one.
    """
    return settings.database_url or read_city(settings.data_dir).database


def stream_address(settings: Settings) -> tuple[str, str]:
    """host:port and password of the stream: of the city that runs on the data folder, else of the settings.

    A running city comes first, because `machinami up` always starts a broker of its own.

    Raises:
        Unavailable: no city runs there, and the settings name none.
    """
    if settings.nats_address is not None and not (settings.data_dir / CITY_FILE).exists():
        return settings.nats_address, settings.nats_password
    city = read_city(settings.data_dir)
    return city.nats, city.nats_password


def api_address(settings: Settings) -> str:
    """Base URL of the API for others: as set, else of the city on the data folder, else as served."""
    if settings.public_url:
        return settings.public_url.rstrip("/")
    if (settings.data_dir / CITY_FILE).exists():
        return read_city(settings.data_dir).api
    return f"http://{settings.api_host}:{settings.api_port}"


def pseudonym_secret(data_dir: Path) -> bytes:
    """The secret that the daily keys for identifiers of people's devices come from; made at first use.

    Whoever deletes the file makes all pseudonyms so far unlinkable to any device, for good.
    """
    target = data_dir / PSEUDONYM_FILE
    if not target.exists():
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Workers that start together each make one; the first to link it has made the key for all.
        part = target.with_suffix(f".{os.getpid()}-{secrets.token_hex(4)}")
        part.touch(mode=0o600)
        part.write_bytes(secrets.token_bytes(32))
        with suppress(FileExistsError):
            os.link(part, target)
        part.unlink()
    return target.read_bytes()
