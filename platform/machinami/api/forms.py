"""How a client wants entities: representation, members, language (clauses 4.21, 6.3.7, 6.3.11, 6.3.15)."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from machinami.api import negotiation
from machinami.api.call import Call
from machinami.errors import BadRequestData, NotSupported
from machinami.model import Entity
from machinami.ngsild.context import Context
from machinami.ngsild.render import Representation, render_collection, render_entity, render_feature
from machinami.ngsild.terms import DEFAULT_INSTANCE, check_uri

REPRESENTATIONS = {
    "normalized": Representation.NORMALIZED,
    "concise": Representation.CONCISE,
    "simplified": Representation.SIMPLIFIED,
    "keyValues": Representation.SIMPLIFIED,
}
_ENTITY_MEMBERS = frozenset({"id", "type", "scope"})


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """How entities are to look.

    Attributes:
        attributes: expanded names of those wanted; None wants all.
        hidden: of ``id``, ``type`` and ``scope``, those not wanted.
        needed: expanded names, one of which an entity must have (``attrs``, a synonym of pick and q).
    """

    context: Context
    representation: Representation = Representation.NORMALIZED
    sys_attrs: bool = False
    lang: str | None = None
    attributes: frozenset[str] | None = None
    omitted: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    datasets: frozenset[str] | None = None
    needed: tuple[str, ...] = ()
    geometry_property: str = "location"

    def entity(self, entity: Entity) -> dict[str, Any]:
        """One entity as JSON."""
        answer = render_entity(entity, self.context, self.representation, **self._members(entity))
        return (
            {name: value for name, value in answer.items() if name not in self.hidden}
            if self.hidden
            else answer
        )

    def feature(self, entity: Entity) -> dict[str, Any]:
        """One entity as a GeoJSON Feature; its geometry is there even if it is no attribute wanted."""
        return render_feature(
            entity, self.context, self.geometry_property, self.representation, **self._members(entity)
        )

    def collection(self, entities: Iterable[Entity]) -> dict[str, Any]:
        """Entities as a GeoJSON FeatureCollection."""
        return render_collection(self.feature(entity) for entity in entities)

    def _members(self, entity: Entity) -> dict[str, Any]:
        attrs = self.attributes
        if self.omitted:
            attrs = (entity.attributes.keys() if attrs is None else attrs) - self.omitted
        return {"sys_attrs": self.sys_attrs, "lang": self.lang, "attrs": attrs, "datasets": self.datasets}


def read_form(call: Call, extra_options: Sequence[str] = ()) -> Form:
    """What the parameters of a request say of the answer's form.

    Raises:
        BadRequestData: they contradict each other, or a name is none.
    """
    arguments = call.arguments
    words = read_options(call, (*REPRESENTATIONS, "sysAttrs", *extra_options))
    default = next(
        (REPRESENTATIONS[word] for word in words if word in REPRESENTATIONS), Representation.NORMALIZED
    )
    if "geometryProperty" in arguments and call.accept != negotiation.GEO_JSON:
        raise BadRequestData(
            "geometryProperty is for GeoJSON only",
            field="geometryProperty",
            value=arguments["geometryProperty"],
            cure="Ask for it with Accept: application/geo+json",
        )
    formats: dict[str, Representation] = {**REPRESENTATIONS, **dict.fromkeys(extra_options, default)}
    needed = _expanded(call, "attrs")
    picked, omitted = _projection(call, "pick"), _projection(call, "omit")
    if picked & omitted or ("attrs" in arguments and (picked or omitted)):
        raise BadRequestData(
            "attrs, pick and omit contradict each other", field="pick", cure="Use one of them"
        )
    return Form(
        context=call.context,
        representation=arguments.one_of("format", formats, default),
        sys_attrs="sysAttrs" in words,
        lang=arguments.get("lang"),
        attributes=frozenset(needed) or (picked - _ENTITY_MEMBERS if picked else None),
        omitted=omitted - _ENTITY_MEMBERS,
        hidden=(_ENTITY_MEMBERS - picked if picked else frozenset[str]()) | (omitted & _ENTITY_MEMBERS),
        datasets=_datasets(call),
        needed=needed,
        geometry_property=arguments.get("geometryProperty", "location"),
    )


def read_options(call: Call, known: Sequence[str]) -> list[str]:
    """The words of the parameter ``options``.

    Raises:
        BadRequestData: a word that the endpoint does not know.
    """
    words = call.arguments.names("options")
    for word in words:
        if word not in known:
            raise BadRequestData(
                f"there is no option {word} here",
                field="options",
                value=word,
                cure=f"Known here: {', '.join(known)}",
            )
    return words


def _expanded(call: Call, name: str) -> tuple[str, ...]:
    return tuple(call.context.expand(term) for term in call.arguments.names(name))


def _projection(call: Call, name: str) -> frozenset[str]:
    """Members of pick or omit (clause 4.21): ``id``, ``type``, ``scope`` as they are, attributes expanded."""
    if name not in call.arguments:
        return frozenset()
    text = call.arguments[name]
    if "{" in text:
        raise NotSupported(
            "projection of linked entities is not implemented yet",
            field=name,
            value=text,
            cure="Leave out the braces",
        )
    terms = [term.strip() for term in text.replace("|", ",").split(",")]
    if not all(terms):
        raise BadRequestData(f"{name} has an empty member", field=name, value=text, cure="Write a,b,c")
    return frozenset(term if term in _ENTITY_MEMBERS else call.context.expand(term) for term in terms)


def _datasets(call: Call) -> frozenset[str] | None:
    names = call.arguments.names("datasetId")
    checked = (name if name == DEFAULT_INSTANCE else check_uri(name, "datasetId") for name in names)
    return frozenset(checked) or None
