"""What a query asks for: parameters, or a Query document, become a selection (clauses 5.7.2 and 5.2.23)."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from machinami.api.call import Call
from machinami.api.parameters import Arguments
from machinami.api.shapes import as_array, as_object, is_texts
from machinami.errors import BadRequestData, NotSupported
from machinami.linkage.read import EntitySelector, Selection
from machinami.linkage.types import parse_types
from machinami.ngsild.context import Context
from machinami.ngsild.geo import GeoQuery, parse_geo
from machinami.ngsild.q import parse_q
from machinami.ngsild.terms import check_uri

_CONDITIONS = ("type", "attrs", "q", "georel", "id", "idPattern", "local")
_GEO = ("georel", "geometry", "coordinates")
_LISTS = ("attrs", "pick", "omit", "datasetId")
_TEXTS = ("q", "lang")
_PENDING = (
    "aggrParams", "containedBy", "csf", "entityMap", "entityMapLifetime", "expandValues", "join", "joinLevel",
    "jsonKeys", "ordering", "scopeQ", "splitEntities", "temporalQ",
)  # fmt: skip


def read_selection(
    call: Call, needed: Sequence[str] = (), selectors: Sequence[EntitySelector] = ()
) -> Selection:
    """The selection that the parameters of a request describe.

    Args:
        needed: expanded names of attributes, one of which an entity must have.
        selectors: those of a Query document; ``type``, ``id`` and ``idPattern`` are a further one.

    Raises:
        BadRequestData: one of them breaks its grammar, or there is nothing to narrow the query.
    """
    arguments, context = call.arguments, call.context
    if not selectors and not any(name in arguments for name in _CONDITIONS):
        raise BadRequestData(
            "the query is too wide",
            field="type",
            cure="Give at least one of type, attrs, q, georel, or local=true",
        )
    own = EntitySelector(
        ids=tuple(check_uri(identifier, "id") for identifier in arguments.names("id")),
        id_pattern=arguments.get("idPattern", ""),
        types=parse_types(arguments["type"], context.expand_type) if "type" in arguments else (),
    )
    return Selection(
        selectors=(*selectors, own) if own != EntitySelector() else tuple(selectors),
        attributes=tuple(needed),
        q=parse_q(arguments["q"], context) if "q" in arguments else None,
        geo=_read_geo(arguments, context),
    )


def read_query(call: Call, document: Mapping[str, Any]) -> list[EntitySelector]:
    """Take the members of a Query document (clause 5.2.23) over into the arguments; its selectors come back.

    Raises:
        BadRequestData: it is no Query.
        NotSupported: a member that is not implemented yet.
    """
    if document.get("type") != "Query":
        raise BadRequestData(
            "not a Query", field="type", value=document.get("type"), cure='Add "type": "Query"'
        )
    for name, value in document.items():
        if name in _PENDING:
            raise NotSupported(
                f"{name} in a Query is not implemented yet", field=name, cure=f"Leave out {name}"
            )
        if name not in ("type", "entities"):
            call.arguments.update(_argument(name, value))
    return read_selectors(document["entities"], call.context) if "entities" in document else []


def read_selectors(value: Any, context: Context) -> list[EntitySelector]:
    """EntitySelectors (clause 5.2.33) of a Query or a Subscription.

    Raises:
        BadRequestData: it is no list of them.
    """
    items = as_array(value)
    if not items:
        raise BadRequestData(
            "entities is not a list of selectors", field="entities", cure='Write [{"type": "T"}]'
        )
    return [_read_selector(item, context) for item in items]


def read_geo_document(value: Any) -> dict[str, str]:
    """A GeoQuery (clause 5.2.13) as parameters.

    Raises:
        BadRequestData: it is none.
    """
    found = as_object(value)
    if not {*_GEO} <= found.keys() <= {*_GEO, "geoproperty"}:
        raise BadRequestData(
            "geoQ is not a GeoQuery", field="geoQ", cure="Give georel, geometry and coordinates"
        )
    return {
        name: each if isinstance(each, str) else orjson.dumps(each).decode() for name, each in found.items()
    }


def _argument(name: str, value: Any) -> dict[str, str]:
    if name == "geoQ":
        return read_geo_document(value)
    if name in _TEXTS and isinstance(value, str) and value:
        return {name: value}
    if name in _LISTS and is_texts(value):
        return {name: ",".join(value)}
    raise BadRequestData(
        f"a Query cannot have {name} like this",
        field=name,
        value=value,
        cure="See ETSI GS CIM 009 clause 5.2.23",
    )


def _read_selector(item: Any, context: Context) -> EntitySelector:
    found = as_object(item)
    given = found.get("id")
    ids = as_array(given) or [given]
    type_text, pattern = found.get("type"), found.get("idPattern", "")
    known = found.keys() <= {"type", "id", "idPattern"}
    if not (known and isinstance(type_text, str) and isinstance(pattern, str)):
        raise BadRequestData(
            "not an EntitySelector",
            field="entities",
            value=item,
            cure="Give type, and id or idPattern if you want",
        )
    return EntitySelector(
        types=parse_types(type_text, context.expand_type),
        ids=tuple(check_uri(identifier, "entities.id") for identifier in ids if identifier is not None),
        id_pattern=pattern,
    )


def _read_geo(arguments: Arguments, context: Context) -> GeoQuery | None:
    missing = [name for name in _GEO if name not in arguments]
    if len(missing) == len(_GEO):
        return None
    if missing:
        raise BadRequestData(
            f"a geo-query lacks {', '.join(missing)}",
            field=missing[0],
            cure="Give georel, geometry and coordinates",
        )
    georel, geometry, coordinates = (arguments[name] for name in _GEO)
    return parse_geo(georel, geometry, coordinates, arguments.get("geoproperty"), context)
