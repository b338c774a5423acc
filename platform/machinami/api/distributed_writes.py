"""Distributed changes of one entity, and purges: which source gets what (clause 5.6)."""

from typing import Any

import orjson

from machinami.api.call import Call
from machinami.api.distributed_results import Plan, Refusal
from machinami.api.purging import narrow_purge
from machinami.api.writing import is_simplified
from machinami.federation.exchange import Dialect, Forward, Origin, path_of
from machinami.federation.matching import Wanted, is_meant, matching_information
from machinami.federation.reading import narrow
from machinami.federation.registration import EntityInfo
from machinami.federation.writing import Part, Subject, attribute_names, divide, part_of, translate
from machinami.linkage import read
from machinami.linkage.read import EntitySelector
from machinami.linkage.types import format_types, parse_types
from machinami.ngsild.documents import read_attribute, read_entity, read_fragment
from machinami.ngsild.terms import check_uri

_ANY = EntityInfo()
_UPDATES = frozenset({"appendAttrs", "updateEntity", "updateAttrs", "replaceAttrs", "deleteAttrs"})
"""Operations on attributes, whose partial success is an UpdateResult (clauses 6.6 and 6.7)."""


def plan_write(operation: str, call: Call, origin: Origin) -> Plan:
    """Divide a change of one entity.

    Raises:
        BadRequestData: the change itself breaks the standard; nothing goes out then.
    """
    document = call.document() if call.media else None
    subject = _subject(call, document, deep=operation == "mergeEntity")
    division = divide(call.services.sources.registrations(call.tenant, origin.via), (operation,), subject)
    forwards = [
        _forward(call, Dialect(part.registration, origin), part, subject.entity_id, document)
        for part in division.parts
        if part.is_possible
    ]
    refused = [
        Refusal(entity_id=subject.entity_id, registration=part.registration, names=part.names)
        for part in division.parts
        if not part.is_possible
    ]
    return Plan(
        entity_ids=(subject.entity_id,),
        forwards=tuple(forwards),
        refused=tuple(refused),
        rest=_rest(call, document, subject, division.here) if division.is_here else None,
        ids_here=(subject.entity_id,),
        names_here=division.here,
        forgives=division.is_proxied or operation == "updateAttrs",
        creates=operation == "createEntity",
        is_update=operation in _UPDATES,
    )


def plan_purge(call: Call, origin: Origin) -> Plan:
    """Purge Entities (clause 5.6.21): each source purges what it is registered for."""
    arguments, context = call.arguments, call.context
    narrow_purge(arguments)
    if arguments.flag("local"):
        return Plan(entity_ids=(), forwards=())
    selector = EntitySelector(
        types=parse_types(arguments["type"], context.expand_type) if "type" in arguments else (),
        ids=tuple(arguments.names("id")),
        id_pattern=arguments.get("idPattern", ""),
    )
    names = frozenset(context.expand(name) for name in arguments.names("attrs"))
    wanted = Wanted(selectors=(selector,), attributes=names)
    forwards: list[Forward] = []
    refused: list[Refusal] = []
    for registration in call.services.sources.registrations(call.tenant, origin.via):
        found = matching_information(registration, wanted)
        if found and "purgeEntity" in registration.operations:
            infos = [info for item in found for info in item.entities or (_ANY,) if is_meant(info, selector)]
            forwards += [
                _purge(call, Dialect(registration, origin), narrow(selector, info)) for info in infos
            ]
        elif found and registration.is_proxied:
            refused.append(Refusal(entity_id="", registration=registration))
    return Plan(entity_ids=(), forwards=tuple(forwards), refused=tuple(refused), rest=call, forgives=True)


def known_types(call: Call, entity_id: str) -> tuple[str, ...]:
    """Types of an entity that is here; of another none are known."""
    here = read.load_entities(
        call.services.engine, read.tenant_of(call.services.engine, call.tenant), [entity_id]
    )
    return here[0].types if here else ()


def _subject(call: Call, document: dict[str, Any] | None, *, deep: bool) -> Subject:
    """What a change is about; its body is read, so that a wrong one is refused before it goes anywhere."""
    context = call.context
    if "entityId" not in call.path:
        entity = read_entity(document, context, simplified=is_simplified(call))
        return Subject(entity_id=entity.id, types=entity.types, names=frozenset(entity.attributes))
    entity_id = call.identifier("entityId")
    types = known_types(call, entity_id)
    if "attrId" in call.path:
        name = call.path["attrId"]
        if document is not None:
            read_attribute(name, document, context, partial=True)
        return Subject(entity_id=entity_id, types=types, names=frozenset({context.expand(name)}))
    if document is None:
        return Subject(entity_id=entity_id, types=types)
    given = read_fragment(document, context, simplified=is_simplified(call), deep=deep)
    return Subject(entity_id=entity_id, types=types or given.types or (), names=frozenset(given.attributes))


def _forward(
    call: Call, dialect: Dialect, part: Part, entity_id: str, document: dict[str, Any] | None
) -> Forward:
    context = call.context
    if document is not None and "attrId" not in call.path:
        document = part_of(document, part.names or attribute_names(document, context), context)
    return dialect.forward(
        call.method,
        _path(call, dialect),
        _parameters(call, dialect),
        translate(document, context, dialect.context),
        (entity_id,),
        part.names,
    )


def _path(call: Call, dialect: Dialect) -> str:
    if "entityId" not in call.path:
        return path_of("entities")
    entity = path_of("entities", check_uri(call.path["entityId"], "entityId"))
    if "attrId" in call.path:
        name = call.context.expand(call.path["attrId"])
        return entity + path_of("attrs", dialect.context.compact(name))
    return entity + "/attrs/" if call.target.rstrip("/").endswith("/attrs") else entity


def _parameters(call: Call, dialect: Dialect) -> tuple[tuple[str, str], ...]:
    """As given, ``type`` in the source's words."""
    given = {name: value for name, value in call.arguments.items() if name != "local"}
    if "type" in given and not dialect.is_own:
        types = parse_types(given["type"], call.context.expand_type)
        given["type"] = format_types(types, dialect.context.compact)
    return tuple(given.items())


def _rest(call: Call, document: dict[str, Any] | None, subject: Subject, here: frozenset[str]) -> Call:
    """The request with what stays here."""
    if document is None or "attrId" in call.path or here == subject.names:
        return call
    embedded = {"@context": call.json["@context"]} if "@context" in call.json else {}
    return call.with_body(orjson.dumps({**embedded, **part_of(document, here, call.context)}))


def _purge(call: Call, dialect: Dialect, selector: EntitySelector) -> Forward:
    given = {**dict(_parameters(call, dialect))}
    for name in ("type", "id", "idPattern"):
        given.pop(name, None)
    own = {
        "type": format_types(selector.types, dialect.context.compact) if selector.types else "",
        "id": ",".join(selector.ids),
        "idPattern": selector.id_pattern,
    }
    parameters = {name: value for name, value in {**own, **given}.items() if value}
    return dialect.forward("DELETE", path_of("entities"), tuple(parameters.items()))
