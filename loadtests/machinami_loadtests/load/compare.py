"""Two reports side by side: figures, ratios, and whether the machines let them be compared."""

from collections.abc import Callable, Iterator

import msgspec

from machinami_loadtests.load.report import Report

_HARDWARE = ("processor", "cores", "memory_gib")
_SOFTWARE = ("kernel", "system", "python", "machinami", "nats_server", "postgres", "timescaledb")
_TEST = ("target", "devices", "rate", "duration", "qos", "connections")
_MEMORY_TOLERANCE = 1.05
_DISK_TOLERANCE = 1.5
_BUSY = 0.5  # of the cores, before the run


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of both reports; ratio is B / A, None where one of them is missing or A is zero."""

    figure: str
    unit: str
    a: float | None
    b: float | None
    ratio: float | None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Both reports.

    Attributes:
        obstacles: why the figures must not be compared; empty when they may.
        notes: what differs as well; it may be the very thing to compare.
    """

    comparable: bool
    obstacles: list[str]
    notes: list[str]
    rows: list[Row]


def compare(a: Report, b: Report) -> Comparison:
    """Hold two reports against each other."""
    obstacles = [*_hardware(a, b), *_differences(a.request, b.request, _TEST, "test: ")]
    return Comparison(
        comparable=not obstacles,
        obstacles=obstacles,
        notes=[*_differences(a.machine, b.machine, _SOFTWARE), *_circumstances(a, b)],
        rows=[_row(*figure, a, b) for figure in _figures(a, b)],
    )


def _hardware(a: Report, b: Report) -> Iterator[str]:
    sizes = sorted((a.machine.memory_gib, b.machine.memory_gib))
    alike = sizes[1] <= sizes[0] * _MEMORY_TOLERANCE
    yield from _differences(a.machine, b.machine, _HARDWARE[: -1 if alike else None])


def _circumstances(a: Report, b: Report) -> Iterator[str]:
    mine, other = a.machine.fsync_per_second, b.machine.fsync_per_second
    if max(mine, other) > min(mine, other) * _DISK_TOLERANCE:
        yield f"disk: {mine:,.0f} against {other:,.0f} fsyncs a second"
    for name, report in (("A", a), ("B", b)):
        if report.machine.load_before > report.machine.cores * _BUSY:
            yield f"{name}: the machine was busy before the run (load {report.machine.load_before})"
        if report.ended:
            yield f"{name} ended before its time: {report.ended}"


def _differences(a: object, b: object, names: tuple[str, ...], prefix: str = "") -> Iterator[str]:
    for name in names:
        mine, other = getattr(a, name), getattr(b, name)
        if mine != other:
            yield f"{prefix}{name.replace('_', ' ')}: {_told(mine)} against {_told(other)}"


def _told(value: object) -> str:
    if value is None:
        return "as fast as acknowledged"
    return f"{value:,g}" if isinstance(value, float) else str(value)


_Get = Callable[[Report], "float | None"]


def _figures(a: Report, b: Report) -> Iterator[tuple[str, str, _Get]]:
    yield "sent", "messages/s", lambda report: report.summary.sent
    yield "acknowledged", "messages/s", lambda report: report.summary.acknowledged
    yield "to the committed row", "messages/s", lambda report: report.summary.committed
    for title, member in (("publish → PUBACK", "puback"), ("publish → queryable", "stored")):
        for percentile in ("p50", "p90", "p99", "max"):
            yield f"{title}, {percentile}", "ms", _latency(member, f"{percentile}_ms")
    yield "lost", "messages", lambda report: report.ledger.lost if report.ledger else None
    yield "doubled", "rows", lambda report: report.ledger.doubled if report.ledger else None
    for role in dict.fromkeys([*a.roles, *b.roles]):
        yield f"CPU, {role}", "µs/message", _role(role, "cpu_microseconds")
        yield f"peak memory, {role}", "MiB", _role(role, "peak_memory")


def _latency(member: str, name: str) -> _Get:
    return lambda report: getattr(getattr(report.summary, member), name, None)


def _role(role: str, name: str) -> _Get:
    return lambda report: getattr(report.roles.get(role), name, None)


def _row(figure: str, unit: str, get: _Get, a: Report, b: Report) -> Row:
    mine, other = get(a), get(b)
    ratio = round(other / mine, 3) if mine and other is not None else None
    return Row(figure=figure, unit=unit, a=mine, b=other, ratio=ratio)
