"""What the devices put on the wire, from the simulator's own record and its ledger of messages."""

import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import orjson

from machinami_simulators.judge.derive import Fix
from machinami_simulators.judge.platform import seconds
from machinami_simulators.truth import Reading
from machinami_simulators.truth_record import Span, TruthRecord
from machinami_simulators.wire import PEOPLE_FLOW, RENTAL_BIKE, RIVER_GAUGE

DECIMALS = {"level": 3, "depth": 0, "people": 0, "bikes": 0, "entered": 0}  # as the payloads are written
Sightings: TypeAlias = Iterator[tuple[float, str, list[str]]]  # time, receiver, addresses
_STAMP = re.compile(r"-(\d{8}T\d{6}\.\d+Z)\.sqlite$")


def readings(record: TruthRecord, quantity: str, span: Span) -> list[Reading]:
    """Every number of a quantity that the devices say they observed in a time, as it is on the wire.

    What would have been late, and the run ended before, was never sent.
    """
    where = "quantity = :quantity AND observed_at >= :start AND observed_at < :end AND leaves < :over"
    asked = {"start": span.start, "end": span.end, "over": record.span().end}
    found = record.rows(Reading, where, quantity=quantity, **asked)
    places = DECIMALS[quantity]
    return [msgspec.structs.replace(row, reported=round(row.reported, places)) for row in found]


class Sent:
    """The ledger of the run that wrote a record. A context manager is not needed: each question reads anew.

    Attributes:
        complete: nothing was pruned; else only `latencies` makes sense.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.complete = path is not None and not self._ask("SELECT 1 FROM forgotten WHERE sent > 0")

    def gauge_times(self) -> dict[tuple[str, str], float]:
        """(gauge, observed time as written) → when it was handed to the socket, by the wall clock."""
        rows = self._ask("SELECT topic, payload, sent_at FROM message WHERE kind = ?", RIVER_GAUGE)
        return {(_level(topic, 2), payload.partition(b"|")[0].decode()): at for topic, payload, at in rows}

    def sightings(self, span: Span) -> Sightings:
        """Each report of a receiver: when, which, and the addresses in it; one that was sent twice, once."""
        told: set[tuple[float, str]] = set()
        for topic, payload in self._messages(PEOPLE_FLOW):
            gateway, *packets = orjson.loads(payload)
            report = seconds(gateway["timestamp"]), _level(topic, 2)
            if span.start <= report[0] < span.end and report not in told:
                told.add(report)
                yield *report, [packet["mac"] for packet in packets]

    def fixes(self, span: Span) -> dict[str, list[Fix]]:
        """Each bike's fixes by time."""
        found: dict[str, list[Fix]] = defaultdict(list)
        for topic, payload in self._messages(RENTAL_BIKE):
            fix: dict[str, Any] = orjson.loads(payload)
            if fix.get("_type") == "location" and span.start <= fix["tst"] < span.end:
                place = float(fix["lon"]), float(fix["lat"])
                found[_level(topic, 2)].append(Fix(fix["tst"], place, fix.get("vel", 0) > 0))
        return {bike: sorted(fixes, key=lambda fix: fix.at) for bike, fixes in found.items()}

    def _messages(self, kind: str) -> list[tuple[str, bytes]]:
        return self._ask("SELECT topic, payload FROM message WHERE kind = ? ORDER BY n", kind)

    def _ask(self, sql: str, *values: str) -> list[Any]:
        if self._path is None:
            return []
        database = sqlite3.connect(f"{self._path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            return database.execute(sql, values).fetchall()
        finally:
            database.close()


def find_sent(record: TruthRecord, data_dir: Path) -> Sent:
    """The ledger of the run that wrote the record: the first that was begun after it.

    Without one, as on another machine, what is known of the sensors is in the record alone.
    """
    began = _stamp(record.path)
    ledgers = sorted((data_dir / "ledger").glob("simulate-*.sqlite"))
    return Sent(next((path for path in ledgers if began and _stamp(path) >= began), None))


def _stamp(path: Path) -> str:
    found = _STAMP.search(path.name)
    return found[1] if found else ""


def _level(topic: str, number: int) -> str:
    return topic.split("/")[number]
