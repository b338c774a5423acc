"""How a client wants entities: representation, members, language (clauses 4.21, 6.3.7, 6.3.11, 6.3.15)."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from machinami.api import negotiation
from machinami.api.call import Call
from machinami.errors import BadRequestData, InvalidRequest, NotFound
from machinami.model import Entity
from machinami.ngsild.conformance import Version, amended
from machinami.ngsild.context import Context
from machinami.ngsild.projection import ENTITY_MEMBERS, Projection, parse_projection
from machinami.ngsild.render import Representation, render_collection, render_entity, render_feature
from machinami.ngsild.terms import DEFAULT_INSTANCE, check_uri

REPRESENTATIONS = {
    "normalized": Representation.NORMALIZED,
    "concise": Representation.CONCISE,
    "simplified": Representation.SIMPLIFIED,
    "keyValues": Representation.SIMPLIFIED,
}


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """How entities are to look.

    Attributes:
        attributes: expanded names of those wanted; None wants all.
        hidden: of ``id``, ``type`` and ``scope``, those not wanted.
        linked: forms of linked entities, by the attribute that leads to them; see `behind`.
        needed: expanded names, one of which an entity must have (``attrs``, a synonym of pick and q).
        version: of the standard, in whose words they are to be told; None tells all.
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
    linked: "Mapping[str, Form]" = {}
    version: Version | None = None

    def shows(self, name: str) -> bool:
        """Whether an attribute (expanded name) is among those wanted."""
        return name not in self.omitted and (self.attributes is None or name in self.attributes)

    @property
    def depth(self) -> int:
        """Relationships that its members of linked entities follow."""
        return max((1 + form.depth for form in self.linked.values()), default=0)

    def behind(self, name: str) -> "Form":
        """The form of entities that are linked by this attribute (expanded name)."""
        if name in self.linked:
            return self.linked[name]
        return msgspec.structs.replace(
            self, attributes=None, omitted=frozenset(), hidden=frozenset(), linked={}, needed=()
        )

    def entity(self, entity: Entity) -> dict[str, Any]:
        """One entity as JSON."""
        told = self._amended(entity)
        answer = render_entity(told, self.context, self.representation, **self._members(told))
        return self.visible(answer)

    def alters(self, entities: Iterable[Entity]) -> bool:
        """Whether one of them is told otherwise than it is, for an earlier version's sake."""
        return any(self._amended(entity) != entity for entity in entities)

    def _amended(self, entity: Entity) -> Entity:
        return amended(entity, self.version, self.context.names) if self.version else entity

    def visible(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Without the members of the entity itself that are not wanted."""
        if not self.hidden:
            return answer
        return {name: value for name, value in answer.items() if name not in self.hidden}

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
    both = {name for name in picked.keys() & omitted.keys() if not (picked[name] or omitted[name])}
    if both or ("attrs" in arguments and (picked or omitted)):
        raise BadRequestData(
            "attrs, pick and omit contradict each other", field="pick", cure="Use one of them"
        )
    form = Form(
        context=call.context,
        representation=arguments.one_of("format", formats, default),
        sys_attrs="sysAttrs" in words,
        lang=arguments.get("lang"),
        datasets=_datasets(call),
        geometry_property=arguments.get("geometryProperty", "location"),
        version=negotiation.preferred_version(call.headers) if call.accept != negotiation.GEO_JSON else None,
    )
    if not (picked or omitted):
        return msgspec.structs.replace(form, attributes=frozenset(needed) or None, needed=needed)
    only_attributes = tuple(picked) if picked.keys().isdisjoint(ENTITY_MEMBERS) else ()
    return msgspec.structs.replace(_projected(form, picked, omitted), needed=only_attributes)


def conformance(form: Form, entities: Sequence[Entity], status: int) -> tuple[dict[str, str], int]:
    """Headers and status that say of which version an answer is; 203 where it was altered (4.3.6.8)."""
    if form.version is None:
        return {}, status
    altered = status == HTTPStatus.OK and form.alters(entities)
    headers = negotiation.preference_applied(form.version)
    return headers, HTTPStatus.NON_AUTHORITATIVE_INFORMATION if altered else status


def nothing_left(entity_id: str) -> NotFound:
    """The error for an entity of which pick or omit leave no member (clause 4.21)."""
    cure = "Pick members that it has, or omit fewer"
    return NotFound(f"{entity_id} has no member that is asked for", field="pick", value=entity_id, cure=cure)


def read_options(call: Call, known: Sequence[str]) -> list[str]:
    """The words of the parameter ``options``.

    Raises:
        InvalidRequest: a word that the endpoint does not know.
    """
    words = call.arguments.names("options")
    for word in words:
        if word not in known:
            raise InvalidRequest(
                f"there is no option {word} here",
                field="options",
                value=word,
                cure=f"Known here: {', '.join(known)}",
            )
    return words


def _expanded(call: Call, name: str) -> tuple[str, ...]:
    return tuple(_attribute(call, name, term) for term in call.arguments.names(name))


def _attribute(call: Call, parameter: str, term: str) -> str:
    if term in ENTITY_MEMBERS:
        cure = "Name attributes; pick and omit take id, type and scope as well"
        raise BadRequestData(f"{term} is no attribute", field=parameter, value=term, cure=cure)
    return call.context.expand(term)


def _projection(call: Call, name: str) -> Projection:
    """Members of pick or omit (clause 4.21)."""
    return parse_projection(call.arguments[name], name, call.context) if name in call.arguments else {}


def _projected(form: Form, picked: Projection, omitted: Projection) -> Form:
    """The form with these members only, or without them; and so on in the entities behind them."""
    gone = {name for name, inner in omitted.items() if not inner}
    linked = {
        name: _projected(form, picked.get(name, {}), omitted.get(name, {}))
        for name in {*picked, *omitted}
        if picked.get(name) or omitted.get(name)
    }
    return msgspec.structs.replace(
        form,
        attributes=frozenset(picked.keys() - ENTITY_MEMBERS) if picked else None,
        omitted=frozenset(gone - ENTITY_MEMBERS),
        hidden=(ENTITY_MEMBERS - picked.keys() if picked else frozenset[str]()) | (gone & ENTITY_MEMBERS),
        linked=linked,
    )


def _datasets(call: Call) -> frozenset[str] | None:
    names = call.arguments.names("datasetId")
    checked = (name if name == DEFAULT_INSTANCE else check_uri(name, "datasetId") for name in names)
    return frozenset(checked) or None
