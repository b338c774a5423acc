"""Distributed reads (clauses 5.7.1 and 5.7.2): parameters become questions, answers become entities."""

from collections.abc import Sequence

from starlette.responses import Response

from machinami.api.call import Call
from machinami.api.finding import is_split
from machinami.api.forms import Form, read_form
from machinami.api.selections import read_query, read_selection
from machinami.errors import BadRequestData
from machinami.federation.discovery import meets, tells_of
from machinami.federation.exchange import Origin, Reply
from machinami.federation.matching import Wanted
from machinami.federation.reading import MAX_PAGES, Question, plan
from machinami.federation.received import PERSISTENT, Asked, Remote, Resolve, Warned
from machinami.linkage.read import EntitySelector
from machinami.linkage.types import parse_types
from machinami.ngsild.q import parse_q
from machinami.ngsild.temporal import TemporalQuery

FILTERS = (
    "q", "georel", "geometry", "coordinates", "geoproperty", "scopeQ", "csf", "expandValues", "jsonKeys",
)  # fmt: skip
PASSED = ("datasetId",)


def plan_retrieval(call: Call, origin: Origin) -> list[Asked]:
    """Retrieve Entity: what sources are asked."""
    types = call.arguments.get("type")
    selector = EntitySelector(
        ids=(call.identifier("entityId"),),
        types=parse_types(types, call.context.expand_type) if types else (),
    )
    wanted = wanted_of(read_form(call), (selector,))
    question = Question(wanted=wanted, is_retrieval=True, passed=given(call, PASSED))
    return plan_question(call, origin, question)


def plan_query(call: Call, origin: Origin) -> list[Asked]:
    """Query Entities: what sources are asked."""
    return _plan_query(call, origin)


def plan_query_by_post(call: Call, origin: Origin) -> list[Asked]:
    """Query Entities by POST: what sources are asked."""
    return _plan_query(call, origin, read_query(call, call.document()), by_post=True)


def _plan_query(
    call: Call, origin: Origin, selectors: Sequence[EntitySelector] = (), *, by_post: bool = False
) -> list[Asked]:
    form = read_form(call)
    selection = read_selection(call, form.needed, selectors)
    question = Question(
        wanted=wanted_of(form, selection.selectors),
        by_post=by_post,
        filters=given(call, FILTERS),
        geo=selection.geo,
        passed=given(call, PASSED),
        split=is_split(call),
    )
    return refuse_order(call, plan_question(call, origin, question))


def refuse_order(call: Call, asked: list[Asked]) -> list[Asked]:
    """What is asked of sources.

    Raises:
        BadRequestData: the result is to be ordered.
    """
    if asked and "orderBy" in call.arguments:
        raise BadRequestData(
            "entities of several brokers cannot be ordered (clauses 5.7.2.4 and 5.7.4.4)",
            field="orderBy",
            value=call.arguments.get("orderBy"),
            cure="Ask with local=true, or leave out the ordering",
        )
    return asked


def take_in(call: Call, asked: Sequence[Asked], pages: Sequence[Sequence[Reply]]) -> Remote:
    """All that sources have said."""
    remote = Remote()
    for each, replies in zip(asked, pages, strict=True):
        resolve = Resolve(call.services.contexts.resolve, each.forward.context)
        for reply in replies:
            remote.add(each, reply, resolve)
        if len(replies) == MAX_PAGES:
            text = f"only the first part of what {each.forward.registration.id} has was fetched"
            remote.warnings.append(Warned(code=PERSISTENT, text=text))
    return remote


def add_warnings(call: Call, response: Response, remote: Remote) -> Response:
    """Say in NGSILD-Warning what is amiss with sources (clause 6.3.17)."""
    agent = call.services.sources.alias(call.tenant)
    for warned in dict.fromkeys(remote.warnings):
        text = warned.text.encode("ascii", "replace").decode().replace('"', "'").replace("\n", " ")
        response.headers.append("NGSILD-Warning", f'{warned.code} {agent} "{text}"')
    for relayed in dict.fromkeys(remote.relayed):
        response.headers.append("NGSILD-Warning", relayed.encode("ascii", "replace").decode())
    return response


def wanted_of(form: Form, selectors: Sequence[EntitySelector]) -> Wanted:
    """Entities, attributes and datasets that a request is about."""
    names = form.attributes if form.attributes is not None else form.needed
    return Wanted(
        selectors=tuple(selectors), attributes=frozenset(names), datasets=form.datasets or frozenset[str]()
    )


def plan_question(
    call: Call, origin: Origin, question: Question, past: TemporalQuery | None = None
) -> list[Asked]:
    """The requests that a question becomes.

    Args:
        past: the time that is asked about; None asks for the latest.
    """
    known = call.services.sources.registrations(call.tenant, origin.via, past=past is not None)
    if past:
        known = [registration for registration in known if tells_of(past, registration)]
    if call.entity_map is not None:  # it alone says who has something (clause 5.7.2.4)
        named = {name for each in call.entity_map.sources.values() for name in each}
        known = [registration for registration in known if registration.id in named]
    csf = parse_q(call.arguments["csf"], call.context) if "csf" in call.arguments else None
    return plan((each for each in known if meets(csf, each)), origin, question)


def given(call: Call, names: Sequence[str]) -> dict[str, str]:
    """Those of these parameters that the request has."""
    return {name: call.arguments[name] for name in names if name in call.arguments}
