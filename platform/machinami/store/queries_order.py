"""``orderBy`` (clause 4.23) in SQL: first by the kind of value, in the clause's ranks, then by the value."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Text, case, func, literal, literal_column
from sqlalchemy.dialects.postgresql import JSONB

from machinami.ngsild.ordering import OrderTerm
from machinami.ngsild.terms import KINDS
from machinami.store.tables import entity

_MEMBERS = tuple(dict.fromkeys(kind.member for kind in KINDS.values()))
_RANKS = {"number": 0, "string": 1, "object": 2, "array": 3, "boolean": 4, "null": 8}
_LACKING = 9
_COLUMNS: dict[str, ColumnElement[Any]] = {
    "id": entity.c.id,
    "type": entity.c.types,
    "scope": entity.c.scope,
    "createdAt": entity.c.created_at,
    "modifiedAt": entity.c.modified_at,
}


def order_by(terms: Sequence[OrderTerm]) -> list[ColumnElement[Any]]:
    """Expressions for ORDER BY; the id decides where all else is equal, so that pages stay apart."""
    return [*(part for term in terms for part in _parts(term)), entity.c.id]


def _parts(term: OrderTerm) -> Iterator[ColumnElement[Any]]:
    if term.attribute in _COLUMNS and not term.steps:
        column = _COLUMNS[term.attribute]
        yield column.desc() if term.descending else column.asc()
        return
    value = _value(term)
    yield _rank(value, -1 if term.descending else 1)
    if term.collation:
        plain = value.op("#>>", return_type=Text())(literal_column("'{}'", Text))
        text = plain.collate(f"{term.collation}-x-icu")
        text_only = case((func.jsonb_typeof(value) == "string", text))
        yield text_only.desc() if term.descending else text_only.asc()
    yield value.desc() if term.descending else value.asc()


def _rank(value: ColumnElement[Any], sign: int) -> ColumnElement[Any]:
    """Kinds of values in the order of clause 4.23.2, turned round with the direction; what lacks is last."""
    kinds = [(func.jsonb_typeof(value) == name, literal(rank * sign)) for name, rank in _RANKS.items()]
    return case(*kinds, else_=literal(_LACKING))


def _value(term: OrderTerm) -> ColumnElement[Any]:
    """The value of the default instance, or where there is none of the first one, as jsonb."""
    instance: ColumnElement[Any] = _instance(entity.c.attributes[term.attribute])
    for step in term.steps:
        if ":" not in step:
            return instance.op("->", return_type=JSONB())(literal(step, Text))
        instance = _instance(instance.op("->", return_type=JSONB())(literal(step, Text)))
    found = func.coalesce(
        *(instance.op("->", return_type=JSONB())(literal(member, Text)) for member in _MEMBERS)
    )
    for member in term.members:
        found = found.op("->", return_type=JSONB())(literal(member, Text))
    return found


def _instance(instances: ColumnElement[Any]) -> ColumnElement[Any]:
    default: ColumnElement[Any] = literal_column("CAST('$[*] ? (!exists(@.datasetId))' AS jsonpath)")
    first = func.jsonb_path_query_first(instances, default, type_=JSONB())
    return func.coalesce(first, instances.op("->", return_type=JSONB())(literal_column("0")), type_=JSONB())
