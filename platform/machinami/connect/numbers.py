"""Messages whose attributes are all plain numbers: read at once, for they come by the hundred thousand."""

from collections.abc import Callable, Sequence
from operator import ge, itemgetter, le
from typing import Final, TypeAlias

from machinami.connect.attributes import Reader
from machinami.connect.paths import ABSENT, Document, split_path
from machinami.connect.words import AttributeRule
from machinami.errors import BadRequestData
from machinami.model import Layout

ReadNumbers: TypeAlias = Callable[[Document], Sequence[float] | None]
"""Document → the number of each attribute; None where one is not there or not sound, whatever is wrong."""

_NUMBERS: Final = frozenset({int, float})  # not bool, which is an int as well


def numbers_layout(readers: Sequence[Reader], rules: Sequence[AttributeRule]) -> Layout | None:
    """The layout of readers that all give plain numbers; None where one gives anything else."""
    if not all(rule.kind == "number" and rule.value is None for rule in rules):
        return None
    slots = tuple((reader.iri, "") for reader in readers)
    return Layout(slots=slots, units=tuple(reader.unit or "" for reader in readers))


def compile_numbers(readers: Sequence[Reader], rules: Sequence[AttributeRule]) -> ReadNumbers:
    """A reader of all numbers of a layout."""
    carefully = _one_by_one(readers)
    names = [name for rule in rules if (name := _member(rule))]
    if len(names) < len(rules) or len(names) < 2:
        return carefully
    return _at_once(names, [rule.minimum for rule in rules], [rule.maximum for rule in rules], carefully)


def _member(rule: AttributeRule) -> str | None:
    """The member of the document whose value is the attribute's, as it is; None where there is more to it."""
    if rule.scale != 1 or rule.offset or rule.missing or rule.translate or not isinstance(rule.path, str):
        return None
    steps = split_path(rule.path)
    return str(steps[0]) if len(steps) == 1 else None


def _at_once(
    names: Sequence[str], lows: Sequence[float], highs: Sequence[float], carefully: ReadNumbers
) -> ReadNumbers:
    """No call for each number where all are there, are numbers, and lie within their bounds."""
    find = itemgetter(*names)

    def read(document: Document) -> Sequence[float] | None:
        try:
            values = find(document)
        except KeyError:
            return carefully(document)
        sound = (
            _NUMBERS.issuperset(map(type, values))
            and all(map(le, lows, values))
            and all(map(ge, highs, values))
        )
        return values if sound else carefully(document)

    return read


def _one_by_one(readers: Sequence[Reader]) -> ReadNumbers:
    reads = [reader.read for reader in readers]

    def read(document: Document) -> Sequence[float] | None:
        try:
            values = [read(document) for read in reads]
        except BadRequestData:
            return None
        return None if ABSENT in values else values

    return read
