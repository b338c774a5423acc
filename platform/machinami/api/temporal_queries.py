"""What a request wants of temporal evolutions: parameters, or a Query document, read (5.7.3, 5.7.4)."""

from collections.abc import Sequence

import msgspec

from machinami.api.call import Call
from machinami.api.forms import Form, read_form
from machinami.api.selections import read_query, read_selection
from machinami.errors import BadRequestData
from machinami.federation.evolutions import MOST_INSTANCES, Wish
from machinami.linkage.histories import Most, Span
from machinami.linkage.read import EntitySelector, Selection
from machinami.ngsild.temporal import TemporalQuery, parse_temporal
from machinami.ngsild.terms import DEFAULT_INSTANCE

VALUES, AGGREGATED = "temporalValues", "aggregatedValues"
_FORMS = (VALUES, AGGREGATED)
_DELETED = "deletedAt"
_RECORDED = frozenset({"createdAt", "modifiedAt", _DELETED})
_MEMBERS = ("timerel", "timeAt", "endTimeAt", "timeproperty", "lastN")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A query over evolutions, read."""

    form: Form
    query: TemporalQuery
    selection: Selection
    wish: Wish


def read_asked(call: Call, selectors: Sequence[EntitySelector] = ()) -> Asked:
    """The query over evolutions that a request is.

    Raises:
        BadRequestData: it is none (clause 5.7.4.4).
    """
    form, query = read_temporal_form(call), read_temporal(call)
    if query.timerel is None:
        raise BadRequestData(
            "a temporal query is needed",
            field="timerel",
            cure="Give timerel and timeAt, such as timerel=before",
        )
    selection = read_selection(call, form.needed, selectors)
    if any(term.attribute != "id" for term in selection.order):
        raise BadRequestData(
            "evolutions can be ordered by id only (clause 5.7.4.4)",
            field="orderBy",
            value=call.arguments["orderBy"],
            cure="Write orderBy=id or orderBy=id;desc",
        )
    wish = wish_of(call, form, query, apart=bool(selection.scopes))
    return Asked(form=form, query=query, selection=selection, wish=wish)


def read_temporal_body(call: Call) -> list[EntitySelector]:
    """Take a Query over evolutions in the body over into the arguments; its selectors come back.

    Raises:
        BadRequestData: it is no Query.
    """
    selectors = read_query(call, call.document(), temporal=True)
    if "aggrMethods" in call.arguments and not shape(call):
        call.arguments["format"] = AGGREGATED  # a body that names methods can mean nothing else
    return selectors


def read_temporal_form(call: Call) -> Form:
    """How evolutions are to look.

    Raises:
        BadRequestData: names of members contradict each other, or lead to linked entities.
    """
    form = read_form(call, _FORMS)
    if form.linked:
        raise BadRequestData(
            "linked entities have no part in a temporal representation (clauses 5.7.3.4 and 5.7.4.4)",
            field="pick" if "pick" in call.arguments else "omit",
            cure="Name attributes without braces",
        )
    return form


def read_temporal(call: Call) -> TemporalQuery:
    """The temporal query of a request (clause 4.11)."""
    return parse_temporal(*(call.arguments.get(name) for name in _MEMBERS))


def shape(call: Call) -> str:
    """Which of the temporal representations is wanted; ``format`` counts before ``options``."""
    words = [call.arguments.get("format"), *call.arguments.names("options")]
    return next((word for word in words if word in _FORMS), "")


def wish_of(call: Call, form: Form, query: TemporalQuery, *, apart: bool = False) -> Wish:
    """What of each evolution is wanted.

    Args:
        apart: only some of the time counts, that in a scope; so it is where sources have said something.
    """
    apart = apart or call.remote is not None
    return Wish(
        span=_span(query),
        timeproperty=query.timeproperty,
        most=_most(call, query, apart=apart),
        apart=apart,
        names=form.needed,
        datasets=frozenset("" if name == DEFAULT_INSTANCE else name for name in form.datasets or ()),
    )


def _span(query: TemporalQuery) -> Span:
    # Without temporal query every instance is meant, also one that was never observed (clause 5.7.3).
    by_record = query.timeproperty in _RECORDED
    return Span(
        start=query.start,
        end=query.end,
        by_record=by_record,
        whole=query.timerel is None,
        deleted=query.timeproperty == _DELETED,
    )


def _most(call: Call, query: TemporalQuery, *, apart: bool) -> Most:
    """Instances to be read; for aggregates none, if the database makes them."""
    if shape(call) != AGGREGATED:
        return Most(last_n=query.last_n, instances=call.services.settings.temporal_instances)
    return Most(instances=MOST_INSTANCES if apart else 0)
