"""When a value was observed: text or number → aware UTC and the ``…Z`` text of ``observedAt``."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from machinami.connect.paths import ABSENT, Document, compile_path, show_path
from machinami.connect.words import TimeRule
from machinami.errors import BadRequestData, SetupError

FUTURE: Final = timedelta(hours=24)
"""How far a device's clock may run ahead of the broker's; a manifest may say ``[limits] future_hours``."""

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)

Observed: TypeAlias = tuple[datetime, str]
"""A moment, aware UTC, and its RFC 3339 text ending in ``Z``."""

Clock: TypeAlias = Callable[[Document, datetime], Observed]
"""Document and reception time → when it was observed; raises BadRequestData."""

_KNOWN: Final = 10_000
"""Texts of times that are remembered: many devices report at the same second."""

_Parse: TypeAlias = Callable[[Any], Observed]


def compile_clock(rule: TimeRule, future: timedelta = FUTURE) -> Clock:
    """Make a reader of the time of observation.

    Raises:
        SetupError: no path and not ``received``, or an unknown zone.
    """
    if rule.received:
        return _reception
    if not rule.path:
        raise SetupError(
            "the message has no time",
            field="time.path",
            cure="Give the path of the time of observation, or received = true for that of reception.",
        )
    get, parse, label = compile_path(rule.path), _parser(rule), show_path(rule.path)

    def clock(document: Document, received_at: datetime) -> Observed:
        try:
            observed = parse(get(document))
            moment = observed[0]
            if not EARLIEST <= moment < LATEST:
                raise _refuse("the time lies outside the years 1970 to 2200", observed[1])
            if moment - received_at > future:
                raise _refuse(f"the time lies more than {future} ahead of its reception", observed[1])
        except BadRequestData as error:
            error.field = label
            raise
        return observed

    return clock


def find_zone(name: str) -> tzinfo:
    """The time zone of this IANA name.

    Raises:
        SetupError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SetupError(
            f"unknown time zone {name!r}",
            field="zone",
            value=name,
            cure="Use an IANA name such as Asia/Tokyo.",
        ) from None


def observed_text(moment: datetime) -> str:
    """RFC 3339 text of a moment in UTC, as `machinami.model.format_time` writes it."""
    return moment.isoformat()[:-6] + "Z"


def _reception(_document: Document, received_at: datetime) -> Observed:
    return received_at, observed_text(received_at.astimezone(UTC))


def _parser(rule: TimeRule) -> _Parse:
    if rule.format == "iso":
        return _iso(find_zone(rule.zone) if rule.zone else None)
    return _unix(1 if rule.format == "unix" else 1000)


def _iso(zone: tzinfo | None) -> _Parse:
    known: dict[str, Observed] = {}

    def parse(value: Any) -> Observed:
        observed = known.get(value) if type(value) is str else None
        if observed is None:
            observed = _read_iso(value, zone)
            if len(known) >= _KNOWN:
                known.clear()
            known[value] = observed
        return observed

    return parse


def _read_iso(value: Any, zone: tzinfo | None) -> Observed:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise _unreadable(value) from None
    if len(value) == 20 and value[10] == "T" and value[13] == ":" and value[19] == "Z":
        return moment, value  # already as we write it
    if moment.tzinfo is UTC:
        return moment, observed_text(moment)
    if moment.tzinfo is None:
        if zone is None:
            raise _refuse("the time has no zone", value, cure="Name its zone in the manifest: time.zone.")
        moment = moment.replace(tzinfo=zone)
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise _refuse("the time lies outside the years 1970 to 2200", value) from None
    return moment, observed_text(moment)


def _unix(per_second: int) -> _Parse:
    latest = LATEST.timestamp()

    def parse(value: Any) -> Observed:
        try:
            seconds = float(value) / per_second
        except (TypeError, ValueError, OverflowError):
            raise _unreadable(value) from None
        if isinstance(value, bool) or not 0 <= seconds < latest:
            raise _refuse("the time lies outside the years 1970 to 2200", value)
        moment = datetime.fromtimestamp(seconds, UTC)
        return moment, observed_text(moment)

    return parse


def _unreadable(value: Any) -> BadRequestData:
    reason = "the time is missing" if value is ABSENT else "the time cannot be read"
    return _refuse(reason, value, cure="Mend the device's clock message, or time.path and time.format.")


def _refuse(reason: str, value: Any, cure: str = "") -> BadRequestData:
    cure = cure or "Set the device's clock, or mend time.format and time.zone in the manifest."
    return BadRequestData(reason, value=value, cure=cure)
