"""Distributed discovery of types and attributes (clause 5.7.11): sources are asked, answers become one."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import orjson
from starlette.responses import Response

from machinami.api.answers import respond
from machinami.api.call import Call
from machinami.api.distributed_reads import add_warnings
from machinami.errors import NotFound
from machinami.federation.exchange import Dialect, Forward, Origin, Reply, path_of
from machinami.federation.matching import Wanted, matching_information
from machinami.federation.received import Remote
from machinami.federation.vocabulary import EVERYTHING, Vocabulary, adopt, combine, vocabulary_of
from machinami.linkage.read import EntitySelector


class Inquiry(msgspec.Struct, frozen=True, kw_only=True):
    """A request to one source, and what its registration speaks of."""

    forward: Forward
    vocabulary: Vocabulary


def plan_discovery(operations: Sequence[str], call: Call, origin: Origin) -> list[Inquiry]:
    """Which sources are asked.

    Args:
        operations: what a source has to offer; the second where ``details=true`` is asked for.
    """
    is_detailed = call.arguments.flag("details")
    parameters = (("details", "true"),) if is_detailed else ()
    wanted = _wanted(call)
    return [
        Inquiry(
            forward=dialect.forward("GET", _path(call, dialect), parameters),
            vocabulary=vocabulary_of(registration),
        )
        for registration in call.services.sources.registrations(call.tenant, origin.via)
        if operations[is_detailed] in registration.operations and matching_information(registration, wanted)
        for dialect in (Dialect(registration, origin),)
    ]


def combined_discovery(
    call: Call, inquiries: Sequence[Inquiry], replies: Sequence[Reply], function: Callable[[Call], Response]
) -> Response:
    """What is here and what sources have said, as one answer.

    Raises:
        NotFound: nobody has the type or attribute.
    """
    remote = Remote()
    answers, missing = _here(call, function)
    shape = list if call.arguments.flag("details") else dict
    for inquiry, reply in zip(inquiries, replies, strict=True):
        if not remote.accepts(reply):
            continue
        said = reply.json()
        if isinstance(said, shape):
            answers.append(adopt(said, inquiry.vocabulary, inquiry.forward.context, call.context))
        else:
            remote.reject(reply, "it is no list of types or attributes, and no description of one")
    found = [answer for answer in answers if answer is not None]
    if missing and not found:
        raise missing
    return add_warnings(call, respond(call, combine(found)), remote)


def _here(call: Call, function: Callable[[Call], Response]) -> tuple[list[Any], NotFound | None]:
    """What is here, or that nothing is."""
    try:
        said = orjson.loads(function(call).body)
    except NotFound as error:
        return [], error
    return [adopt(said, EVERYTHING, call.context, call.context)], None


def _wanted(call: Call) -> Wanted:
    """The one type or attribute that is asked for; of lists, any."""
    if "type" in call.path:
        types = ((call.context.expand_type(call.path["type"]),),)
        return Wanted(selectors=(EntitySelector(types=types),))
    if "attrId" in call.path:
        return Wanted(attributes=frozenset({call.context.expand(call.path["attrId"])}))
    return Wanted()


def _path(call: Call, dialect: Dialect) -> str:
    """In the words of the source."""
    if "type" in call.path:
        return path_of("types", dialect.context.compact(call.context.expand_type(call.path["type"])))
    if "attrId" in call.path:
        return path_of("attributes", dialect.context.compact(call.context.expand(call.path["attrId"])))
    return path_of("types" if call.target.rstrip("/").endswith("/types") else "attributes")
