"""Samples of a connector: payloads as devices sent them, and what must become of each.

``samples/NAME.toml`` names the payload's file beside it, topic and time of reception, then lists the changes,
with terms, and, if it is called ``bad-NAME.toml``, the rejections.
"""

import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from machinami.connect.discovery import Connector
from machinami.connect.dry_run import DRY_SECRET
from machinami.connect.router import Router
from machinami.errors import SetupError
from machinami.model import Attributes, Change, Measurement, Message, Rejection
from machinami.ngsild.context import CORE


class ExpectedChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A change that a sample must give: ``attributes`` is term → instance, type Property unless said."""

    id: str
    type: str
    attributes: dict[str, dict[str, Any]]


class ExpectedRejection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rejection that a sample must give."""

    field: str
    reason: str
    partial: bool = False


class Expectation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``samples/NAME.toml``."""

    payload: str
    topic: str
    received_at: datetime
    changes: list[ExpectedChange] = field(name="change", default_factory=list[ExpectedChange])
    rejections: list[ExpectedRejection] = field(name="rejection", default_factory=list[ExpectedRejection])


class Sample(Struct, frozen=True, kw_only=True):
    """A sample, read."""

    name: str
    message: Message
    expectation: Expectation


def read_samples(folder: Path) -> list[Sample]:
    """All samples of a connector folder, by name.

    Raises:
        SetupError: a sample cannot be read, or its name does not say whether it is a bad one.
    """
    return [_read(path) for path in sorted((folder / "samples").glob("*.toml"))]


def check_sample(connector: Connector, sample: Sample) -> list[str]:
    """Differences between what the sample expects and what the connector makes of it; none is good."""
    mapped = Router({connector.name: connector}, DRY_SECRET).map(sample.message)
    expected = sample.expectation
    return [
        *_differences("change", [_expand(c) for c in expected.changes], [_plain(c) for c in mapped.changes]),
        *_differences("rejection", expected.rejections, [_stated(r) for r in mapped.rejections]),
    ]


def _read(path: Path) -> Sample:
    try:
        expectation = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Expectation)
        payload = (path.parent / expectation.payload).read_bytes()
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise SetupError(f"{path}: {error}", field=path.name, cure="See docs/connectors.md.") from error
    if path.stem.startswith("bad-") != bool(expectation.rejections) or expectation.received_at.tzinfo is None:
        raise SetupError(
            f"{path}: a sample named bad-… lists rejections and no other does; received_at has a zone",
            field=path.name,
            cure="Rename the sample, list what it must give, or write received_at with Z.",
        )
    message = Message(
        sequence=0, topic=expectation.topic, payload=payload, received_at=expectation.received_at
    )
    return Sample(name=path.stem, message=message, expectation=expectation)


def _expand(change: ExpectedChange) -> tuple[str, tuple[str, ...], Attributes]:
    attributes: Attributes = {
        CORE.expand(term): [{"type": "Property", **instance}] for term, instance in change.attributes.items()
    }
    return change.id, (CORE.expand_type(change.type),), attributes


def _plain(change: Change | Measurement) -> tuple[str, tuple[str, ...], Attributes]:
    return change.entity_id, change.types, change.attributes


def _stated(rejection: Rejection) -> ExpectedRejection:
    return ExpectedRejection(field=rejection.field, reason=rejection.reason, partial=rejection.partial)


def _differences(what: str, expected: list[Any], found: list[Any]) -> list[str]:
    missing = [f"expected {what}, not given: {item}" for item in expected if item not in found]
    return missing + [f"{what} given, not expected: {item}" for item in found if item not in expected]
