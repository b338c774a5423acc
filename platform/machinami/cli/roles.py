"""One command for each role, so that a cluster can run them one by one."""

from typing import Annotated

import typer

from machinami.cli.options import DataDir, load_settings

MetricsPort = Annotated[
    int | None,
    typer.Option(help="Port of /metrics; 0 takes a free one.", min=0, max=65535, show_default="0"),
]


def ingest(data_dir: DataDir = None, metrics_port: MetricsPort = None) -> None:
    """Read the city's stream, map each message, and commit it to the linkage layer, until SIGTERM."""
    from machinami.ingest.serve import serve

    serve(load_settings(data_dir, metrics_port=metrics_port))


def api(
    data_dir: DataDir = None,
    port: Annotated[int | None, typer.Option("--port", help="HTTP port.", min=1, max=65535)] = None,
    share_port: Annotated[
        bool, typer.Option("--share-port", help="Several such processes answer on the port, in turns.")
    ] = False,
    metrics_port: MetricsPort = None,
) -> None:
    """Serve the standard API, the live changes and the apps, until SIGTERM."""
    from machinami.api.serve import serve
    from machinami.local.exporter import CityCollector
    from machinami.metrics import expose

    settings = load_settings(data_dir, api_port=port, metrics_port=metrics_port)
    expose(CityCollector(settings.data_dir))
    serve(settings, share_port=share_port)


def notify(data_dir: DataDir = None, metrics_port: MetricsPort = None) -> None:
    """Deliver notifications that are due, until SIGTERM."""
    from machinami.notify.serve import serve

    serve(load_settings(data_dir, metrics_port=metrics_port))


def prepare(data_dir: DataDir = None) -> None:
    """Make or migrate the database and make the stream; `machinami up` does it at each start."""
    from machinami.local.prepare import prepare_city

    prepare_city(load_settings(data_dir))
