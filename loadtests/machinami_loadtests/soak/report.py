"""What a soak found, as JSON and as a page."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from machinami_loadtests.load.machine import Machine
from machinami_loadtests.meters import VALUES
from machinami_loadtests.soak.sender import Tally
from machinami_loadtests.verify import Verdict


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One fault that the city suffered.

    Attributes:
        at: seconds since the first message.
        acknowledged: messages at that moment; in_flight: sent and not acknowledged then.
        lasted: seconds that it took, e.g. for which the database stood still.
        seconds: from its end until a message first sent after it was in the history.
    """

    at: float
    fault: str
    what: str
    acknowledged: int
    in_flight: int
    lasted: float
    seconds: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One soak.

    Attributes:
        soak: its options.
        seconds: for which messages were sent; caught_up_after: until ingest had read the last one.
        left_out: faults that could not be done here, and why.
        verdict: on the acknowledged messages, looked for one by one.
        rows: of the whole history; it is VALUES for each message sent when all of them are there once.
        repeated_rows: that came again, by a message sent with DUP, and found theirs there.
    """

    began: datetime
    soak: dict[str, float | Sequence[str]]
    seconds: float
    caught_up_after: float
    events: Sequence[Event]
    left_out: Sequence[str]
    sender: Tally
    verdict: Verdict
    rows: int
    repeated_rows: int
    machine: Machine

    @property
    def balanced(self) -> bool:
        """Nothing lost, nothing doubled, and nothing there that nobody sent."""
        there = self.verdict.stored * VALUES
        return not (self.verdict.lost or self.verdict.doubled or self.verdict.quarantined) and (
            there <= self.rows <= self.sender.sent * VALUES
        )


def write_report(report: Report, folder: Path) -> None:
    """Write ``soak.json`` and ``soak.md``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "soak.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    (folder / "soak.md").write_text(markdown(report), encoding="utf-8")


def markdown(report: Report) -> str:
    """The whole report as a page."""
    return "\n".join([*_head(report), "", *_by_kind(report), "", *_each(report), "", *_machine(report), ""])


def summary(report: Report) -> str:
    """The verdict in one line."""
    verdict, word = report.verdict, "balanced" if report.balanced else "NOT BALANCED"
    return (
        f"{word}: {report.sender.acknowledged:,} acknowledged, {verdict.stored:,} stored once, "
        f"{verdict.quarantined:,} in quarantine, {verdict.lost:,} lost, {verdict.doubled:,} rows doubled; "
        f"{len(report.events)} faults"
    )


def _shown(option: float | Sequence[str]) -> str:
    return f"{option:g}" if isinstance(option, int | float) else " and ".join(option) or "all"


def _head(report: Report) -> Iterator[str]:
    sender, soak = report.sender, report.soak
    yield f"**{summary(report)}.**"
    yield ""
    yield from _table(
        ("figure", "value"),
        [
            ("began", report.began.isoformat(timespec="seconds")),
            ("options", ", ".join(f"{name} {_shown(value)}" for name, value in soak.items())),
            ("messages sent", f"{sender.sent:,} in {report.seconds:,.0f} s"),
            ("messages/s, faults included", f"{sender.sent / report.seconds:,.0f}"),
            ("acknowledged", f"{sender.acknowledged:,}"),
            (
                "sent again with DUP",
                f"{sender.resent:,}, after {sender.reconnects:,} broken or refused connections",
            ),
            ("rows that came again and were there", f"{report.repeated_rows:,}"),
            ("rows in the history", f"{report.rows:,} ({VALUES} for each message)"),
            ("ingest caught up after the last message in", f"{report.caught_up_after:.1f} s"),
            *((("left out", reason)) for reason in report.left_out),
        ],
    )


def _by_kind(report: Report) -> Iterator[str]:
    kinds: dict[str, list[Event]] = {}
    for event in sorted(report.events, key=lambda event: event.fault):
        kinds.setdefault(event.fault, []).append(event)
    rows = [
        (
            name,
            events[0].what,
            len(events),
            _seconds(min(e.seconds for e in events)),
            _seconds(max(e.seconds for e in events)),
        )
        for name, events in kinds.items()
    ]
    yield from _table(("fault", "how", "times", "went on after, s: shortest", "longest"), rows)


def _each(report: Report) -> Iterator[str]:
    rows = [
        (
            number,
            _seconds(event.at),
            event.fault,
            f"{event.acknowledged:,}",
            f"{event.in_flight:,}",
            _seconds(event.lasted),
            _seconds(event.seconds),
        )
        for number, event in enumerate(report.events, start=1)
    ]
    titles = ("#", "at, s", "fault", "acknowledged", "in flight", "lasted, s", "went on after, s")
    yield from _table(titles, rows)


def _machine(report: Report) -> Iterator[str]:
    rows = [(name.replace("_", " "), value) for name, value in msgspec.structs.asdict(report.machine).items()]
    yield from _table(("machine", ""), rows)


def _seconds(value: float) -> str:
    return f"{value:.1f}"


def _table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    for cells in (titles, ["---"] * len(titles), *rows):
        yield f"| {' | '.join(map(str, cells))} |"
