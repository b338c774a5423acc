"""Keeps the copies of subscriptions at context sources right (clauses 5.8.1.4, 5.8.2.4 and 5.8.5.4).

What should be is worked out from subscriptions and registrations whenever one of them has changed, and is
compared with what each source has taken. So it does not matter what happened in between, or to whom: a source
that was away, a city that was stopped. A copy is written down before it is sent, under an id chosen here, so
that none is ever lost at its source.
"""

import asyncio
import logging
import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import Connection, Engine

from machinami.errors import MachinamiError, Unavailable
from machinami.federation.copies import DELETE, UPDATE, difference, matching, reduced
from machinami.federation.exchange import Dialect, Forward, Origin, Reply, path_of
from machinami.federation.registration import Information, Registration, compile_registration
from machinami.federation.sources import Sources
from machinami.linkage.contexts import Contexts
from machinami.linkage.leading import check_leading, leading
from machinami.linkage.rules import Rule, compile_rule
from machinami.store import queries_copy as queries
from machinami.store.engine import transaction
from machinami.store.queries_copy import Copy, Key, key_of
from machinami.store.queries_outbox import tenant_name
from machinami.store.queries_registration import (
    StoredRegistration,
    fetch_registrations,
    registrations_fingerprint,
)
from machinami.store.queries_subscription import (
    StoredSubscription,
    Watched,
    fetch_all_subscriptions,
    fetch_revision,
)
from machinami.store.reading import reading

logger = logging.getLogger(__name__)

INBOUND = "/machinami/v1/sources/notifications"
"""Where sources send notifications; behind it the id of the copy, which only they know."""

PREFIX = "urn:ngsi-ld:Subscription:distsub-"
"""What ids of copies begin with, so that a source's operator sees what they are."""

_LEADER = 0x636F7079  # "copy": one process speaks to sources of copies
_POLL = 0.25
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 600.0
_REMOVALS = 10  # attempts until a copy is left to its source: they span about half an hour
_ABSENT, _TAKEN = 404, 409


Known: TypeAlias = dict[str, tuple[StoredRegistration, Registration]]
"""Registrations of a tenant by id, as stored and compiled."""


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """What a source is to be told of one copy.

    Attributes:
        document: what it is to have; None where the copy is to go.
        registration: document of the one that says so.
    """

    copy: Copy
    forward: Forward
    document: dict[str, Any] | None
    registration: dict[str, Any]


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """A copy that should be: of which subscription, for whom, and what of it."""

    stored: StoredSubscription
    rule: Rule
    registration: StoredRegistration
    information: list[Information]

    @property
    def key(self) -> Key:
        """Of the copy."""
        return key_of(self.stored.tenant, self.stored.id, self.registration.id, self.registration.document)


