"""What entities and attributes are stored for a while only (clause 4.22): until when, what is left."""

from collections.abc import Iterator
from datetime import datetime

from machinami.model import Attributes, Instance


def earliest(attributes: Attributes, own: datetime | None) -> datetime | None:
    """The moment at which the first of an entity's parts is past its time; None where none ever is.

    Args:
        own: ``expiresAt`` of the entity itself.
    """
    found = [] if own is None else [own]
    return min([*found, *_moments(attributes)], default=None)


def living(attributes: Attributes, now: datetime) -> Attributes:
    """The attributes, and theirs, without those instances whose time is past."""
    kept = {
        name: [pruned(instance, now) for instance in instances if not is_over(instance, now)]
        for name, instances in attributes.items()
    }
    return {name: instances for name, instances in kept.items() if instances}


def pruned(instance: Instance, now: datetime) -> Instance:
    """An instance without those of its own attributes whose time is past; the very same if there are none."""
    inner = _inner(instance)
    kept = living(inner, now)
    if kept == inner:
        return instance
    return {name: value for name, value in instance.items() if name not in inner} | kept


def expires(instance: Instance) -> bool:
    """Whether an instance, or an attribute of it, is stored for a while only."""
    if "expiresAt" in instance:
        return True
    may_have_inner = list in map(type, instance.values())  # told at once of nearly all
    return may_have_inner and any(expires(each) for every in _inner(instance).values() for each in every)


def is_over(instance: Instance, now: datetime) -> bool:
    """Whether an instance's time is past."""
    return "expiresAt" in instance and datetime.fromisoformat(instance["expiresAt"]) <= now


def _moments(attributes: Attributes) -> Iterator[datetime]:
    for instances in attributes.values():
        for instance in instances:
            if "expiresAt" in instance:
                yield datetime.fromisoformat(instance["expiresAt"])
            yield from _moments(_inner(instance))


def _inner(instance: Instance) -> Attributes:
    return {name: value for name, value in instance.items() if ":" in name}
