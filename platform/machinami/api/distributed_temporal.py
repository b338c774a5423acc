"""Distributed temporal reads (clauses 5.7.3 and 5.7.4): parameters become questions."""

from collections.abc import Sequence

from machinami.api.call import Call
from machinami.api.distributed_reads import FILTERS, PASSED, given, plan_question, refuse_order, wanted_of
from machinami.api.finding import is_split
from machinami.api.temporal_queries import (
    AGGREGATED,
    read_asked,
    read_temporal,
    read_temporal_body,
    read_temporal_form,
    shape,
)
from machinami.federation.exchange import Origin
from machinami.federation.reading import EVOLUTIONS, Question
from machinami.federation.received import Asked
from machinami.linkage.read import EntitySelector

_SPAN = ("timerel", "timeAt", "endTimeAt", "timeproperty")


def plan_temporal_retrieval(call: Call, origin: Origin) -> list[Asked]:
    """Retrieve Temporal Evolution: what sources are asked."""
    selector = EntitySelector(ids=(call.identifier("entityId"),))
    question = Question(
        service=EVOLUTIONS,
        wanted=wanted_of(read_temporal_form(call), (selector,)),
        is_retrieval=True,
        passed=_passed(call),
    )
    return plan_question(call, origin, question, read_temporal(call))


def plan_temporal_query(call: Call, origin: Origin) -> list[Asked]:
    """Query Temporal Evolution: what sources are asked."""
    return _plan_query(call, origin)


def plan_temporal_query_by_post(call: Call, origin: Origin) -> list[Asked]:
    """Query Temporal Evolution by POST: what sources are asked, by GET."""
    return _plan_query(call, origin, read_temporal_body(call))


def _plan_query(call: Call, origin: Origin, selectors: Sequence[EntitySelector] = ()) -> list[Asked]:
    asked = read_asked(call, selectors)
    question = Question(
        service=EVOLUTIONS,
        wanted=wanted_of(asked.form, asked.selection.selectors),
        filters=given(call, FILTERS),
        geo=asked.selection.geo,
        passed=_passed(call),
        split=is_split(call),
    )
    return refuse_order(call, plan_question(call, origin, question, asked.query))


def _passed(call: Call) -> dict[str, str]:
    """What always goes along. Aggregates are made here, of all that there is."""
    last = () if shape(call) == AGGREGATED else ("lastN",)
    return given(call, (*PASSED, *_SPAN, *last))