class Copying:
    """Tells sources of subscriptions here.

    Args:
        sources: the way to them.
        base_url: where sources reach this city's API.
        split: whether entities are spread over several places where a subscription does not say.
    """

    def __init__(
        self, engine: Engine, contexts: Contexts, sources: Sources, *, base_url: str, split: bool = False
    ) -> None:
        self._engine = engine
        self._contexts = contexts
        self._sources = sources
        self._base_url = base_url
        self._split = split
        self._seen: tuple[object, ...] | None = None

    async def run(self) -> None:
        """Keep copies right until cancelled; while another process does, or the database is away, wait."""
        while True:
            try:
                with leading(self._engine, _LEADER) as lead:
                    while lead is not None:
                        await asyncio.to_thread(check_leading, lead)
                        await self.round()
                        await asyncio.sleep(_POLL)
            except Unavailable as error:
                logger.warning("copies of subscriptions: %s", error)
            self._seen = None
            await asyncio.sleep(4 * _POLL)

    async def round(self) -> None:
        """Look once, and tell sources what they do not know."""
        errands = await asyncio.to_thread(self._plan)
        if not errands:
            return
        replies = await self._sources.send_all([errand.forward for errand in errands])
        await asyncio.to_thread(self._settle, errands, replies)

    def _plan(self) -> list[Errand]:
        with reading(self._engine) as connection:
            seen = (fetch_revision(connection), registrations_fingerprint(connection))
            if seen == self._seen and not queries.has_due(connection):
                return []
        with transaction(self._engine) as connection:
            goals = self._goals(connection)
            known = {copy.key: copy for copy in queries.fetch_copies(connection)}
            new = [_new(goal) for key, goal in goals.items() if key not in known]
            queries.insert_copies(connection, new)
            names = {copy.tenant: tenant_name(connection, copy.tenant) for copy in [*known.values(), *new]}
        self._seen = seen
        every = [*known.values(), *new]
        found = [self._errand(copy, goals.get(copy.key), names[copy.tenant]) for copy in every if copy.is_due]
        return [errand for errand in found if errand]

    def _goals(self, connection: Connection) -> dict[Key, Goal]:
        """All copies that should be."""
        by_tenant: dict[int, Known] = {}
        for each in fetch_registrations(connection):
            by_tenant.setdefault(each.tenant, {})[each.id] = each, compile_registration(each)
        if not by_tenant:
            return {}
        return {
            goal.key: goal
            for stored in fetch_all_subscriptions(connection, Watched.ENTITIES)
            for goal in _goals_of(stored, by_tenant.get(stored.tenant, {}))
        }

    def _errand(self, copy: Copy, goal: Goal | None, tenant: str) -> Errand | None:
        try:
            return self._told(copy, goal, tenant) if goal else self._removed(copy, tenant)
        except MachinamiError as error:  # such as a @context that cannot be had now; the others go on
            logger.warning(
                "the copy of %s at %s waits: %s", copy.subscription_id, copy.registration_id, error
            )
            self._postpone(copy)
            return None

    def _told(self, copy: Copy, goal: Goal, tenant: str) -> Errand | None:
        registration = compile_registration(goal.registration)
        via = tuple(goal.stored.document.get("via", ()))
        dialect = Dialect(registration, self._origin(tenant, goal.stored.context, via))
        document = reduced(
            goal.stored,
            goal.rule,
            dialect,
            goal.information,
            endpoint=f"{self._base_url}{INBOUND}/{copy.id.removeprefix(PREFIX)}",
            split=goal.stored.document.get("splitEntities", self._split),
        )
        if registration.local_only:
            document["localOnly"] = True
        if copy.sent == document:
            return None
        if copy.sent is None:
            forward = dialect.forward("POST", path_of("subscriptions"), document={"id": copy.id, **document})
        elif UPDATE in registration.operations:
            path = path_of("subscriptions", copy.id)
            forward = dialect.forward("PATCH", path, document=difference(copy.sent, document))
        else:
            return None
        return Errand(copy=copy, forward=forward, document=document, registration=goal.registration.document)

    def _removed(self, copy: Copy, tenant: str) -> Errand | None:
        """Take a copy away, also one of which nothing is known: it may have arrived.

        Where the source cannot be told it is forgotten, and its notifications are refused.
        """
        registration = compile_registration(_as_stored(copy))
        if DELETE not in registration.operations:
            with transaction(self._engine) as connection:
                queries.delete_copy(connection, copy.id)
            return None
        dialect = Dialect(registration, self._origin(tenant, None, ()))
        forward = dialect.forward("DELETE", path_of("subscriptions", copy.id))
        return Errand(copy=copy, forward=forward, document=None, registration=copy.registration)

    def _origin(self, tenant: str, context: Any, via: tuple[str, ...]) -> Origin:
        return Origin(
            tenant=tenant,
            context=self._contexts.resolve(context),
            headers={},
            via=via,
            alias=self._sources.alias(tenant),
            resolve=self._contexts.resolve,
        )

    def _settle(self, errands: Sequence[Errand], replies: Sequence[Reply]) -> None:
        for errand, reply in zip(errands, replies, strict=True):
            if errand.document is None:
                self._settle_removal(errand, reply)
            else:
                self._settle_telling(errand, errand.document, reply)

    def _settle_telling(self, errand: Errand, document: Mapping[str, Any], reply: Reply) -> None:
        is_new = errand.copy.sent is None
        with transaction(self._engine) as connection:
            if reply.is_success or (is_new and reply.status == _TAKEN):  # an earlier attempt had arrived
                queries.write_sent(connection, errand.copy.id, document, errand.registration)
                return
            if reply.status == _ABSENT and not is_new:
                queries.write_lost(connection, errand.copy.id)
                return
        self._failed(errand, reply)

    def _settle_removal(self, errand: Errand, reply: Reply) -> None:
        if not (reply.is_success or reply.status == _ABSENT) and errand.copy.attempts < _REMOVALS:
            self._failed(errand, reply)
            return
        with transaction(self._engine) as connection:
            queries.delete_copy(connection, errand.copy.id)

    def _failed(self, errand: Errand, reply: Reply) -> None:
        if not errand.copy.attempts:
            logger.warning("the copy of %s was not taken: %s", errand.copy.subscription_id, reply.error())
        self._postpone(errand.copy)

    def _postpone(self, copy: Copy) -> None:
        pause = min(_FIRST_PAUSE * 2.0**copy.attempts, _LONGEST_PAUSE)
        with transaction(self._engine) as connection:
            queries.postpone_copy(connection, copy.id, pause)


def _goals_of(stored: StoredSubscription, known: Known) -> Iterator[Goal]:
    try:
        rule = compile_rule(stored)
        compiled = [registration for _, registration in known.values()]
        for registration, information in matching(stored, rule, compiled):
            yield Goal(
                stored=stored,
                rule=rule,
                registration=known[registration.id][0],
                information=information,
            )
    except MachinamiError as error:  # written by another version, or a pattern that takes too long
        logger.warning("subscription %s is not copied to sources: %s", stored.id, error)


def _new(goal: Goal) -> Copy:
    return Copy(
        id=PREFIX + secrets.token_urlsafe(24),
        tenant=goal.stored.tenant,
        subscription_id=goal.stored.id,
        registration_id=goal.registration.id,
        registration=goal.registration.document,
        sent=None,
        attempts=0,
        is_due=True,
    )


def _as_stored(copy: Copy) -> StoredRegistration:
    """The registration of a copy, which may be there no more."""
    now = datetime.now(UTC)
    return StoredRegistration(
        tenant=copy.tenant,
        id=copy.registration_id,
        document=copy.registration,
        status={},
        created_at=now,
        modified_at=now,
    )
