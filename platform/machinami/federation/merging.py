"""What several sources say of one entity becomes one (clause 4.5.5)."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

from msgspec.structs import replace

from machinami.model import Attributes, Entity, Instance, format_time
from machinami.ngsild.expiry import is_over, living

Age: TypeAlias = tuple[bool, str]


def merge(entities: Sequence[Entity], supplements: Iterable[Entity] = ()) -> Entity:
    """One entity out of what equals say of it, and of what auxiliary sources add.

    Args:
        entities: at least one of the two has an entity; of instances with one datasetId the newest counts.
        supplements: their attributes count only where nobody else has them (clause 4.3.6.2).
    """
    every = _until([*entities, *supplements])
    attributes: Attributes = {}
    for entity in every[: len(entities)]:
        for name, instances in entity.attributes.items():
            attributes[name] = _newest(attributes.get(name, []), instances)
    for entity in every[len(entities) :]:
        attributes = {**entity.attributes, **attributes}
    return Entity(
        id=every[0].id,
        types=tuple(dict.fromkeys(name for entity in every for name in entity.types)),
        attributes=attributes,
        scope=tuple(dict.fromkeys(scope for entity in every for scope in entity.scope)),
        created_at=min(_known(entity.created_at for entity in every), default=None),
        modified_at=max(_known(entity.modified_at for entity in every), default=None),
        expires_at=_last([entity.expires_at for entity in every]),
    )


def _until(entities: Sequence[Entity]) -> Sequence[Entity]:
    """Where they expire at several times, their attributes say so (4.5.5.2), the past ones left out."""
    if len({entity.expires_at for entity in entities}) < 2:
        return entities
    now = datetime.now(UTC)
    return [
        replace(entity, attributes=living(_ending(entity.attributes, entity.expires_at), now))
        for entity in entities
    ]


def _ending(attributes: Attributes, end: datetime | None) -> Attributes:
    """Attributes that expire with their entity, or before."""
    if end is None:
        return attributes
    return {
        name: [
            {**each, "expiresAt": format_time(end)} if not is_over(each, end) else each for each in instances
        ]
        for name, instances in attributes.items()
    }


def _last(moments: Sequence[datetime | None]) -> datetime | None:
    """The last moment; none where one of them is for good (clause 4.5.5.3)."""
    known = [moment for moment in moments if moment is not None]
    return max(known) if len(known) == len(moments) else None


def _newest(one: Sequence[Instance], other: Sequence[Instance]) -> list[Instance]:
    """Instances of both; of two with one datasetId the newer, and the first where neither is."""
    found: dict[str | None, Instance] = {instance.get("datasetId"): instance for instance in one}
    for instance in other:
        dataset = instance.get("datasetId")
        if dataset not in found or _age(instance) > _age(found[dataset]):
            found[dataset] = instance
    return list(found.values())


def _age(instance: Instance) -> Age:
    """Comes later for what is newer: by observedAt where there is one, else by modifiedAt."""
    observed = instance.get("observedAt")
    moment = observed or instance.get("modifiedAt") or ""
    return observed is not None, _comparable(moment)


def _comparable(moment: str) -> str:
    """A moment in UTC such that text order is time order; fractions have one length."""
    whole, _, fraction = moment.rstrip("Z").partition(".")
    return f"{whole}.{fraction:0<6}"


def _known(moments: Iterable[datetime | None]) -> list[datetime]:
    return [moment for moment in moments if moment is not None]
