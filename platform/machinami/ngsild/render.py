"""The platform's own words → what clients read: entities, GeoJSON features, temporal evolutions (clause 4.5).

No answer here has a ``@context`` member; the API adds one where it is asked for. Answers share parts with
what they are made of, so change neither.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from machinami.model import Attributes, Entity, Instance, format_time
from machinami.ngsild.context import Context
from machinami.ngsild.geometry import looks_like_geometry
from machinami.ngsild.presentation import Answer, Presenter, Representation
from machinami.ngsild.terms import DEFAULT_INSTANCE, KINDS

__all__ = ["Representation", "render_collection", "render_entity", "render_feature", "render_temporal"]


def render_entity(
    entity: Entity,
    context: Context,
    representation: Representation = Representation.NORMALIZED,
    *,
    sys_attrs: bool = False,
    lang: str | None = None,
    attrs: Collection[str] | None = None,
    datasets: Collection[str] | None = None,
) -> Answer:
    """One entity as a client reads it.

    Args:
        sys_attrs: with ``createdAt``, ``modifiedAt`` and ``expiresAt``.
        lang: language filter, see `languages.parse_languages`.
        attrs: expanded names of the attributes wanted; None wants all.
        datasets: datasetIds wanted, ``@none`` for the default instance; None wants all (clause 4.5.5).
    """
    names = context.names
    presenter = Presenter(names, representation, sys_attrs=sys_attrs, lang=lang)
    answer: Answer = {"id": entity.id, "type": _one_or_many([names[iri] for iri in entity.types])}
    if entity.scope:
        answer["scope"] = _one_or_many(entity.scope)
    if sys_attrs:
        answer |= _system_times(entity)
    for iri, instances in entity.attributes.items():
        if attrs is None or iri in attrs:
            wanted = instances if datasets is None else _of_datasets(instances, datasets)
            if wanted:
                answer[names[iri]] = presenter.attribute(wanted)
    return answer


def render_feature(
    entity: Entity,
    context: Context,
    geometry_property: str = "location",
    representation: Representation = Representation.NORMALIZED,
    *,
    sys_attrs: bool = False,
    lang: str | None = None,
    attrs: Collection[str] | None = None,
    datasets: Collection[str] | None = None,
) -> Answer:
    """One entity as a GeoJSON Feature (clauses 4.5.16.2 and 4.5.17.1); other arguments as `render_entity`.

    Args:
        geometry_property: name of the GeoProperty, a term; its default instance, or the only one that
            `datasets` leave, becomes the geometry, which is null where there is none.
    """
    properties = render_entity(
        entity, context, representation, sys_attrs=sys_attrs, lang=lang, attrs=attrs, datasets=datasets
    )
    geometry = _geometry(entity.attributes, context.expand(geometry_property), datasets)
    del properties["id"]
    return {"id": entity.id, "type": "Feature", "geometry": geometry, "properties": properties}


def render_collection(features: Iterable[Answer]) -> Answer:
    """Features as a GeoJSON FeatureCollection (clause 4.5.16.3)."""
    return {"type": "FeatureCollection", "features": list(features)}


def render_temporal(
    entity_id: str,
    types: Sequence[str],
    attributes: Mapping[str, Sequence[Instance]],
    context: Context,
    *,
    temporal_values: bool = False,
    timeproperty: str = "observedAt",
    sys_attrs: bool = False,
    lang: str | None = None,
) -> Answer:
    """The temporal evolution of an entity (clauses 4.5.6 to 4.5.9).

    Args:
        types: expanded type IRIs.
        attributes: expanded names → instances in the order wanted; each attribute becomes an array.
        temporal_values: the simplified form, pairs of value and time.
        timeproperty: which time stands in those pairs; the time of writing stands in for one that lacks.
        sys_attrs, lang: as `render_entity`.
    """
    representation = Representation.SIMPLIFIED if temporal_values else Representation.NORMALIZED
    presenter = Presenter(context.names, representation, sys_attrs=sys_attrs, lang=lang)
    answer: Answer = {"id": entity_id, "type": _one_or_many([context.names[iri] for iri in types])}
    for iri, instances in attributes.items():
        name = context.names[iri]
        if temporal_values:
            answer[name] = _pairs(instances, presenter, timeproperty)
        else:
            answer[name] = [presenter.normalized(instance) for instance in instances]
    return answer


def _pairs(instances: Sequence[Instance], presenter: Presenter, timeproperty: str) -> Answer | list[Answer]:
    """Instances as [value, time] pairs, one object for each kind and datasetId (clause 4.5.9)."""
    groups: dict[tuple[str, str], Answer] = {}
    for instance in instances:
        kind = presenter.kind(instance)
        dataset = instance.get("datasetId", DEFAULT_INSTANCE)
        group = groups.setdefault((kind.name, dataset), {"type": kind.name, kind.plural: []})
        if dataset != DEFAULT_INSTANCE:
            group["datasetId"] = dataset
        time = instance.get(timeproperty) or instance.get("modifiedAt") or instance.get("createdAt")
        group[kind.plural].append([presenter.attribute([instance]), time])
    if not groups:  # a partial answer names what comes later
        return {"type": "Property", KINDS["Property"].plural: []}
    answers = list(groups.values())
    return answers[0] if len(answers) == 1 else answers


def _geometry(attributes: Attributes, iri: str, datasets: Collection[str] | None) -> Any:
    instances = attributes.get(iri, [])
    wanted = [each for each in instances if "datasetId" not in each] or _of_datasets(
        instances, datasets or ()
    )
    value = wanted[0].get("value") if len(wanted) == 1 else None
    return value if looks_like_geometry(value) else None


def _of_datasets(instances: Sequence[Instance], datasets: Collection[str]) -> list[Instance]:
    return [each for each in instances if each.get("datasetId", DEFAULT_INSTANCE) in datasets]


def _system_times(entity: Entity) -> Answer:
    moments = {
        "createdAt": entity.created_at,
        "modifiedAt": entity.modified_at,
        "expiresAt": entity.expires_at,
    }
    return {member: format_time(moment) for member, moment in moments.items() if moment}


def _one_or_many(names: Sequence[str]) -> Any:
    """A single name stands alone, several as a list (clause 4.5.1)."""
    return names[0] if len(names) == 1 else list(names)
