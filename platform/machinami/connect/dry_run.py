"""What each rule of a connector makes of one payload, for the integrator who writes it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from msgspec import Struct

from machinami.connect.attributes import Reader, paths_of
from machinami.connect.discovery import Connector
from machinami.connect.messages import MessageMapper, compile_messages
from machinami.connect.paths import ABSENT, Document, compile_path
from machinami.connect.reasons import printable, show_value
from machinami.connect.templates import Names, places
from machinami.connect.topics import TopicTree
from machinami.errors import BadRequestData

DRY_SECRET = b"not secret: for dry runs and samples"
"""Pseudonyms of a dry run are none of the city's."""


class Step(Struct, frozen=True, kw_only=True):
    """One rule and what came of it.

    Attributes:
        rule: which: topic, format, when, time, pseudonymise, id, or an attribute's name.
        path: where it looked.
        found: what lay there.
        result: what it became; empty when it was refused or is absent.
        reason: why it was refused; empty when it was not.
        cure: what to do.
    """

    rule: str
    path: str = ""
    found: str = ""
    result: str = ""
    reason: str = ""
    cure: str = ""


def dry_run(
    connector: Connector, topic: str, payload: bytes, received_at: datetime | None = None
) -> list[Step]:
    """Every rule's result, in the order in which they are applied; later rules run though one failed.

    Raises:
        MachinamiError: the manifest itself cannot be compiled.
    """
    tree: TopicTree[MessageMapper] = TopicTree()
    for mapper in compile_messages(connector, DRY_SECRET):
        tree.add(mapper.rule.topic, mapper)
    found = tree.find(topic)
    if found is None:
        declared = ", ".join(rule.topic for rule in connector.manifest.messages)
        return [_refused("topic", topic, "this connector does not declare it", f"It declares: {declared}.")]
    mapper, names = found
    matched = Step(rule="topic", path=mapper.rule.topic, found=topic, result=_show(names))
    return [matched, *_decoded(mapper, names, topic, payload, received_at or datetime.now(UTC))]


def _decoded(
    mapper: MessageMapper, names: Names, topic: str, payload: bytes, received_at: datetime
) -> Iterator[Step]:
    try:
        documents = mapper.decode(topic, payload)
    except BadRequestData as error:
        yield _refused("format", _show(payload), error.detail, error.cure)
        return
    for document in documents:
        yield Step(rule="format", path=mapper.rule.format, result=_show(document))
        yield from _document(mapper, names, document, received_at)


def _document(
    mapper: MessageMapper, names: Names, document: Document, received_at: datetime
) -> Iterator[Step]:
    rule = mapper.rule
    if rule.when:
        yield _step("when", list(rule.when), document, lambda: mapper.check(document) or "holds")
    time_paths = [rule.time.path] if isinstance(rule.time.path, str) else rule.time.path
    yield _step("time", time_paths, document, lambda: mapper.clock(document, received_at)[1])
    if mapper.hide:
        yield _step("pseudonymise", rule.pseudonymise, document, lambda: _hide(mapper, document, received_at))
    id_paths = [place for place in places(rule.id) if place not in names]
    yield _step("id", id_paths, document, lambda: mapper.identify(document, names), where=rule.id)
    for attribute, reader in zip(rule.attributes, mapper.readers, strict=True):
        read = partial(_value, reader, document)
        yield _step(reader.term, paths_of(attribute), document, read)


def _value(reader: Reader, document: Document) -> str:
    value = reader.read(document)
    return "(left out)" if value is ABSENT else f"{_show(value)} {reader.unit or ''}".rstrip()


def _hide(mapper: MessageMapper, document: Document, received_at: datetime) -> str:
    try:
        moment = mapper.clock(document, received_at)[0]
    except BadRequestData:
        moment = received_at  # the time has a step of its own
    if mapper.hide:
        mapper.hide(document, moment)
    return "hidden"


def _step(
    rule: str, paths: list[str], document: Document, act: Callable[[], Any], *, where: str = ""
) -> Step:
    found = ", ".join(_show(_look(path, document)) for path in paths)
    path = where or ", ".join(paths)
    try:
        return Step(rule=rule, path=path, found=found, result=_show(act()))
    except BadRequestData as error:
        return Step(rule=rule, path=path, found=found, reason=error.detail, cure=error.cure)


def _look(path: str, document: Document) -> Any:
    return ABSENT if "[]" in path or not path else compile_path(path)(document)


def _refused(rule: str, found: str, reason: str, cure: str) -> Step:
    return Step(rule=rule, found=found, reason=reason, cure=cure)


def _show(value: Any) -> str:
    return printable(show_value(value))
