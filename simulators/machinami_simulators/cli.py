"""`machinami simulate` and `machinami replay`."""

import functools
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, ParamSpec

import msgspec
import typer

from machinami_simulators import city, plan, simulation
from machinami_simulators import replay as replaying
from machinami_simulators.beside import Beside
from machinami_simulators.capture import CAPTURE, check_capture, read_capture
from machinami_simulators.devices.faults import KINDS as FAULTS
from machinami_simulators.errors import InvalidOption, SimulatorError
from machinami_simulators.ledger import Ledger
from machinami_simulators.lines import find_lines
from machinami_simulators.masters import write_masters
from machinami_simulators.recordings import (
    CONNECTIONS,
    RECORDINGS,
    Row,
    check_header,
    find_recording,
    read_rows,
)
from machinami_simulators.scale import SCALES, TOWN, find_scale
from machinami_simulators.scenario import ORDINARY, Fault, find_scenario
from machinami_simulators.sender import Sender, address, reach
from machinami_simulators.stopping import stop_on_signals
from machinami_simulators.target import broker, data_folder, only_one
from machinami_simulators.truth import Run, Truth, TruthLog
from machinami_simulators.world import World

_DAY = 86_400.0
_P = ParamSpec("_P")

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Folder of the running city.",
        envvar="MACHINAMI_DATA_DIR",
        show_default="user's data folder",
    ),
]
MqttHost = Annotated[str | None, typer.Option("--mqtt-host", help="MQTT broker, instead of the city's own.")]
MqttPort = Annotated[int | None, typer.Option("--mqtt-port", help="Its port.", min=1, max=65535)]


def plainly(command: Callable[_P, None]) -> Callable[_P, None]:
    """Show an error raised on purpose as one line, and exit with its code."""

    @functools.wraps(command)
    def wrapped(*args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except SimulatorError as error:
            print(f"Error: {error}", file=sys.stderr)
            raise typer.Exit(error.exit_code) from error

    return wrapped


@plainly
def simulate(
    scenario: Annotated[
        str, typer.Option(help="What happens: a name (`machinami scenario list`) or a .toml file.")
    ] = ORDINARY,
    scale: Annotated[
        str, typer.Option(help=f"How many devices: {', '.join(SCALES)}.", show_default=True)
    ] = TOWN.name,
    faults: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            metavar="KIND=SHARE",
            help="A fault and the share of all devices that have it, such as dropout=0.02; repeat for more.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed and --from: same bytes in the same order.", min=0)] = 1,
    speed: Annotated[
        str,
        typer.Option(
            metavar="X|max",
            help="Simulated seconds in a second, until simulated time has caught up with the present.",
        ),
    ] = "1",
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TIME",
            help="Simulated start, ISO 8601; a time without zone is the city's (+09:00).",
            show_default="now; 24 hours ago when --speed is above 1",
        ),
    ] = None,
    minutes: Annotated[
        float, typer.Option(help="End after so many simulated minutes.", show_default="never")
    ] = math.inf,
    masters: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Only write the city's master data as CSV into DIR.")
    ] = None,
    connections: Annotated[
        str,
        typer.Option(
            metavar="real|each|N",
            help="MQTT connections: as in reality, one for each device, or N that all devices share.",
        ),
    ] = "real",
    recordings: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Recordings that the scenario replays beside the city.")
    ] = None,
    truth_days: Annotated[
        float, typer.Option(help="Simulated days of which the truth is kept.", min=0.01)
    ] = 7.0,
    dry_run: Annotated[
        bool, typer.Option("--print", help="Print topic and payload instead of sending; needs --minutes.")
    ] = False,
    data_dir: DataDir = None,
    mqtt_host: MqttHost = None,
    mqtt_port: MqttPort = None,
) -> None:
    """Play the devices of 街並市 (Namiki), a city that is not there.

    300 paddy sensors, 60 river gauges, 5 underpass gauges, 120 people-flow receivers, 8 people-counting
    cameras, 200 rental bikes and 20 ports publish over MQTT, each in its maker's own format, once within ten
    simulated seconds and then at its own interval. What is really so is written to DATA_DIR/truth.

        machinami simulate --scenario typhoon --speed 600 --from 2026-09-01

        machinami simulate --masters ./masters
    """
    namiki, size = city.build(plan.namiki()), find_scale(scale)
    if masters is not None:
        for path in write_masters(namiki, masters, size):
            print(path)
        return
    pace = _speed(speed)
    began = _start_time(start, pace, namiki.plan.utc_offset_hours)
    until = float(int(began)) + 60 * minutes
    chosen = find_scenario(scenario)
    dials = [_dial(text) for text in faults or ()]

    beside = Beside(chosen.replays, recordings, start=began, utc_offset_hours=namiki.plan.utc_offset_hours)

    def world(truth: Truth) -> World:
        return World(
            namiki, chosen, start=began, seed=seed, scale=size, dials=dials, truth=truth, beside=beside
        )

    if dry_run:
        _print(world(Truth()), until)
        return
    folder = data_folder(data_dir)
    run = Run(
        scenario=chosen.name,
        seed=seed,
        start=float(int(began)),
        scale=size.name,
        utc_offset_hours=namiki.plan.utc_offset_hours,
    )
    where = broker(folder, mqtt_host, mqtt_port)
    reach(*where)
    with only_one(folder, "simulate"), TruthLog(folder / "truth", run, keep=_DAY * truth_days) as truth:
        playing = world(truth)
        line, window = find_lines(connections, playing.devices)
        with (
            stop_on_signals() as stop,
            Ledger(folder / "ledger", "simulate") as ledger,
            Sender(*where, ledger, window=window, line=line) as sender,
        ):
            print(f"Playing 街並市 to {address(*where)}; Ctrl-C ends it.", flush=True)
            result = simulation.run(playing, simulation.Clock(began, pace), sender, stop, until=until)
    print(f"sent {result.sent}, acknowledged {result.acknowledged}")


