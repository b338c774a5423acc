"""What a query asks for: parameters, or a Query document, become a selection (clauses 5.7.2 and 5.2.23)."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from machinami.api.call import Call
from machinami.api.linked import read_join
from machinami.api.parameters import Arguments
from machinami.api.shapes import as_array, as_object, is_texts
from machinami.errors import BadRequestData
from machinami.linkage.read import EntitySelector, Selection
from machinami.linkage.types import EVERY_TYPE, parse_scopes, parse_types
from machinami.ngsild.context import Context
from machinami.ngsild.geo import GeoQuery, parse_geo
from machinami.ngsild.ordering import OrderTerm, parse_order
from machinami.ngsild.q import Node, parse_q
from machinami.ngsild.query import attributes
from machinami.ngsild.terms import SYSTEM_MEMBERS, TIME_MEMBERS, check_uri

_CONDITIONS = ("type", "georel", "scopeQ", "drop", "keep")
_GEO = ("georel", "geometry", "coordinates")
_LISTS = ("attrs", "pick", "omit", "datasetId", "expandValues", "jsonKeys", "containedBy")
_TEXTS = ("q", "lang", "scopeQ", "csf", "join", "entityMapLifetime")
_ORDER = {
    "orderBy": "orderBy",
    "coordinates": "orderFrom",
    "orderFrom": "orderFrom",
    "geometry": "orderGeometry",
    "collation": "collation",
}
_NO_TEXTS: Mapping[str, type] = {"coordinates": list, "orderFrom": list, "lastN": int}
"""Members of such objects that are neither a text nor a list of texts."""
_TEMPORAL = ("timerel", "timeAt", "endTimeAt", "timeproperty", "lastN")
_AGGREGATION = ("aggrMethods", "aggrPeriodDuration")
_TEMPORAL_ONLY = frozenset({"temporalQ", "aggrParams"})
_FLAGS = ("splitEntities", "entityMap")


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
    if arguments.get("type") == EVERY_TYPE and arguments.get("local") == "false":
        raise BadRequestData("type=* is a local query", field="local", value="false", cure="Leave out local")
    q = _read_q(arguments, context)
    if not selectors and not _narrows(arguments, q):
        raise BadRequestData(
            "the query is too wide",
            field="type",
            cure="Give type, georel, local=true, or attributes that are no system's in attrs or q",
        )
    own = EntitySelector(
        ids=tuple(check_uri(identifier, "id") for identifier in arguments.names("id")),
        id_pattern=arguments.get("idPattern", ""),
        types=parse_types(arguments["type"], context.expand_type) if "type" in arguments else (),
    )
    if "csf" in arguments:
        parse_q(arguments["csf"], context)  # about sources; here it only has to be one
    return Selection(
        selectors=(*selectors, own) if own != EntitySelector() else tuple(selectors),
        attributes=tuple(needed),
        q=q,
        geo=_read_geo(arguments, context),
        scopes=parse_scopes(arguments["scopeQ"]) if "scopeQ" in arguments else (),
        order=_read_order(arguments, context),
    )


def _narrows(arguments: Arguments, q: Node | None) -> bool:
    """Whether the query is narrow enough (clauses 5.7.2.4, 5.6.21.4); names of the system alone are not."""
    named = {*arguments.names("attrs"), *(attributes(q) if q else ())}
    return (
        not named <= SYSTEM_MEMBERS | TIME_MEMBERS
        or arguments.flag("local")
        or any(name in arguments for name in _CONDITIONS)
    )


def read_query(call: Call, document: Mapping[str, Any], *, temporal: bool = False) -> list[EntitySelector]:
    """Take the members of a Query document (clause 5.2.23) over into the arguments; its selectors come back.

    Args:
        temporal: of temporal evolutions, to which some members belong.

    Raises:
        BadRequestData: it is no Query, or not one of this kind.
    """
    if document.get("type") != "Query":
        raise BadRequestData(
            "not a Query", field="type", value=document.get("type"), cure='Add "type": "Query"'
        )
    for name, value in document.items():
        if name in _TEMPORAL_ONLY and not temporal:
            cure = "Ask for it below /temporal"
            raise BadRequestData(f"{name} is of temporal evolutions", field=name, value=value, cure=cure)
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


def _read_q(arguments: Arguments, context: Context) -> Node | None:
    if "q" not in arguments:
        return None
    plain = arguments.names("jsonKeys")
    expanded = [name for name in arguments.names("expandValues") if name not in plain]
    return parse_q(arguments["q"], context, expand_values=expanded, depth=read_join(arguments).depth)


def _read_order(arguments: Arguments, context: Context) -> tuple[OrderTerm, ...]:
    if "orderBy" not in arguments:
        return ()
    found = (arguments.get(name) for name in ("orderFrom", "orderGeometry", "collation"))
    order_from, geometry, collation = found
    return parse_order(
        arguments["orderBy"], context, order_from=order_from, geometry=geometry, collation=collation
    )


def _argument(name: str, value: Any) -> dict[str, str]:
    if name == "geoQ":
        return read_geo_document(value)
    if name == "joinLevel" and isinstance(value, int):
        return {name: str(value)}
    if name in _MEMBERS:
        return _read_members(name, value)
    if name in _TEXTS and isinstance(value, str) and value:
        return {name: value}
    if name in _FLAGS and isinstance(value, bool):
        return {name: "true" if value else "false"}
    if name in _LISTS and is_texts(value):
        return {name: ",".join(value)}
    raise BadRequestData(
        f"a Query cannot have {name} like this",
        field=name,
        value=value,
        cure="See ETSI GS CIM 009 clause 5.2.23",
    )


_MEMBERS: Mapping[str, Mapping[str, str]] = {
    "temporalQ": {each: each for each in (*_TEMPORAL, *_AGGREGATION)},
    "ordering": _ORDER,
    "orderingParams": _ORDER,
    "aggrParams": {each: each for each in _AGGREGATION},
}
"""Members of a Query that are objects: name of theirs → name of the parameter (5.2.21, 5.2.43, 5.2.44)."""


def _read_members(name: str, value: Any) -> dict[str, str]:
    found, known = as_object(value), _MEMBERS[name]
    if not found or not found.keys() <= known.keys():
        raise BadRequestData(f"{name} is none", field=name, value=value, cure=f"Known: {', '.join(known)}")
    return {known[member]: _read_member(f"{name}.{member}", each) for member, each in found.items()}


def _read_member(path: str, value: Any) -> str:
    """A text, or a list of texts; an array of coordinates, or a number, where there has to be one."""
    other = _NO_TEXTS.get(path.rpartition(".")[2])
    if other and isinstance(value, other):
        return orjson.dumps(value).decode()
    if isinstance(value, str) and other is not list:
        return value
    if is_texts(value):
        return ",".join(value)
    cure = "See ETSI GS CIM 009 clauses 5.2.21, 5.2.23 and 5.2.43"
    raise BadRequestData(f"{path} cannot be this", field=path, value=value, cure=cure)


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
