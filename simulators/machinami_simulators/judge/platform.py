"""The platform as anybody sees it: its NGSI-LD API over HTTP (ETSI GS CIM 009, 5.7.1 to 5.7.4)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import orjson

from machinami_simulators.errors import SimulatorError
from machinami_simulators.truth_record import Span
from machinami_simulators.wire import timestamp

_PAGE = 1_000  # entities
_TIMEOUT = 60.0  # seconds
_PARTIAL, _NOT_FOUND = 206, 404


class PlatformUnreachable(SimulatorError):
    """The API does not answer, or not as the standard says: start the city, or name another --url."""

    exit_code = 4


class Observation(msgspec.Struct, frozen=True, gc=False):
    """One instance of an attribute: when it was observed, what, and when the platform stored it.

    Times are seconds since the epoch; `stored` is None where the platform does not say.
    """

    at: float
    value: Any
    stored: float | None


class Platform:
    """Answers of one NGSI-LD broker. A context manager's client is the caller's to close.

    Args:
        client: its base URL is the one below which `/ngsi-ld/v1` lies.

    Raises, in every method:
        PlatformUnreachable: no answer, or an error.
    """

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def entities(self, kind: str) -> list[dict[str, Any]]:
        """All entities of a type, simplified."""
        found: list[dict[str, Any]] = []
        while True:
            query = {"type": kind, "options": "keyValues", "limit": str(_PAGE), "offset": str(len(found))}
            page: list[dict[str, Any]] = orjson.loads(self._get("/ngsi-ld/v1/entities", query).content)
            found += page
            if len(page) < _PAGE:
                return found

    def history(self, entity: str, attribute: str, span: Span) -> Iterator[Observation]:
        """Everything observed of an attribute in a time, by that time; nothing for an unknown entity.

        A partial answer (206) says in its Content-Range how far it goes; the rest is asked for then.
        """
        begin: str | None = timestamp(span.start)
        seen: set[tuple[float, str]] = set()
        while begin is not None:
            answer = self._evolution(entity, attribute, begin, timestamp(span.end))
            body: dict[str, Any] = orjson.loads(answer.content) if answer.status_code != _NOT_FOUND else {}
            for observation in _observations(body.get(attribute, [])):
                key = observation.at, str(observation.value)
                if key not in seen and span.start <= observation.at < span.end:
                    yield observation
                seen.add(key)
            begin = _goes_on(answer, begin)

    def _evolution(self, entity: str, attribute: str, begin: str, end: str) -> httpx.Response:
        times = {"timerel": "between", "timeAt": begin, "endTimeAt": end}
        query = {**times, "attrs": attribute, "options": "sysAttrs"}
        return self._get(f"/ngsi-ld/v1/temporal/entities/{entity}", query)

    def _get(self, path: str, query: dict[str, str]) -> httpx.Response:
        try:
            answer = self._client.get(path, params=query, timeout=_TIMEOUT)
        except httpx.TransportError as error:
            raise PlatformUnreachable(
                f"no API answers at {self._client.base_url} ({error or type(error).__name__})",
                "Start the city (machinami up), or name another with --url",
            ) from error
        if answer.is_error and answer.status_code != _NOT_FOUND:
            raise PlatformUnreachable(
                f"{answer.url} answers {answer.status_code}: {answer.text[:200]}", "See the platform's log"
            )
        return answer


def urn(kind: str, device: str) -> str:
    """The platform's name of a device of Namiki."""
    return f"urn:ngsi-ld:{kind}:namiki:{device}"


def seconds(text: str) -> float:
    """Seconds since the epoch of an NGSI-LD DateTime."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def _observations(instances: list[dict[str, Any]] | dict[str, Any]) -> Iterator[Observation]:
    for instance in instances if isinstance(instances, list) else [instances]:
        if "observedAt" in instance:
            at, stored = instance["observedAt"], instance.get("modifiedAt")
            yield Observation(seconds(at), instance.get("value"), seconds(stored) if stored else None)


def _goes_on(answer: httpx.Response, begin: str) -> str | None:
    """Where the next part begins; None after the last one, or where there is no progress."""
    if answer.status_code != _PARTIAL:
        return None
    span = answer.headers["Content-Range"].removeprefix("DateTime ").partition("/")[0]
    last = span[len(span) // 2 + 1 :]
    return None if last == begin else last
