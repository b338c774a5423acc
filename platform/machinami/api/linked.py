"""Linked entities beside those that link to them (clause 4.5.23): ``join=inline`` and ``join=flat``."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import msgspec

from machinami.api.call import Call
from machinami.api.forms import Form
from machinami.api.parameters import Arguments
from machinami.errors import BadRequestData
from machinami.linkage import read
from machinami.model import Entity, Instance
from machinami.ngsild.render import Representation

DEEPEST = 10
"""Levels of linked entities that one request may ask for."""

_JOINS = {"inline": "inline", "flat": "flat", "@none": ""}
_OBJECTS = ("object", "objectList")


class Join(msgspec.Struct, frozen=True, kw_only=True):
    """What a request wants of linked entities.

    Attributes:
        how: ``inline``, ``flat``, or nothing.
        level: how deep.
        met: ids that the client has met already and that are not followed again (``containedBy``).
    """

    how: str = ""
    level: int = 1
    met: frozenset[str] = frozenset()

    @property
    def depth(self) -> int:
        """Relationships that are followed one after the other."""
        return self.level if self.how else 0


def read_join(arguments: Arguments) -> Join:
    """Read ``join``, ``joinLevel`` and ``containedBy``.

    Raises:
        BadRequestData: they do not go together.
    """
    if "join" not in arguments and ("joinLevel" in arguments or "containedBy" in arguments):
        raise BadRequestData("joinLevel and containedBy go with join", field="join", cure="Add join=inline")
    return Join(
        how=arguments.one_of("join", _JOINS, ""),
        level=arguments.number("joinLevel", 1, minimum=1, maximum=DEEPEST),
        met=frozenset(arguments.names("containedBy")),
    )


def check_depth(join: Join, form: Form) -> None:
    """What comes back of linked entities is retrieved (clauses 5.7.1.4 and 5.7.2.4).

    Raises:
        BadRequestData: pick or omit go deeper.
    """
    if form.depth > join.depth:
        raise BadRequestData(
            "pick or omit go deeper than linked entities are retrieved",
            field="joinLevel",
            value=join.depth,
            cure="Give join=inline or join=flat, and a joinLevel as deep as the braces",
        )


def joined(call: Call, form: Form, entities: Sequence[Entity], join: Join) -> list[dict[str, Any]]:
    """Entities as the client wants them, with those that they are linked to."""
    if not join.how:
        return [form.entity(entity) for entity in entities]
    known = _load(call, entities, join)
    if join.how == "flat":
        return _flat(form, entities, known, join)
    return [_inline(form, entity, known, join.level, join.met | {entity.id}) for entity in entities]


def _load(call: Call, entities: Sequence[Entity], join: Join) -> Mapping[str, Entity]:
    """All that is linked, level by level; each entity once."""
    known: dict[str, Entity] = {}
    tenant = read.tenant_of(call.services.engine, call.tenant)
    level: Sequence[Entity] = entities
    for _ in range(join.level):
        targets = {target for entity in level for _, target in _targets(entity)} - known.keys() - join.met
        level = read.load_entities(call.services.engine, tenant, sorted(targets)) if targets else []
        known |= {entity.id: entity for entity in level}
    return known


def _targets(entity: Entity) -> Iterator[tuple[str, str]]:
    """Expanded attribute names and the ids that they lead to."""
    for name, instances in entity.attributes.items():
        for instance in instances:
            for target in _objects(instance):
                yield name, target


def _objects(instance: Instance) -> list[str]:
    found = next((instance[member] for member in _OBJECTS if member in instance), None)
    if found is None:
        return []
    return [found] if isinstance(found, str) else [str(each) for each in found]


def _flat(
    form: Form, entities: Sequence[Entity], known: Mapping[str, Entity], join: Join
) -> list[dict[str, Any]]:
    """Linking entities, then those they are linked to, each once."""
    answers = [form.entity(entity) for entity in entities]
    level = [(form, entity) for entity in entities]
    seen = {entity.id for entity in entities} | join.met
    for _ in range(join.level):
        behind: list[tuple[Form, Entity]] = []
        for form_here, entity in level:
            for name, target in _targets(entity):
                if form_here.shows(name) and target not in seen and target in known:
                    seen.add(target)
                    behind.append((form_here.behind(name), known[target]))
        answers += [answer for form_there, entity in behind if (answer := form_there.entity(entity))]
        level = behind
    return answers


def _inline(
    form: Form, entity: Entity, known: Mapping[str, Entity], levels: int, met: frozenset[str]
) -> dict[str, Any]:
    answer = form.entity(entity)
    if not levels:
        return answer
    for name, instances in entity.attributes.items():
        term = form.context.names[name]
        if term not in answer or not any(_objects(instance) for instance in instances):
            continue
        inner = form.behind(name)

        def within(target: str, inner: Form = inner) -> dict[str, Any] | None:
            if target in met or target not in known:
                return None
            return _inline(inner, known[target], known, levels - 1, met | {target})

        shown = [_with(form, instance, within) for instance in _shown(form, answer[term], instances)]
        answer[term] = shown if isinstance(answer[term], list) and len(instances) > 1 else shown[0]
    return answer


def _shown(form: Form, shown: Any, instances: Sequence[Instance]) -> list[Any]:
    if form.representation is Representation.SIMPLIFIED or len(instances) == 1:
        return [shown]
    return cast("list[Any]", shown)


def _with(form: Form, shown: Any, within: Any) -> Any:
    """An instance with the entities that it leads to, in the place that its representation has for them."""
    if form.representation is Representation.SIMPLIFIED:
        several = isinstance(shown, list)
        found = [within(each) or each for each in (cast("list[Any]", shown) if several else [shown])]
        return found if several else found[0]
    member = next((each for each in _OBJECTS if each in shown), "")
    entities = [found for target in _objects(shown) if (found := within(target))]
    if not entities:
        return shown
    if member == "objectList":
        return {**shown, "entityList": entities}
    return {**shown, "entity": entities if isinstance(shown["object"], list) else entities[0]}
