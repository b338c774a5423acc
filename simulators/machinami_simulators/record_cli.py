"""`machinami record`: live MQTT traffic into a file that can be replayed."""

import math
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from machinami_simulators.capture import CaptureFile, Head
from machinami_simulators.cli import DataDir, MqttHost, MqttPort, plainly
from machinami_simulators.privacy import Filter
from machinami_simulators.recorder import Source
from machinami_simulators.recorder import record as listen
from machinami_simulators.stopping import stop_on_signals
from machinami_simulators.target import broker, data_folder


@plainly
def record(
    file: Annotated[Path, typer.Argument(help="File to write, one JSON line for each message.")],
    topics: Annotated[
        list[str] | None, typer.Option("--topic", help="Topic filter; repeat for more.", show_default="#")
    ] = None,
    seconds: Annotated[
        float, typer.Option(help="End after so many seconds.", min=0.1, show_default="Ctrl-C")
    ] = math.inf,
    hide: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Member of JSON payloads to pseudonymise: mac, [].mac, seen[].device; repeat.",
        ),
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option(metavar="PATH", help="Member to leave out; repeat.")
    ] = None,
    addresses: Annotated[
        bool,
        typer.Option(
            "--hide-addresses/--keep-addresses",
            help="Pseudonymise everything that looks like a MAC address, in topics and payloads.",
        ),
    ] = True,
    user: Annotated[str, typer.Option(help="User at the broker.")] = "",
    password: Annotated[
        str,
        typer.Option(envvar="MACHINAMI_MQTT_PASSWORD", help="Password; better in the environment than here."),
    ] = "",
    tls: Annotated[
        bool, typer.Option("--tls", help="Encrypted, the broker's certificate is checked.")
    ] = False,
    ca: Annotated[
        Path | None,
        typer.Option("--ca", help="Authorities to trust, PEM.", show_default="the system's"),
    ] = None,
    data_dir: DataDir = None,
    mqtt_host: MqttHost = None,
    mqtt_port: MqttPort = None,
) -> None:
    """Capture live MQTT traffic of any broker, to be replayed with the same timing.

    Identifiers of people's devices are hidden before anything is written, with a key that nobody keeps.

        machinami record afternoon.jsonl --topic 'minew/#' --seconds 3600

        machinami replay capture afternoon.jsonl
    """
    host, port = broker(data_folder(data_dir), mqtt_host, mqtt_port)
    wanted = topics or ["#"]
    filtering = Filter(hide or (), drop or (), addresses=addresses)
    source = Source(
        host=host, port=port, topics=wanted, user=user, password=password, tls=tls or ca is not None, ca=ca
    )
    head = Head(
        began=datetime.now(UTC).isoformat(timespec="milliseconds"),
        topics=wanted,
        privacy=[*(["addresses"] if addresses else []), *(hide or ()), *(drop or ())],
    )
    status = Console(stderr=True).status("listening")
    with stop_on_signals() as stop, CaptureFile(file, head) as capture, status as line:
        listen(
                source, capture, filtering, stop, seconds=seconds,
                tell=lambda count: line.update(f"{count:,} messages; Ctrl-C ends it"),
            )  # fmt: skip
    print(f"{capture.messages} messages in {file}", file=sys.stdout)
