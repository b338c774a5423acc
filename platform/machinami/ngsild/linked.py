"""Linked entities inside those that link to them, or beside them (clause 4.5.23)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, Self, TypeAlias, TypeVar

import msgspec

from machinami.model import Entity, Instance
from machinami.ngsild.render import Representation

Load: TypeAlias = Callable[[Sequence[str]], Sequence[Entity]]
"""Gives those of these entities that exist."""

JOINS = {"inline": "inline", "flat": "flat", "@none": ""}
"""Values of ``join`` → `Join.how`."""

_LISTS = {"object": "entity", "objectList": "entityList"}
"""Value member of a relationship → the member for the entities behind it."""


class View(Protocol):
    """How an entity is to look, and those that it leads to."""

    @property
    def representation(self) -> Representation:
        """Of its attributes."""
        ...

    def shows(self, name: str, /) -> bool:
        """Whether an attribute (expanded name) is to be seen."""
        ...

    def behind(self, name: str, /) -> Self:
        """The view of entities that this attribute leads to."""
        ...

    def entity(self, entity: Entity, /) -> dict[str, Any]:
        """An entity as JSON; linked entities in place of ids are there already and pass through."""
        ...


V = TypeVar("V", bound=View)
Viewed: TypeAlias = tuple[Entity, V]
"""An entity and how it is to look."""


class Join(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted of linked entities.

    Attributes:
        how: ``inline``, ``flat``, or nothing.
        level: how deep.
        met: ids that the receiver has met already and that are not followed again (``containedBy``).
    """

    how: str = ""
    level: int = 1
    met: frozenset[str] = frozenset()

    @property
    def depth(self) -> int:
        """Relationships that are followed one after the other."""
        return self.level if self.how else 0


def joined(viewed: Sequence[Viewed[V]], join: Join, load: Load) -> list[Viewed[V]]:
    """These entities, with linked ones inside them (``inline``) or after them (``flat``)."""
    if not join.how:
        return [*viewed]
    known = _gather([entity for entity, _ in viewed], join, load)
    if join.how == "flat":
        return [*viewed, *_behind(viewed, known, join)]
    return [
        (_inlined(entity, view, known, join.level, join.met | {entity.id}), view) for entity, view in viewed
    ]


def _gather(entities: Sequence[Entity], join: Join, load: Load) -> Mapping[str, Entity]:
    """All that is linked, level by level; each entity once."""
    known: dict[str, Entity] = {}
    for _ in range(join.level):
        targets = {target for entity in entities for _, target in _targets(entity)} - known.keys() - join.met
        if not targets:
            break
        entities = load(sorted(targets))
        known |= {entity.id: entity for entity in entities}
    return known


def _behind(viewed: Sequence[Viewed[V]], known: Mapping[str, Entity], join: Join) -> Iterator[Viewed[V]]:
    """Linked entities, level by level, each once."""
    seen = {entity.id for entity, _ in viewed} | join.met
    for _ in range(join.level):
        found: list[Viewed[V]] = []
        for entity, view in viewed:
            for name, target in _targets(entity):
                if view.shows(name) and target in known and target not in seen:
                    seen.add(target)
                    found.append((known[target], view.behind(name)))
        yield from found
        viewed = found


def _inlined(
    entity: Entity, view: View, known: Mapping[str, Entity], level: int, met: frozenset[str]
) -> Entity:
    """The entity with others in its relationships, rendered already."""
    if not level:
        return entity

    def within(name: str, target: str) -> dict[str, Any] | None:
        if target not in known or target in met:
            return None
        inner = view.behind(name)
        return inner.entity(_inlined(known[target], inner, known, level - 1, met | {target}))

    filled = {
        name: [_filled(instance, name, within, view.representation) for instance in instances]
        for name, instances in entity.attributes.items()
        if view.shows(name)
    }
    return msgspec.structs.replace(entity, attributes={**entity.attributes, **filled})


def _filled(
    instance: Instance, name: str, within: Callable[[str, str], Any], representation: Representation
) -> Instance:
    member = next((each for each in _LISTS if each in instance), None)
    if member is None:
        return instance
    found = {target: inner for target in _objects(instance) if (inner := within(name, target))}
    if not found:
        return instance
    several = not isinstance(instance[member], str)
    if representation is Representation.SIMPLIFIED:
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
