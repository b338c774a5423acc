"""Entities that sources have sent (clauses 4.3.6.8 and 6.3.17)."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, cast

import msgspec

from machinami.errors import MachinamiError
from machinami.federation.exchange import Forward, Reply
from machinami.federation.matching import covers
from machinami.federation.registration import Information, Mode
from machinami.model import Entity, Instance
from machinami.ngsild.context import Context, Source
from machinami.ngsild.documents import read_entity, read_temporal
from machinami.ngsild.terms import is_uri
from machinami.ngsild.times import is_time, parse_time

STALE, INVALID, MISCELLANEOUS, PERSISTENT = 110, 111, 199, 299
"""Codes of warnings (Table 6.3.17-1)."""

_WARNING = "ngsild-warning"
_TIMES = ("createdAt", "modifiedAt")
_SYSTEM = (*_TIMES, "deletedAt", "instanceId")
_CONTEXT_LINK = re.compile(r'<([^<>]*)>[^,]*rel="?http://www\.w3\.org/ns/json-ld#context')


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request for entities, and the part of a registration that it asks for.

    Attributes:
        names: attributes asked for, expanded; an entity without any of them is none. Empty asks for all.
        of_history: it is for evolutions, which are entities whose attributes have many instances.
    """

    forward: Forward
    item: Information
    names: frozenset[str] = frozenset()
    of_history: bool = False


