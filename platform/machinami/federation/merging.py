"""What several sources say of one entity becomes one (clause 4.5.5)."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeAlias

from machinami.model import Attributes, Entity, Instance

Age: TypeAlias = tuple[bool, str]


def merge(entities: Sequence[Entity], supplements: Iterable[Entity] = ()) -> Entity:
    """One entity out of what equals say of it, and of what auxiliary sources add.

    Args:
        entities: at least one of the two has an entity; of instances with one datasetId the newest counts.
        supplements: their attributes count only where nobody else has them (clause 4.3.6.2).
    """
    every = [*entities, *supplements]
    attributes: Attributes = {}
    for entity in entities:
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
    )


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
