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
    """The attributes without those instances whose time is past."""
    kept = {
        name: [instance for instance in instances if not is_over(instance, now)]
        for name, instances in attributes.items()
    }
    return {name: instances for name, instances in kept.items() if instances}


def is_over(instance: Instance, now: datetime) -> bool:
    """Whether an instance's time is past."""
    return "expiresAt" in instance and datetime.fromisoformat(instance["expiresAt"]) <= now


def _moments(attributes: Attributes) -> Iterator[datetime]:
    for instances in attributes.values():
        for instance in instances:
            if "expiresAt" in instance:
                yield datetime.fromisoformat(instance["expiresAt"])