class Warned(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the one who asked has to know of a source."""

    code: int
    text: str


class Remote(msgspec.Struct, kw_only=True):
    """All that sources have said.

    Attributes:
        equals: entity id → what sources said whose word counts as ours.
        supplements: entity id → what auxiliary sources said.
        partial: answers that are the first part only of an evolution (206).
        registrations: entity id → ids of the registrations whose sources said something.
        relayed: warnings of theirs, about sources behind them, as they came.
    """

    equals: dict[str, list[Entity]] = msgspec.field(default_factory=dict[str, list[Entity]])
    supplements: dict[str, list[Entity]] = msgspec.field(default_factory=dict[str, list[Entity]])
    registrations: dict[str, list[str]] = msgspec.field(default_factory=dict[str, list[str]])
    partial: list[list[Entity]] = msgspec.field(default_factory=list[list[Entity]])
    warnings: list[Warned] = msgspec.field(default_factory=list[Warned])
    relayed: list[str] = msgspec.field(default_factory=list[str])

    def among(self, ids: Collection[str]) -> "Remote":
        """What was said of these entities only."""
        kept = [
            {identifier: each for identifier, each in found.items() if identifier in ids}
            for found in (self.equals, self.supplements)
        ]
        return Remote(equals=kept[0], supplements=kept[1], partial=self.partial)

    @property
    def ids(self) -> list[str]:
        """Ids of all these entities."""
        return sorted(self.equals.keys() | self.supplements.keys())

    def add(self, asked: Asked, reply: Reply, resolve: "Resolve") -> None:
        """Take an answer in; one that is no good becomes a warning."""
        if not self.accepts(reply):
            return
        is_auxiliary = asked.forward.registration.mode is Mode.AUXILIARY
        home = self.supplements if is_auxiliary else self.equals
        try:
            entities = list(_entities(reply, resolve, of_history=asked.of_history))
            if reply.status == 206:
                self.partial.append(entities)
            for entity in entities:
                if covers(asked.item, entity.id, entity.types) and _has_any(entity, asked.names):
                    home.setdefault(entity.id, []).append(_narrowed(entity, asked.names))
                    self.registrations.setdefault(entity.id, []).append(asked.forward.registration.id)
        except MachinamiError as error:
            self.reject(reply, str(error))

    def accepts(self, reply: Reply) -> bool:
        """Whether there is something to read; what is amiss becomes a warning, but that nothing is there."""
        if _WARNING in reply.headers:
            self.relayed.append(reply.headers[_WARNING])
        if reply.stale:
            self._warn(STALE, f"Response is Stale: {reply.forward.registration.id}")
        if not reply.is_success and reply.status != 404:
            code = MISCELLANEOUS if reply.status in (0, 508) else PERSISTENT
            self._warn(code, str(reply.error()))
        return reply.is_success

    def reject(self, reply: Reply, reason: str) -> None:
        """An answer is no NGSI-LD."""
        self._warn(INVALID, f"Revalidation Failed: {reply.forward.registration.id}: {reason}")

    def _warn(self, code: int, text: str) -> None:
        self.warnings.append(Warned(code=code, text=text))


class Resolve:
    """Gives the @context of a document.

    Args:
        resolve: @context by its source.
        default: where the document names none: that of the request.
    """

    def __init__(self, resolve: Any, default: Context) -> None:
        self._resolve = resolve
        self._default = default

    def of(self, source: Source | None) -> Context:
        """The @context of this source; the default where there is none."""
        return self._default if source is None or source == self._default.source else self._resolve(source)


def _entities(reply: Reply, resolve: Resolve, *, of_history: bool) -> Iterator[Entity]:
    payload = reply.json()
    documents = cast("list[Any]", payload) if isinstance(payload, list) else [payload]
    linked = _CONTEXT_LINK.search(reply.headers.get("link", ""))
    for document in documents:
        members = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
        context = resolve.of(members.get("@context") or (linked[1] if linked else None))
        plain = {name: value for name, value in members.items() if name != "@context"}
        if of_history:
            plain = _with_past_scopes(plain)
        entity = (read_temporal if of_history else read_entity)(plain, context)
        yield with_times(entity, plain, context)


def _with_past_scopes(document: dict[str, Any]) -> dict[str, Any]:
    """The document with scopes as the platform records them; how they ended is told by what came next."""
    given = cast("list[Any]", each if isinstance(each := document.get("scope"), list) else [each])
    past: list[Any] = [
        {name: each[name] for name in ("type", "value", "observedAt")}
        for each in given
        if isinstance(each, dict) and "observedAt" in each and "value" in each
    ]
    if past:
        return {**document, "scope": past}
    plain = all(isinstance(each, str) for each in given)
    return document if plain else {name: value for name, value in document.items() if name != "scope"}


def with_times(entity: Entity, document: Mapping[str, Any], context: Context) -> Entity:
    """The entity with the times that its source keeps, by which the newest is told."""
    attributes = {**entity.attributes}
    for name, value in document.items():
        if (
            isinstance(value, dict | list)
            and (iri := context.expand(name) if name != "type" else "") in attributes
        ):
            given = cast("list[Any]", value if isinstance(value, list) else [value])
            attributes[iri] = [_timed(each, raw) for each, raw in _pairs(attributes[iri], given)]
    moments = {name: document[name] for name in _TIMES if is_time(document.get(name))}
    return msgspec.structs.replace(
        entity,
        attributes=attributes,
        created_at=parse_time(moments["createdAt"]) if "createdAt" in moments else None,
        modified_at=parse_time(moments["modifiedAt"]) if "modifiedAt" in moments else None,
    )


def _pairs(instances: Sequence[Instance], given: Sequence[Any]) -> Iterator[tuple[Instance, Any]]:
    """Each instance and what it was read from; an array that is one value has no such pairs."""
    same = len(instances) == len(given)
    for place, instance in enumerate(instances):
        yield instance, given[place] if same else None


def _timed(instance: Instance, raw: Any) -> Instance:
    given = cast("dict[str, Any]", raw) if isinstance(raw, dict) else {}
    return {**instance, **{name: given[name] for name in _SYSTEM if _is_stamp(name, given.get(name))}}


def _is_stamp(name: str, value: object) -> bool:
    return is_uri(value) if name == "instanceId" else is_time(value)


def _has_any(entity: Entity, names: frozenset[str]) -> bool:
    return not (names and names.isdisjoint(entity.attributes))


def _narrowed(entity: Entity, names: frozenset[str]) -> Entity:
    """Only what was asked for: all constraints of a registration are respected (clause 4.3.6.1)."""
    if not names:
        return entity
    kept = {name: value for name, value in entity.attributes.items() if name in names}
    return msgspec.structs.replace(entity, attributes=kept)
