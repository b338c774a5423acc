"""Linked entities beside those that link to them (clause 4.5.23): ``join=inline`` and ``join=flat``."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from machinami.api.call import Call
from machinami.api.forms import Form
from machinami.api.parameters import Arguments
from machinami.errors import BadRequestData
from machinami.linkage import read
from machinami.model import Entity
from machinami.ngsild.linked import JOINS, Join, joined

DEEPEST = 10
"""Levels of linked entities that one request may ask for."""


def read_join(arguments: Arguments) -> Join:
    """Read ``join``, ``joinLevel`` and ``containedBy``.

    Raises:
        BadRequestData: they do not go together.
    """
    if "join" not in arguments and ("joinLevel" in arguments or "containedBy" in arguments):
        raise BadRequestData("joinLevel and containedBy go with join", field="join", cure="Add join=inline")
    return Join(
        how=arguments.one_of("join", JOINS, ""),
        level=arguments.number("joinLevel", 1, minimum=1, maximum=DEEPEST),
        met=frozenset(arguments.names("containedBy")),
    )


def check_depth(join: Join, form: Form) -> None:
    """What comes back of linked entities is retrieved (clauses 5.7.1.4 and 5.7.2.4).

    Raises:
        BadRequestData: pick or omit go deeper.
    """
    if form.depth > join.depth:
        raise BadRequestData(
            "pick or omit go deeper than linked entities are retrieved",
            field="joinLevel",
            value=join.depth,
            cure="Give join=inline or join=flat, and a joinLevel as deep as the braces",
        )


def with_linked(call: Call, form: Form, entities: Sequence[Entity], join: Join) -> list[dict[str, Any]]:
    """Entities as the client wants them, with those that they are linked to."""
    tenant = read.tenant_of(call.services.engine, call.tenant) if join.how else 0
    load = partial(read.load_entities, call.services.engine, tenant)
    viewed = joined([(entity, form) for entity in entities], join, load)
    asked, beside = viewed[: len(entities)], viewed[len(entities) :]
    return [
        *(view.entity(entity) for entity, view in asked),
        *(answer for entity, view in beside if (answer := view.entity(entity))),
    ]