def _speed(text: str) -> float:
    try:
        pace = replaying.parse_speed(text)
    except ValueError:
        pace = 0.0
    if pace < 1:
        raise InvalidOption(f"--speed: {text!r} is no speed", "Write a number from 1 up, or max")
    return pace


def _dial(text: str) -> Fault:
    kind, _, share = text.partition("=")
    try:
        return msgspec.convert({"kind": kind, "share": float(share)}, Fault)
    except (ValueError, msgspec.ValidationError) as error:
        raise InvalidOption(
            f"--fault: {text!r} is no fault ({error})", f"Write KIND=SHARE with a KIND of {', '.join(FAULTS)}"
        ) from error


def _start_time(text: str | None, speed: float, utc_offset_hours: float) -> float:
    if text is None:
        return time.time() - (_DAY if speed > 1 else 0)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidOption(
            f"--from: {text!r} is no time", "Write it like 2026-09-01 or 2026-09-01T06:00:00Z"
        ) from None
    naive = moment.tzinfo is None
    return moment.replace(tzinfo=plan.zone(utc_offset_hours)).timestamp() if naive else moment.timestamp()


def _print(world: World, until: float) -> None:
    if until == math.inf:
        raise InvalidOption("--print without an end", "Add --minutes, for example --minutes 1")
    while world.now < until:
        for message in world.step():
            if message.at <= until:
                sys.stdout.write(f"{message.topic} {message.payload.decode()}\n")


@plainly
def replay(
    recording: Annotated[
        str, typer.Argument(help=f"What the files are: {', '.join(RECORDINGS)}, {CAPTURE}.")
    ],
    files: Annotated[list[Path], typer.Argument(help="Files, sent one after the other.")],
    speed: Annotated[
        str,
        typer.Option(
            metavar="X|max", help="Recorded seconds in a second; max: as fast as they are acknowledged."
        ),
    ] = "1",
    data_dir: DataDir = None,
    mqtt_host: MqttHost = None,
    mqtt_port: MqttPort = None,
) -> None:
    """Publish recorded rows over MQTT as a device would, with their recorded times and all their defects.

    Each row goes to the topic replay/RECORDING/DEVICE as a JSON object of strings, as it stands in the file.
    A capture is what `machinami record` wrote: its messages go to the topics that they came from.
    Waits for every acknowledgement; exits with 1 when one did not come.

        machinami replay fukui-river 2023-07-13.csv --speed 600

        machinami replay kakogawa-probe probe.csv --speed max
    """
    rows = _find_rows(recording, files)
    try:
        pace = replaying.parse_speed(speed)
    except ValueError:
        raise InvalidOption(f"--speed: {speed!r} is no speed", "Write a number above 0, or max") from None
    folder = data_folder(data_dir)
    where = broker(folder, mqtt_host, mqtt_port)
    reach(*where)
    with (
        stop_on_signals() as stop,
        Ledger(folder / "ledger", f"replay-{recording}") as ledger,
        Sender(*where, ledger, window=replaying.WINDOW // CONNECTIONS) as sender,
    ):
        result = replaying.play(rows, sender, stop, total=_count_rows(files), speed=pace)
    print(f"sent {result.sent}, acknowledged {result.acknowledged}")
    if result.acknowledged < result.sent:
        raise typer.Exit(1)


def _find_rows(recording: str, files: list[Path]) -> Iterator[Row]:
    """The rows of the files, which are checked before anything is sent."""
    run = str(os.getpid())
    if recording == CAPTURE:
        for path in files:
            check_capture(path)
        return read_capture(files, run)
    kind = find_recording(recording)
    for path in files:
        check_header(kind, path)
    return read_rows(kind, files, run)


def _count_rows(files: list[Path]) -> int:
    """About how many rows there are, for the progress line."""
    total = 0
    for path in files:
        with path.open("rb") as file:
            total += sum(1 for _ in file) - 1
    return total
