"""Distributed reads (clauses 5.7.1 and 5.7.2): parameters become questions, answers become entities."""

from collections.abc import Sequence

from starlette.responses import Response

from machinami.api.call import Call
from machinami.api.finding import is_split
from machinami.api.forms import Form, read_form
from machinami.api.selections import read_query, read_selection
from machinami.errors import BadRequestData
from machinami.federation.discovery import meets
from machinami.federation.exchange import Origin, Reply
from machinami.federation.matching import Wanted
from machinami.federation.reading import MAX_PAGES, Question, plan
from machinami.federation.received import PERSISTENT, Asked, Remote, Resolve, Warned
from machinami.linkage.read import EntitySelector
from machinami.linkage.types import parse_types
from machinami.ngsild.q import parse_q

_FILTERS = (
    "q", "georel", "geometry", "coordinates", "geoproperty", "scopeQ", "csf", "expandValues", "jsonKeys",
)  # fmt: skip
_PASSED = ("datasetId",)


def plan_retrieval(call: Call, origin: Origin) -> list[Asked]:
    """Retrieve Entity: what sources are asked."""
    types = call.arguments.get("type")
    selector = EntitySelector(
        ids=(call.identifier("entityId"),),
        types=parse_types(types, call.context.expand_type) if types else (),
    )
    wanted = _wanted(read_form(call), (selector,))
    question = Question(wanted=wanted, is_retrieval=True, passed=_given(call, _PASSED))
    return _plan(call, origin, question)


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
        wanted=_wanted(form, selection.selectors),
        by_post=by_post,
        filters=_given(call, _FILTERS),
        geo=selection.geo,
        passed=_given(call, _PASSED),
        split=is_split(call),
    )
    asked = _plan(call, origin, question)
    if asked and selection.order:
        raise BadRequestData(
            "entities of several brokers cannot be ordered (clause 5.7.2.4)",
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


def _wanted(form: Form, selectors: Sequence[EntitySelector]) -> Wanted:
    names = form.attributes if form.attributes is not None else form.needed
    return Wanted(
        selectors=tuple(selectors), attributes=frozenset(names), datasets=form.datasets or frozenset[str]()
    )


def _plan(call: Call, origin: Origin, question: Question) -> list[Asked]:
    known = call.services.sources.registrations(call.tenant, origin.via)
    if call.entity_map is not None:  # it alone says who has something (clause 5.7.2.4)
        named = {name for each in call.entity_map.sources.values() for name in each}
        known = [registration for registration in known if registration.id in named]
    csf = parse_q(call.arguments["csf"], call.context) if "csf" in call.arguments else None
    return plan((each for each in known if meets(csf, each)), origin, question)


def _given(call: Call, names: Sequence[str]) -> dict[str, str]:
    return {name: call.arguments[name] for name in names if name in call.arguments}
