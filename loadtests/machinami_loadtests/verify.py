"""Is every message there, once? Looked up message by message, not counted."""

from itertools import islice

import msgspec
from machinami.store.queries_ledger import HistoryKey, count_observations
from sqlalchemy import Engine

from machinami_loadtests.bare import FIELDS
from machinami_loadtests.meters import Plan

_AT_ONCE = 5_000
_VOCABULARY = "https://uri.etsi.org/ngsi-ld/default-context/"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of which a value is missing, and rows beyond one for each value."""

    lost: int
    doubled: int


def verify(engine: Engine, plan: Plan) -> Verdict:
    """Look for every value of every message of a plan."""
    lost = doubled = 0
    numbers = iter(range(plan.messages))
    while chunk := list(islice(numbers, _AT_ONCE)):
        keys = [key for number in chunk for key in _keys(plan, number)]
        counts = count_observations(engine, keys)
        by_message = [counts[at : at + len(FIELDS)] for at in range(0, len(counts), len(FIELDS))]
        lost += sum(1 for found in by_message if 0 in found)
        doubled += sum(count - 1 for count in counts if count > 1)
    return Verdict(lost=lost, doubled=doubled)


def _keys(plan: Plan, number: int) -> list[HistoryKey]:
    entity = f"urn:ngsi-ld:Device:load:{plan.device(number)}"
    return [("default", entity, _VOCABULARY + name, "", plan.moment(number)) for name in FIELDS]
