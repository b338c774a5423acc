"""The city on this machine: `machinami up`, `status` and `doctor`."""

import sys
import time
from collections.abc import Mapping
from typing import Annotated

import msgspec
import typer

from machinami.cli.options import AsJson, DataDir, load_settings
from machinami.errors import SetupError
from machinami.linkage.pinned import read_pinned
from machinami.local.city import Plan, run_city
from machinami.local.doctor import Finding, Site, Verdict, examine
from machinami.local.screen import Screen
from machinami.local.state import CityStatus, RoleStatus, read_state

ApiPort = Annotated[
    int | None, typer.Option(min=0, max=65535, help="HTTP port; 0 takes a free one.", show_default="8080")
]
MqttPort = Annotated[
    int | None, typer.Option(min=0, max=65535, help="MQTT port; 0 takes a free one.", show_default="1883")
]


def up(
    data_dir: DataDir = None,
    api_port: ApiPort = None,
    mqtt_port: MqttPort = None,
    scenario: Annotated[
        str | None, typer.Option(help="What happens in the simulated city; see machinami simulate --help.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the simulator.")] = None,
    speed: Annotated[float | None, typer.Option(help="Simulated seconds in a second.")] = None,
    scale: Annotated[
        str | None,
        typer.Option(help="How many devices: hamlet, town, city, …; see machinami simulate --help."),
    ] = None,
    faults: Annotated[
        list[str] | None,
        typer.Option("--fault", metavar="KIND=SHARE", help="A fault and the share of devices that have it."),
    ] = None,
    simulator: Annotated[bool, typer.Option("--simulator/--no-simulator", help="Play the devices.")] = True,
    database: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="An external PostgreSQL, 15 or later, with or without TimescaleDB.",
            show_default="the embedded one",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="Processes that read the stream side by side.", show_default="1"),
    ] = None,
    api_workers: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="Processes that answer on the API's port.", show_default="1"),
    ] = None,
) -> None:
    """Start the city: broker, database, ingest, API, notifier and simulator. Ctrl-C stops it.

    Everything listens on this machine only and lives in the data folder; a second start goes on with it.
    """
    settings = load_settings(
        data_dir,
        api_port=api_port,
        mqtt_port=mqtt_port,
        database_url=database,
        ingest_workers=workers,
        api_workers=api_workers,
    )
    read_pinned(settings.context_folders)  # said once here, not by each role that starts again and again
    size = _words({"--scale": scale})
    playing = _words({"--scenario": scenario, "--seed": seed, "--speed": speed, "--fault": faults})
    plan = Plan(
        data_dir=settings.data_dir.absolute(),
        api_port=settings.api_port,
        mqtt_port=settings.mqtt_port,
        database_url=settings.database_url,
        simulate=[*size, *playing] if simulator else None,
        masters=size,
        stream_max_bytes=settings.stream_max_bytes,
        durability=settings.durability,
        ingest_workers=settings.ingest_workers,
        api_workers=settings.api_workers,
    )
    run_city(plan, Screen())


def _words(options: Mapping[str, str | float | list[str] | None]) -> list[str]:
    """Options as another command takes them: those that are given, and each of a list."""
    found: list[str] = []
    for name, value in options.items():
        for each in value if isinstance(value, list) else [value]:
            found += [] if each is None else [name, str(each)]
    return found


def status(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show the roles and counters of the running city. Exit code 4: none runs."""
    city = read_state(load_settings(data_dir).data_dir)
    if as_json:
        sys.stdout.write(msgspec.json.encode(city).decode() + "\n")
    else:
        print("\n".join(_table(city)))


def _table(city: CityStatus) -> list[str]:
    roles = [line for role in city.roles for line in (_row(role), *_trouble(role))]
    disks = [f"{disk}\n" for disk in city.disks]
    counters = [f"{name:<24}{value:>16,.0f}" for name, value in city.counters.items()]
    heading = f"{'role':<10} {'state':<9} {'pid':>8} {'up':>9}  address"
    return [*disks, heading, *roles, "", *counters]


def _row(role: RoleStatus) -> str:
    up = f"{time.time() - role.started:,.0f} s" if role.started else ""
    return f"{role.role:<10} {role.state:<9} {role.pid or '–':>8} {up:>9}  {role.address}"


def _trouble(role: RoleStatus) -> list[str]:
    return [f"{'':<10} {line}" for line in role.trouble.splitlines()]


def doctor(
    data_dir: DataDir = None, api_port: ApiPort = None, mqtt_port: MqttPort = None, as_json: AsJson = False
) -> None:
    """Say what is missing on this machine and how to get it. Exit code 5: the city would not start."""
    settings = load_settings(data_dir, api_port=api_port, mqtt_port=mqtt_port)
    site = Site(
        data_dir=settings.data_dir.absolute(),
        api_port=settings.api_port,
        mqtt_port=settings.mqtt_port,
        external_database=settings.database_url is not None,
        context_folders=settings.context_folders,
    )
    findings = examine(site)
    if as_json:
        sys.stdout.write(msgspec.json.encode(findings).decode() + "\n")
    else:
        print("\n".join(line for finding in findings for line in _lines(finding)))
    if any(finding.verdict is Verdict.MISSING for finding in findings):
        raise typer.Exit(SetupError.exit_code)


def _lines(finding: Finding) -> list[str]:
    line = f"{finding.verdict:<8} {finding.check:<12} {finding.detail}"
    return [line, f"{'':<8} {'':<12} → {finding.cure}"] if finding.cure else [line]
