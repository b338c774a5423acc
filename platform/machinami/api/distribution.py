"""Distributed operations (clause 4.3.6): the one way on which requests to this broker go on to others.

An endpoint in the table below is looked at only where there are registrations at all. Its strategy plans in a
thread, lets requests go out side by side without holding one, and has the endpoint's function do the rest.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from anyio import to_thread
from starlette.responses import Response

from machinami.api.call import SNAPSHOT, Call
from machinami.api.distributed_batches import plan_batch
from machinami.api.distributed_reads import (
    add_warnings,
    plan_query,
    plan_query_by_post,
    plan_retrieval,
    take_in,
)
from machinami.api.distributed_results import Plan, combined
from machinami.api.distributed_temporal import (
    plan_temporal_query,
    plan_temporal_query_by_post,
    plan_temporal_retrieval,
)
from machinami.api.distributed_types import Inquiry, combined_discovery, plan_discovery
from machinami.api.distributed_writes import plan_purge, plan_write
from machinami.api.negotiation import JSON_LD
from machinami.api.problems import problem_response
from machinami.api.shapes import as_array, as_object
from machinami.api.source_parts import plan_parts
from machinami.errors import LoopDetected, MachinamiError
from machinami.federation.copying import INBOUND
from machinami.federation.exchange import Origin, read_via
from machinami.federation.received import Asked, Remote
from machinami.ngsild.context import Context

Function: TypeAlias = Callable[[Call], Response]
Strategy: TypeAlias = Callable[[Call, Function], Awaitable[Response]]


async def answer(call: Call, function: Function, strategy: Strategy | None) -> Response:
    """The answer of an endpoint: of its strategy where sources may have a part, else of its function."""
    sources = call.services.sources
    is_local = call.arguments.get("local") == "true" or SNAPSHOT in call.headers
    if strategy is None or sources.is_empty or is_local:
        return await in_thread(call, function, call)
    return await strategy(call, function)


async def in_thread(call: Call, function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function gives that may wait for the database."""
    return await to_thread.run_sync(partial(function, *arguments), limiter=call.services.limiter)


def passed(call: Call) -> tuple[str, ...]:
    """Pseudonyms of the brokers that a request has passed.

    Raises:
        LoopDetected: it has been here before (clause 6.3.18).
    """
    via = read_via(", ".join(call.headers.getlist("via")))
    if via and call.services.sources.alias(call.tenant) in via:
        raise LoopDetected(
            "the request has been here before", field="Via", value=", ".join(via), cure="Ask with local=true"
        )
    return via


def origin_of(call: Call) -> Origin:
    """The request that is distributed.

    Raises:
        LoopDetected: see `passed`.
    """
    return Origin(
        tenant=call.tenant,
        context=_context(call),
        headers=dict(call.headers.items()),
        via=passed(call),
        alias=call.services.sources.alias(call.tenant),
        resolve=call.services.contexts.resolve,
    )


def _context(call: Call) -> Context:
    """The @context of a request; of a batch, whose members may each have one, that of the first."""
    members = as_array(call.json) if call.media == JSON_LD else []
    return call.services.contexts.resolve(as_object(members[0]).get("@context")) if members else call.context


def _reading(plan: Callable[[Call, Origin], list[Asked]]) -> Strategy:
    def prepare(call: Call) -> list[Asked]:
        return plan(call, origin_of(call))

    async def run(call: Call, function: Function) -> Response:
        asked = await in_thread(call, prepare, call)
        if not asked:
            return await in_thread(call, function, call)
        pages = await call.services.sources.read_all([each.forward for each in asked])
        remote: Remote = await in_thread(call, take_in, call, asked, pages)
        call.remote = remote
        try:
            response = await in_thread(call, function, call)
        except MachinamiError as error:
            response = problem_response(error)
        return add_warnings(call, response, remote)

    return run


def _writing(plan: Callable[[Call, Origin], Plan]) -> Strategy:
    def prepare(call: Call) -> Plan:
        return plan(call, origin_of(call))

    async def run(call: Call, function: Function) -> Response:
        planned = await in_thread(call, prepare, call)
        if not (planned.forwards or planned.refused):
            return await in_thread(call, function, call)
        replies = await call.services.sources.send_all(planned.forwards)
        return await in_thread(call, combined, planned, replies, function)

    return run


