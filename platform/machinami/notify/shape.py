"""How a subscriber wants entities: members, language, instances, linked ones (5.2.14, 4.5.23)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from machinami.model import Entity, Instance
from machinami.ngsild.conformance import Version, amended
from machinami.ngsild.context import Context
from machinami.ngsild.projection import ENTITY_MEMBERS, Projection
from machinami.ngsild.render import Representation, render_entity, render_feature

Load: TypeAlias = Callable[[Sequence[str]], list[Entity]]
"""Gives those of these entities that exist."""

_LISTS = {"object": "entity", "objectList": "entityList"}
"""Value member of a relationship → the member for the entities behind it."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """How entities are to look.

    Attributes:
        datasets: datasetIds wanted; None wants all.
        pick, omit: expanded members; None picks all.
        version: of the standard that the receiver knows (clause 4.3.6.8).
    """

    context: Context
    representation: Representation = Representation.NORMALIZED
    sys_attrs: bool = False
    lang: str | None = None
    datasets: frozenset[str] | None = None
    pick: "Projection | None" = None  # an alias that names itself is a text
    omit: Projection = msgspec.field(default_factory=dict[str, Any])
    version: Version | None = None

    def shows(self, member: str) -> bool:
        """Whether a member of an entity is to be told."""
        picked = self.pick is None or member in self.pick
        return picked and self.omit.get(member) != {}

    def behind(self, name: str) -> "Shape":
        """For the entities that this attribute leads to."""
        inner = self.pick.get(name) if self.pick else None
        return msgspec.structs.replace(self, pick=inner or None, omit=self.omit.get(name) or {})

    def entity(self, entity: Entity, deleted: str | None = None) -> dict[str, Any]:
        """As JSON.

        Args:
            deleted: when it was, if it was.
        """
        shown = self._as_told(entity)
        answer = render_entity(shown, self.context, self.representation, **self._members())
        hidden = [member for member in ENTITY_MEMBERS if member in answer and not self.shows(member)]
        for member in hidden:
            del answer[member]
        return {**answer, "deletedAt": deleted} if deleted else answer

    def feature(self, entity: Entity, deleted: str | None = None) -> dict[str, Any]:
        """As a GeoJSON Feature; `deleted` as in `entity`."""
        shown = self._as_told(entity)
        answer = render_feature(shown, self.context, representation=self.representation, **self._members())
        if deleted:
            answer["properties"]["deletedAt"] = deleted
        return answer

    def _as_told(self, entity: Entity) -> Entity:
        kept = {name: each for name, each in entity.attributes.items() if self.shows(name)}
        told = msgspec.structs.replace(entity, attributes=kept)
        return amended(told, self.version, self.context.names) if self.version else told

    def _members(self) -> dict[str, Any]:
        return {"sys_attrs": self.sys_attrs, "lang": self.lang, "datasets": self.datasets}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An entity of a notification and how it is to look; `deleted`: when it was, if it was."""

    entity: Entity
    shape: Shape
    deleted: str | None = None


def with_linked(told: Iterable[Told], how: str, level: int, load: Load) -> list[Told]:
    """Linked entities inside those that link to them, or after them (clause 4.5.23).

    Args:
        how: ``inline`` or ``flat``; anything else joins nothing.
        level: how deep.
    """
    listed = [*told]
    if how not in ("inline", "flat"):
        return listed
    known = _load([each.entity for each in listed], level, load)
    if how == "flat":
        return [*listed, *_behind(listed, known, level)]
    return [
        msgspec.structs.replace(
            each, entity=_inlined(each.entity, each.shape, known, level, {each.entity.id})
        )
        for each in listed
    ]


def _load(entities: Sequence[Entity], level: int, load: Load) -> Mapping[str, Entity]:
    """All that is linked, level by level; each entity once."""
    known: dict[str, Entity] = {}
    for _ in range(level):
        targets = {target for entity in entities for _, target in _targets(entity)} - known.keys()
        if not targets:
            break
        entities = load(sorted(targets))
        known |= {entity.id: entity for entity in entities}
    return known


def _behind(told: Sequence[Told], known: Mapping[str, Entity], level: int) -> Iterator[Told]:
    """Linked entities, level by level, each once."""
    seen = {each.entity.id for each in told}
    for _ in range(level):
        found: list[Told] = []
        for each in told:
            for name, target in _targets(each.entity):
                if each.shape.shows(name) and target in known and target not in seen:
                    seen.add(target)
                    found.append(Told(entity=known[target], shape=each.shape.behind(name)))
        yield from found
        told = found


def _inlined(entity: Entity, shape: Shape, known: Mapping[str, Entity], level: int, met: set[str]) -> Entity:
    """The entity with others in its relationships, rendered already: renderers pass them through."""
    if not level:
        return entity

    def within(name: str, target: str) -> Any:
        if target not in known or target in met:
            return None
        inner = shape.behind(name)
        return inner.entity(_inlined(known[target], inner, known, level - 1, met | {target}))

    attributes = {
        name: [
            _filled(instance, lambda target, name=name: within(name, target), shape) for instance in instances
        ]
        if shape.shows(name)
        else instances
        for name, instances in entity.attributes.items()
    }
    return msgspec.structs.replace(entity, attributes=attributes)


def _filled(instance: Instance, within: Callable[[str], Any], shape: Shape) -> Instance:
    member = next((each for each in _LISTS if each in instance), None)
    if member is None:
        return instance
    found = {target: inner for target in _objects(instance) if (inner := within(target))}
    if not found:
        return instance
    several = not isinstance(instance[member], str)
    if shape.representation is Representation.SIMPLIFIED:
        filled = [found.get(target, target) for target in _objects(instance)]
        return {**instance, member: filled if several else filled[0]}
    listed = [*found.values()]
    return {**instance, _LISTS[member]: listed if several else listed[0]}


def _targets(entity: Entity) -> Iterator[tuple[str, str]]:
    """Expanded attribute names and the ids that they lead to."""
    for name, instances in entity.attributes.items():
        for instance in instances:
            for target in _objects(instance):
                yield name, target


def _objects(instance: Instance) -> list[str]:
    found = next((instance[member] for member in _LISTS if member in instance), ())
    return [found] if isinstance(found, str) else [str(each) for each in found]
