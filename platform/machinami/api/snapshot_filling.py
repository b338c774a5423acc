"""What is done for a snapshot after its maker has the answer: queries run, its endpoint told."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import httpx
import orjson
from msgspec.structs import replace
from starlette.responses import Response

from machinami.api.call import Call
from machinami.api.distribution import STRATEGIES, answer, in_thread
from machinami.api.finding import find_entities
from machinami.api.forms import Form, read_form
from machinami.api.problems import problem
from machinami.api.selections import read_query, read_selection
from machinami.api.snapshot_documents import DETAILS, EVOLUTIONS, QUERIES, notice_of, status_of
from machinami.api.temporal import find_recorded
from machinami.errors import MachinamiError
from machinami.linkage import snapshots
from machinami.linkage.read import Page
from machinami.linkage.snapshots import StoredSnapshot
from machinami.model import DEFAULT_TENANT, Entity

logger = logging.getLogger(__name__)

MOST = 100_000
"""Entities that one query may put into a snapshot."""

_TIMEOUT = 5.0
_Fill: TypeAlias = Callable[[StoredSnapshot, Call], Response]


async def fill(call: Call, item: StoredSnapshot) -> None:
    """Run a snapshot's queries and keep what they find (clause 5.16.1.4)."""

    async def prepare() -> dict[str, Any]:
        details = {
            DETAILS[member]: [await _run(call, item, member, query) for query in item.document[member]]
            for member in DETAILS
            if member in item.document
        }
        results = [each["resultStatus"] for member in details.values() for each in member]
        return {"snapshotStatus": status_of(results), **details}

    await _conclude(call, item, prepare)


async def fill_clone(call: Call, source: StoredSnapshot, item: StoredSnapshot) -> None:
    """Copy what another snapshot has (clause 5.16.2.4)."""

    async def prepare() -> dict[str, Any]:
        await in_thread(call, snapshots.copy, call.services.engine, source, item)
        return {"snapshotStatus": "success"}

    await _conclude(call, item, prepare)


async def tell(call: Call, item: StoredSnapshot) -> None:
    """Send a snapshot's status to its endpoint, if it has one (clause 5.16.6)."""
    endpoint = item.document.get("endpoint")
    if endpoint is None:
        return
    headers = {pair["key"]: pair["value"] for pair in item.document.get("receiverInfo", ())}
    if call.tenant != DEFAULT_TENANT:
        headers["NGSILD-Tenant"] = call.tenant
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT) as client:
            answered = await client.post(endpoint, json=notice_of(item), headers=headers)
            answered.raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        logger.warning("the status of snapshot %s could not be told to %s: %s", item.id, endpoint, error)


async def _conclude(
    call: Call, item: StoredSnapshot, prepare: Callable[[], Awaitable[dict[str, Any]]]
) -> None:
    try:
        details = await prepare()
    except Exception:  # nobody waits for an answer: it is said in the status, and logged whole
        logger.exception("snapshot %s could not be prepared", item.id)
        details = {"snapshotStatus": "failure"}
    try:
        concluded = await in_thread(
            call, snapshots.conclude, call.services.engine, call.tenant, item.id, details
        )
    except MachinamiError as error:
        logger.warning("snapshot %s is not concluded: %s", item.id, error)
        return
    await tell(call, concluded)


async def _run(call: Call, item: StoredSnapshot, member: str, query: dict[str, Any]) -> dict[str, Any]:
    """One query; its ExecutionResultDetails (clause 5.2.42)."""
    asked = call.asking(query)
    strategy = STRATEGIES["POST", "/ngsi-ld/v1/entityOperations/query"] if member == QUERIES else None
    try:
        response = await answer(asked, partial(_FILLS[member], item), strategy)
    except MachinamiError as error:
        return {"resultStatus": "failure", "problemDetails": problem(error)}
    if response.status_code >= 400:  # an error that the strategy has caught
        return {"resultStatus": "failure", "problemDetails": orjson.loads(response.body)}
    return {"resultStatus": "success" if response.status_code == 200 else "empty"}  # see below


def _add_entities(item: StoredSnapshot, call: Call) -> Response:
    selectors = read_query(call, call.document())
    form = read_form(call)
    found = find_entities(call, read_selection(call, form.needed, selectors), Page(limit=MOST))
    snapshots.add(call.services.engine, item, [_projected(form, entity) for entity in found.entities])
    return _done(found.entities)


def _add_evolutions(item: StoredSnapshot, call: Call) -> Response:
    ids, names, span = find_recorded(call, read_query(call, call.document(), temporal=True), MOST)
    snapshots.add_evolutions(call.services.engine, call.tenant, item, ids, names, span)
    return _done(ids)


def _projected(form: Form, entity: Entity) -> Entity:
    kept = {name: each for name, each in entity.attributes.items() if form.shows(name)}
    return replace(entity, attributes=kept)


def _done(found: Sequence[object]) -> Response:
    """200 where something was found, else 204."""
    return Response(None, 200 if found else 204)


_FILLS: dict[str, _Fill] = {QUERIES: _add_entities, EVOLUTIONS: _add_evolutions}
