"""`machinami truth`: what was really so in the simulated city, from the simulator's own record."""

from datetime import datetime, tzinfo
from pathlib import Path
from typing import Annotated, Any

import msgspec
import orjson
import typer
from rich.console import Console
from rich.table import Table

from machinami_simulators.cli import DataDir, plainly
from machinami_simulators.errors import InvalidOption
from machinami_simulators.target import data_folder
from machinami_simulators.truth_record import TruthRecord, find_truth, plain

_WIDE = 160  # characters
_TIMES = frozenset({"time", "start", "end", "hour", "first", "last", "highest_at", "most_at"})


class Question(msgspec.Struct, frozen=True):
    """What can be asked: a line of help, the query, and the table whose rows `--each` shows."""

    help: str
    sql: str
    table: str
    name: str
    when: str


def _question(what: str, sql: str, table: str, name: str, when: str = "time") -> Question:
    return Question(what, sql, table, name, when)


QUESTIONS = {
    "levels": _question(
        "level of the river at each gauge: lowest, highest, when, last (m); flow (m³/s)",
        "SELECT gauge, count(*) AS minutes, min(level) AS lowest, max(level) AS highest,"
        " (SELECT time FROM level AS top WHERE top.gauge = level.gauge AND {within}"
        "  ORDER BY top.level DESC, time LIMIT 1) AS highest_at,"
        " (SELECT level FROM level AS end WHERE end.gauge = level.gauge AND {within}"
        "  ORDER BY time DESC LIMIT 1) AS latest, max(flow) AS most_flow"
        " FROM level WHERE {where} GROUP BY gauge ORDER BY gauge",
        "level", "gauge",
    ),
    "thresholds": _question(
        "when a gauge's level passed a threshold (1 to 4; 5 is over the bank)",
        "SELECT * FROM crossing WHERE {where} ORDER BY time, gauge", "crossing", "gauge",
    ),
    "people": _question(
        "people in each place and hour: different residents and visitors, mean at a time",
        "SELECT * FROM presence WHERE {where} ORDER BY hour, place", "presence", "place", "hour",
    ),
    "flows": _question(
        "people from each place, home or outside to each other",
        "SELECT origin, destination, sum(people) AS people FROM flow WHERE {where}"
        " GROUP BY origin, destination ORDER BY people DESC, origin, destination",
        "flow", "origin", "hour",
    ),
    "dwell": _question(
        "stays that began: how many at each place, mean, shortest and longest (minutes)",
        "SELECT place, count(*) AS stays, sum(visitor) AS by_visitors, avg(seconds) / 60 AS mean,"
        " min(seconds) / 60 AS shortest, max(seconds) / 60 AS longest"
        " FROM dwell WHERE {where} GROUP BY place ORDER BY place",
        "dwell", "place", "start",
    ),
    "trips": _question(
        "bikes from port to port, by riders and by the operator's van",
        "SELECT * FROM trip WHERE {where} ORDER BY start, bike", "trip", "bike", "start",
    ),
    "depth": _question(
        "water in each paddy: shallowest, deepest, last (mm), stage of growth",
        "SELECT paddy, min(depth) AS shallowest, max(depth) AS deepest,"
        " (SELECT depth FROM paddy AS end WHERE end.paddy = paddy.paddy AND {within}"
        "  ORDER BY time DESC LIMIT 1) AS latest, max(stage) AS stage"
        " FROM paddy WHERE {where} GROUP BY paddy ORDER BY paddy",
        "paddy", "paddy",
    ),
    "visits": _question(
        "farmers at their paddies: with sensors, and as it would be without",
        "SELECT farmer, sum(sensor) AS with_sensors, sum(NOT sensor) AS without"
        " FROM visit WHERE {where} GROUP BY farmer ORDER BY farmer",
        "visit", "farmer",
    ),
    "underpasses": _question(
        "water in underpasses: deepest (m), first and last minute of it",
        "SELECT underpass, max(depth) AS deepest, min(time) AS first, max(time) AS last"
        " FROM underpass WHERE {where} GROUP BY underpass ORDER BY underpass",
        "underpass", "underpass",
    ),
    "shelters": _question(
        "most people in each shelter, and since when there were any",
        "SELECT shelter, max(people) AS most, min(time) AS first FROM shelter WHERE {where}"
        " GROUP BY shelter ORDER BY shelter",
        "shelter", "shelter",
    ),
    "weather": _question(
        "weather over the city, every ten minutes", "SELECT * FROM weather WHERE {where} ORDER BY time",
        "weather", "''",
    ),
    "faults": _question(
        "what was wrong with which device",
        "SELECT * FROM fault WHERE device GLOB :of AND start < :end AND \"end\" > :start"
        " ORDER BY start, device",
        "fault", "device", "start",
    ),
}  # fmt: skip


@plainly
def truth(
    what: Annotated[str, typer.Argument(help=f"What to ask: {', '.join(QUESTIONS)}.")] = "",
    of: Annotated[
        str, typer.Option(metavar="PATTERN", help="Only of these names, such as gauge-nami-*.")
    ] = "*",
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="From then on.", show_default="the beginning")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Up to then.", show_default="the end")
    ] = None,
    each: Annotated[bool, typer.Option("--each", help="Every row, not summed up.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON; times are ISO 8601.")] = False,
    file: Annotated[
        Path | None, typer.Option("--file", help="A record, instead of the latest run's.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """What was really so in the simulated city, from the simulator's own record alone.

    machinami truth thresholds --of 'gauge-nami-*'
    """
    with find_truth(data_folder(data_dir), file) as record:
        if not what:
            _show([_about(record)], as_json, "run")
            return
        if what not in QUESTIONS:
            raise InvalidOption(f"{what!r} is no question", f"Ask for one of: {', '.join(QUESTIONS)}")
        _show(answer(record, what, of=of, start=start, end=end, each=each), as_json, QUESTIONS[what].help)


def answer(
    record: TruthRecord,
    what: str,
    *,
    of: str = "*",
    start: str | None = None,
    end: str | None = None,
    each: bool = False,
) -> list[dict[str, Any]]:
    """The rows that answer a question of `QUESTIONS`.

    Args:
        of: a pattern of names, `*` and `?`.
        start, end: ISO 8601; without zone it is the city's.
        each: rows of the table as they were written.
    """
    asked, span = QUESTIONS[what], record.span(start, end)
    within = f"{asked.when} >= :start AND {asked.when} < :end"
    where = f"{asked.name} GLOB :of AND {within}"
    sql = f"SELECT * FROM {asked.table} WHERE {where}" if each else asked.sql  # noqa: S608  # our own words
    found = record.ask(sql.format(where=where, within=within), of=of, start=span.start, end=span.end)
    return [_readable(plain(row), record.zone) for row in found]


def _about(record: TruthRecord) -> dict[str, Any]:
    span = record.span()
    run = {**msgspec.structs.asdict(record.run), "end": span.end - 1, "file": str(record.path)}
    return _readable(run, record.zone)


def _readable(row: dict[str, Any], zone: tzinfo) -> dict[str, Any]:
    return {
        name: datetime.fromtimestamp(min(value, 4e9), zone).isoformat(timespec="seconds")
        if name in _TIMES
        else round(value, 3)
        if isinstance(value, float)
        else value
        for name, value in row.items()
    }


def _show(rows: list[dict[str, Any]], as_json: bool, title: str) -> None:
    if as_json:
        print(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
        return
    if not rows:
        print("Nothing of it in this time.")
        return
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    wide_console().print(table)


def wide_console() -> Console:
    """The terminal; where the output goes elsewhere, lines wide enough for every table."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDE)