def _discovering(*operations: str) -> Strategy:
    def prepare(call: Call) -> list[Inquiry]:
        return plan_discovery(operations, call, origin_of(call))

    async def run(call: Call, function: Function) -> Response:
        inquiries = await in_thread(call, prepare, call)
        if not inquiries:
            return await in_thread(call, function, call)
        replies = await call.services.sources.send_all([each.forward for each in inquiries])
        return await in_thread(call, combined_discovery, call, inquiries, replies, function)

    return run


_ENTITIES = "/ngsi-ld/v1/entities"
_ENTITY = f"{_ENTITIES}/{{entityId:path}}"
_ATTRIBUTE = f"{_ENTITY}/attrs/{{attrId:path}}"
_HISTORY = "/ngsi-ld/v1/temporal"
_BATCH = "/ngsi-ld/v1/entityOperations"

STRATEGIES: Mapping[tuple[str, str], Strategy] = {
    ("GET", _ENTITY): _reading(plan_retrieval),
    ("GET", _ENTITIES): _reading(plan_query),
    ("GET", "/ngsi-ld/v1/entityMaps"): _reading(plan_query),
    ("POST", "/ngsi-ld/v1/entityMaps"): _reading(plan_query_by_post),
    ("POST", f"{_BATCH}/query"): _reading(plan_query_by_post),
    ("GET", f"{_HISTORY}/entities/{{entityId:path}}"): _reading(plan_temporal_retrieval),
    ("GET", f"{_HISTORY}/entities"): _reading(plan_temporal_query),
    ("GET", f"{_HISTORY}/entityMaps"): _reading(plan_temporal_query),
    ("POST", f"{_HISTORY}/entityMaps"): _reading(plan_temporal_query_by_post),
    ("POST", f"{_HISTORY}/entityOperations/query"): _reading(plan_temporal_query_by_post),
    ("POST", _ENTITIES): _writing(partial(plan_write, "createEntity")),
    ("PATCH", _ENTITY): _writing(partial(plan_write, "mergeEntity")),
    ("PUT", _ENTITY): _writing(partial(plan_write, "replaceEntity")),
    ("DELETE", _ENTITY): _writing(partial(plan_write, "deleteEntity")),
    ("POST", f"{_ENTITY}/attrs"): _writing(partial(plan_write, "appendAttrs")),
    ("PATCH", f"{_ENTITY}/attrs"): _writing(partial(plan_write, "updateEntity")),
    ("PATCH", _ATTRIBUTE): _writing(partial(plan_write, "updateAttrs")),
    ("PUT", _ATTRIBUTE): _writing(partial(plan_write, "replaceAttrs")),
    ("DELETE", _ATTRIBUTE): _writing(partial(plan_write, "deleteAttrs")),
    ("DELETE", _ENTITIES): _writing(plan_purge),
    ("GET", "/ngsi-ld/v1/types"): _discovering("retrieveEntityTypes", "retrieveEntityTypeDetails"),
    ("GET", "/ngsi-ld/v1/types/{type:path}"): _discovering("retrieveEntityTypeInfo"),
    ("GET", "/ngsi-ld/v1/attributes"): _discovering("retrieveAttrTypes", "retrieveAttrTypeDetails"),
    ("GET", "/ngsi-ld/v1/attributes/{attrId:path}"): _discovering("retrieveAttrTypeInfo"),
    ("POST", f"{_BATCH}/create"): _writing(partial(plan_batch, "createBatch")),
    ("POST", f"{_BATCH}/upsert"): _writing(partial(plan_batch, "upsertBatch")),
    ("POST", f"{_BATCH}/update"): _writing(partial(plan_batch, "updateBatch")),
    ("POST", f"{_BATCH}/merge"): _writing(partial(plan_batch, "mergeBatch")),
    ("POST", f"{_BATCH}/delete"): _writing(partial(plan_batch, "deleteBatch")),
    ("POST", f"{INBOUND}/{{key}}"): _reading(plan_parts),
}
"""Method and path of each distributed endpoint."""
