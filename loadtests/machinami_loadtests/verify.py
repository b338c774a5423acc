"""Is every message there, once? Looked up message by message, not counted."""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

import msgspec
from machinami.store.queries_ledger import HistoryKey, count_observations, count_quarantined
from sqlalchemy import Engine

from machinami_loadtests.bare import FIELDS
from machinami_loadtests.meters import Plan

_AT_ONCE = 5_000
_VOCABULARY = "https://uri.etsi.org/ngsi-ld/default-context/"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the messages.

    Attributes:
        stored: every value of it is in the history. quarantined: it is in quarantine instead.
        lost: it is in neither. doubled: rows of history beyond one for each value.
    """

    stored: int = 0
    quarantined: int = 0
    lost: int = 0
    doubled: int = 0

    def __add__(self, other: "Verdict") -> "Verdict":
        mine, others = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        names = Verdict.__struct_fields__
        return Verdict(**{name: a + b for name, a, b in zip(names, mine, others, strict=True)})


def verify(
    engine: Engine,
    plan: Plan,
    numbers: Iterable[int] | None = None,
    looked: Callable[[int], None] = lambda _count: None,
) -> Verdict:
    """Look for every value of a plan's messages.

    Args:
        numbers: of the messages to look for; None is all of them.
        looked: told of how many messages were looked for now.
    """
    verdict, numbers = Verdict(), iter(range(plan.messages) if numbers is None else numbers)
    while chunk := list(islice(numbers, _AT_ONCE)):
        verdict += _verdict(engine, plan, chunk)
        looked(len(chunk))
    return verdict


def history_keys(plan: Plan, number: int) -> list[HistoryKey]:
    """Where the values of a message must be in the history."""
    entity = f"urn:ngsi-ld:Device:load:{plan.device(number)}"
    return [("default", entity, _VOCABULARY + name, "", plan.moment(number)) for name in FIELDS]


def _verdict(engine: Engine, plan: Plan, chunk: Sequence[int]) -> Verdict:
    counts = count_observations(engine, [key for number in chunk for key in history_keys(plan, number)])
    by_message = [counts[at : at + len(FIELDS)] for at in range(0, len(counts), len(FIELDS))]
    absent = [plan.message(number) for number, found in zip(chunk, by_message, strict=True) if 0 in found]
    quarantined = len(count_quarantined(engine, absent))
    return Verdict(
        stored=len(chunk) - len(absent),
        quarantined=quarantined,
        lost=len(absent) - quarantined,
        doubled=sum(count - 1 for count in counts if count > 1),
    )
