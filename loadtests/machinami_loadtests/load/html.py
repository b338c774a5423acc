"""report.html: one page that needs nothing but itself, light and dark, with charts drawn as SVG."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from html import escape
from pathlib import Path
from string import Template

import msgspec

from machinami_loadtests.load.charts import Chart, Series, figure, number
from machinami_loadtests.load.report import HTML_FILE, Point, Report, Request
from machinami_loadtests.load.roles import TESTER
from machinami_loadtests.load.tally import Latency

_PAGE = Path(__file__).parent / "page"
_NOTHING = "–"
_BLUE, _ORANGE, _TEAL, _GREEN, _GREY = 1, 2, 3, 5, 7
_PERCENTILES = (("p50", _TEAL), ("p90", _BLUE), ("p99", _ORANGE), ("max", _GREY))
_ROLE_COLOURS = (1, 2, 3, 4, 5, 6, 8)

Cell = str | float | None
_NAMES = {
    "cores": "cores this process may use",
    "memory_gib": "memory, GiB",
    "load_before": "load average before",
    "fsync_per_second": "disk, 8 KiB fsyncs a second",
    "fsync_p50_ms": "disk, fsync p50, ms",
    "nats_server": "nats-server",
    "postgres": "PostgreSQL",
    "timescaledb": "TimescaleDB",
    "python": "Python",
    "machinami": "Machinami",
    "qos": "MQTT quality of service",
    "rate": "rate asked for, messages/s",
    "duration": "duration, s",
    "address": "MQTT listener",
    "not_arrived": "not arrived (never acknowledged)",
    "doubled": "doubled rows",
}


def write_html(report: Report, folder: Path) -> Path:
    """Write ``report.html``; its path."""
    path = folder / HTML_FILE
    path.write_text(page(report), encoding="utf-8")
    return path


def page(report: Report) -> str:
    """The whole page."""
    mood, verdict, reason = _verdict(report)
    heading = _heading(report.request)
    when = f"{datetime.fromisoformat(report.started):%d %B %Y, %H:%M:%S} UTC · {report.machine.processor}"
    return Template(_part("report.html")).substitute(
        title=escape(f"Load test: {heading}"),
        heading=escape(heading),
        when=escape(f"{when}, {report.machine.cores} cores"),
        mood=mood,
        verdict=escape(verdict),
        reason=escape(reason),
        cards="".join(_cards(report)),
        charts="".join(_charts(report)),
        whole=_whole(report),
        ledger=_facts(report.ledger)
        if report.ledger
        else "<p>The messages were not looked for in a database.</p>",
        test=_facts(report.request),
        machine=_facts(report.machine),
        steps=_steps(report.points),
        style=_part("report.css"),
        script=_part("report.js"),
    )


def _part(name: str) -> str:
    return (_PAGE / name).read_text(encoding="utf-8")


def _heading(request: Request) -> str:
    rate = f"{number(request.rate)} messages/s" if request.rate else "as fast as acknowledged"
    what = "a city" if request.target == "city" else f"the broker {request.address}"
    return f"{request.devices:,} devices, {rate}, {number(request.duration)} s, QoS {request.qos}, to {what}"


def _verdict(report: Report) -> tuple[str, str, str]:
    ledger, summary = report.ledger, report.summary
    if report.ended:
        return "bad", "Ended before its time", report.ended
    if ledger and (ledger.lost or ledger.doubled):
        return (
            "bad",
            f"{ledger.lost:,} lost, {ledger.doubled:,} doubled",
            "Acknowledged messages are missing.",
        )
    if ledger and ledger.stored < ledger.sent:
        missing = (
            f"{ledger.not_arrived:,} never acknowledged did not arrive, {ledger.quarantined:,} quarantined"
        )
        return "warn", "Nothing promised was lost", missing
    if ledger:
        found = f"Each of {ledger.sent:,} messages was looked for, and found once."
        return "good", "Nothing lost, nothing doubled", found
    if summary.acknowledged is None:
        return "warn", "Sent", f"{summary.messages:,} messages at QoS 0: the broker promises nothing."
    return (
        "good",
        "Everything acknowledged",
        f"{summary.messages:,} messages; nobody looked behind the broker.",
    )


def _cards(report: Report) -> Iterator[str]:
    summary = report.summary
    rates = (
        ("To the committed row", summary.committed),
        ("Acknowledged", summary.acknowledged),
        ("Sent", summary.sent),
    )
    title, rate = next((title, rate) for title, rate in rates if rate is not None)
    yield _card(title, number(rate), "messages/s", f"{summary.messages:,} messages sent")
    named = (("Publish → queryable", summary.stored), ("Publish → PUBACK", summary.puback))
    for title, latency in named:
        if latency:
            rest = f"p50 {number(latency.p50_ms)} ms, max {number(latency.max_ms)} ms"
            yield _card(f"{title}, p99", number(latency.p99_ms), "ms", rest)
    used = {name: use.cpu_microseconds for name, use in report.roles.items() if name != TESTER}
    if used:
        most = max(used, key=lambda name: used[name])
        yield _card(
            "CPU a message", number(sum(used.values())), "µs", f"most of it: {most}, {number(used[most])} µs"
        )


def _card(title: str, value: str, unit: str, below: str) -> str:
    return (
        f"<div class='card'><p>{escape(title)}</p><p class='figure'>{value}<small>{unit}</small></p>"
        f"<p>{escape(below)}</p></div>"
    )


def _charts(report: Report) -> Iterator[str]:
    points = report.points
    ends = [*(point.at for point in points[1:]), points[-1].at + report.step]
    middles = [(point.at + end) / 2 for point, end in zip(points, ends, strict=True)]
    draw = partial(figure, times=middles, until=ends[-1])
    yield draw(_rates(points))
    yield draw(_lag(points))
    yield draw(
        _latencies(
            "Publish → queryable", [point.stored for point in points], "Probes, until a query finds the row."
        )
    )
    yield draw(
        _latencies(
            "Publish → PUBACK", [point.puback for point in points], "All messages, by when they were sent."
        )
    )
    yield draw(_by_role(report, "CPU by role", "cores", "cpu", "1 is one core busy all the time."))
    yield draw(_by_role(report, "Memory by role", "MiB", "memory", "Shared pages are shared out (PSS)."))


def _rates(points: Sequence[Point]) -> Chart:
    return Chart(
        title="Rate",
        unit="messages/s",
        note="Committed counts everybody's messages, also those of other senders.",
        series=[
            Series(name="sent", values=[point.sent for point in points], colour=_GREY),
            Series(
                name="acknowledged", values=[point.acknowledged or None for point in points], colour=_BLUE
            ),
            Series(name="committed", values=[point.committed for point in points], colour=_GREEN),
        ],
    )


def _lag(points: Sequence[Point]) -> Chart:
    return Chart(
        title="Lag",
        unit="messages",
        note="Acknowledged and in the stream, not yet in the database.",
        series=[Series(name="lag", values=[point.lag for point in points], colour=_ORANGE)],
    )


def _latencies(title: str, latencies: Sequence[Latency | None], note: str) -> Chart:
    return Chart(
        title=title,
        unit="ms",
        note=f"{note} Logarithmic.",
        logarithmic=True,
        series=[
            Series(
                name=name, values=[getattr(found, f"{name}_ms", None) for found in latencies], colour=colour
            )
            for name, colour in _PERCENTILES
        ],
    )


def _by_role(report: Report, title: str, unit: str, member: str, note: str) -> Chart:
    roles = [name for name in report.roles if name != TESTER]
    colours = {name: _ROLE_COLOURS[place % len(_ROLE_COLOURS)] for place, name in enumerate(roles)}
    series = [
        Series(name=name, values=getattr(use, member), colour=colours.get(name, _GREY))
        for name, use in report.roles.items()
    ]
    return Chart(title=title, unit=unit, note=note, series=series)


def _whole(report: Report) -> str:
    summary = report.summary
    latencies = [("publish → PUBACK, ms", summary.puback), ("publish → queryable, ms", summary.stored)]
    rows = [
        [title, *(getattr(latency, f"{name}_ms", None) for name, _ in _PERCENTILES)]
        for title, latency in latencies
    ]
    head = ["", *(name for name, _ in _PERCENTILES)]
    roles = [
        [name, use.cpu_microseconds, use.mean_cpu, use.peak_memory] for name, use in report.roles.items()
    ]
    return _table(head, rows) + _table(["role", "CPU, µs a message", "mean cores", "peak MiB"], roles)


def _facts(record: msgspec.Struct) -> str:
    facts = msgspec.structs.asdict(record).items()
    return _table(
        [], [[_NAMES.get(name, name.replace("_", " ")), _fact(name, value)] for name, value in facts]
    )


def _fact(name: str, value: Cell) -> Cell:
    return "as fast as acknowledged" if name == "rate" and value is None else value


def _steps(points: Sequence[Point]) -> str:
    head = ["at, s", "sent/s", "acknowledged/s", "committed/s", "lag"]
    head += [f"{what} {name}, ms" for what in ("PUBACK", "queryable") for name in ("p50", "p99", "max")]
    return _table(head, map(_step, points))


def _step(point: Point) -> list[Cell]:
    names = ("p50_ms", "p99_ms", "max_ms")
    latencies = [getattr(found, name, None) for found in (point.puback, point.stored) for name in names]
    return [point.at, point.sent, point.acknowledged, point.committed, point.lag, *latencies]


def _table(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    top = f"<thead><tr>{''.join(f'<th>{escape(name)}</th>' for name in head)}</tr></thead>" if head else ""
    return f"<table>{top}<tbody>{''.join(map(_row, rows))}</tbody></table>"


def _row(cells: Sequence[Cell]) -> str:
    first, *others = cells
    return f"<tr><th scope='row'>{escape(_text(first))}</th>{''.join(map(_cell, others))}</tr>"


def _cell(value: Cell) -> str:
    kind = " class='text'" if isinstance(value, str) else ""
    return f"<td{kind}>{escape(_text(value))}</td>"


def _text(value: Cell) -> str:
    if value is None:
        return _NOTHING
    return value if isinstance(value, str) else number(value)
