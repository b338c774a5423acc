"""The Entity Type Selection Language (clause 4.17): ``Building|House``, ``(Home;Vehicle),Motorhome``."""

import re
from collections.abc import Callable, Iterable, Sequence

from machinami.errors import BadRequestData
from machinami.model import Entity
from machinami.store.queries import EntitySelector, TypeSelection

EVERY_TYPE = "*"
_ELEMENT = re.compile(r"\(([^()]*)\)|([^()|,]+)")
_SHAPE = re.compile(r"(\([^()]*\)|[^()|,]+)([|,](\([^()]*\)|[^()|,]+))*")


def parse_types(text: str, expand: Callable[[str], str]) -> TypeSelection:
    """A selector of entity types. ``A;B`` without parentheses is taken as ``(A;B)``; ``*`` selects all.

    Args:
        text: the selector, as in the parameter ``type``.
        expand: turns a short name into an IRI.

    Raises:
        BadRequestData: not of the grammar.
    """
    if text == EVERY_TYPE:
        return ()
    if not _SHAPE.fullmatch(text):
        raise _unreadable(text)
    groups = ((found[1] or found[2]).split(";") for found in _ELEMENT.finditer(text))
    return tuple(tuple(_expanded(name, text, expand) for name in group) for group in groups)


def has_types(types: Iterable[str], selection: TypeSelection) -> bool:
    """Whether an entity of these types is selected."""
    own = set(types)
    return not selection or any(own.issuperset(group) for group in selection)


def selects(selector: EntitySelector, entity: Entity) -> bool:
    """Whether the selector means the entity; what the database answers for many, here for one."""
    if not has_types(entity.types, selector.types):
        return False
    if selector.ids:
        return entity.id in selector.ids
    return not selector.id_pattern or re.search(selector.id_pattern, entity.id) is not None


def _expanded(name: str, text: str, expand: Callable[[str], str]) -> str:
    if not name.strip():
        raise _unreadable(text)
    return expand(name.strip())


def _unreadable(text: str) -> BadRequestData:
    return BadRequestData(
        "not a selection of entity types",
        field="type",
        value=text,
        cure="Write A,B for either type, (A;B) for both (ETSI GS CIM 009 clause 4.17)",
    )


def format_types(selection: Sequence[Sequence[str]], compact: Callable[[str], str]) -> str:
    """A selector as text again."""
    groups = [";".join(compact(name) for name in group) for group in selection]
    return ",".join(f"({group})" if ";" in group else group for group in groups) or EVERY_TYPE
