"""Where the instances of an entity's attributes are: the words that a draft and its history share."""

from datetime import datetime
from math import isfinite
from typing import TypeAlias

from machinami.model import Attributes, Instance

Slot: TypeAlias = tuple[str, str]
"""(expanded attribute name, dataset id or ''): where one instance at a time is current."""

Observation: TypeAlias = tuple[Slot, datetime, float | None, Instance]
"""One row of history to be: slot; ``observedAt``, or the time of writing where the instance has none; the
value of a plain numeric Property observed at a stated time, else None; and the whole instance, stored where
the number does not say everything. A bare tuple, for there are hundreds of thousands a second."""

_PLAIN = frozenset({"type", "value", "unitCode", "observedAt", "datasetId"})
_EXACT = 2**53  # integers beyond are not exact in a double


def slots_of(attributes: Attributes) -> dict[Slot, Instance]:
    """Every instance by its slot."""
    return {
        (name, instance.get("datasetId", "")): instance
        for name, instances in attributes.items()
        for instance in instances
    }


def plain_number(instance: Instance) -> float | None:
    """The value of a Property that has nothing to it but a number; None when there is more to keep."""
    value = instance.get("value")
    if type(value) is int and abs(value) <= _EXACT:
        value = float(value)
    if type(value) is not float or not isfinite(value):
        return None
    return value if instance["type"] == "Property" and instance.keys() <= _PLAIN else None
