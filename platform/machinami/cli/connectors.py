"""``machinami connector``: list the connectors, check one against its samples, dry-run one on a payload."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from machinami.cli.options import AsJson, DataDir, load_settings
from machinami.connect.discovery import Connector, discover, find_connector, load_connector
from machinami.connect.dry_run import DRY_SECRET, Step, dry_run
from machinami.connect.masters import check_master
from machinami.connect.router import Router
from machinami.connect.samples import check_sample, read_samples
from machinami.errors import InvalidRequest

app = typer.Typer(help="Connectors: list them, check one, dry-run one.", no_args_is_help=True)


@app.command("list")
def list_connectors(
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List all connectors with their topics and master mappings."""
    connectors = discover(load_settings(data_dir).connector_folders)
    rows = [_describe(connector) for connector in connectors.values()]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for row in rows:
        typer.echo(f"{row['name']}  {_title(row['title'])}")
        for topic in row["topics"]:
            typer.echo(f"    topic   {topic}")
        for master in row["masters"]:
            typer.echo(f"    master  {master}")


@app.command("check")
def check(
    name: Annotated[str, typer.Argument(help="Name of a connector, or its folder.")],
    payload_file: Annotated[Path | None, typer.Argument(help="A payload to dry-run.", dir_okay=False)] = None,
    topic: Annotated[str | None, typer.Option(help="MQTT topic of the payload.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Check a connector against its samples, or show what each of its rules makes of a payload."""
    connector = _find(name, data_dir)
    if payload_file is None:
        ok = _check_samples(connector)
    else:
        ok = _show_steps(dry_run(connector, _topic(topic), _payload(payload_file)))
    if not ok:
        raise typer.Exit(InvalidRequest.exit_code)


def _describe(connector: Connector) -> dict[str, Any]:
    return {
        "name": connector.name,
        "title": connector.manifest.connector.title,
        "topics": [message.topic for message in connector.manifest.messages],
        "masters": [f"{connector.name}/{master}" for master in connector.masters],
        "folder": str(connector.folder),
    }


def _title(title: dict[str, str]) -> str:
    return title.get("ja") or next(iter(title.values()), "")


def _find(name: str, data_dir: Path | None) -> Connector:
    if Path(name).is_dir():
        return load_connector(Path(name))
    return find_connector(discover(load_settings(data_dir).connector_folders), name)


def _check_samples(connector: Connector) -> bool:
    Router({connector.name: connector}, DRY_SECRET)
    for rule in connector.masters.values():
        check_master(rule)
    samples = read_samples(connector.folder)
    problems = {sample.name: check_sample(connector, sample) for sample in samples}
    for sample, differences in problems.items():
        typer.echo(f"{'✗' if differences else '✓'} {sample}")
        for difference in differences:
            typer.echo(f"    {difference}")
    bad = sum(1 for differences in problems.values() if differences)
    typer.echo(f"{connector.name}: manifest sound, {len(samples)} samples, {bad} differ")
    return not bad


def _show_steps(steps: list[Step]) -> bool:
    width = max(len(step.rule) for step in steps)
    for step in steps:
        where = ": ".join(part for part in (step.path, step.found) if part)
        came = f" → {step.result}" if step.result else ""
        typer.echo(f"{'✗' if step.reason else '✓'} {step.rule:<{width}}  {where}{came}")
        if step.reason:
            typer.echo(f"    {step.reason}\n    {step.cure}")
    return not any(step.reason for step in steps)


def _topic(topic: str | None) -> str:
    if topic is None:
        raise InvalidRequest(
            "a payload needs its topic",
            field="--topic",
            cure="Add --topic with the device's topic.",
        )
    return topic


def _payload(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidRequest(
            f"{path}: {error.strerror}",
            field="PAYLOAD_FILE",
            value=str(path),
            cure="Name a readable file.",
        ) from error
