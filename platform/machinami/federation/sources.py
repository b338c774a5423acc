"""All registrations in memory, and the way to their sources: one of each for the process."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256

from msgspec.structs import replace
from sqlalchemy import Engine

from machinami.errors import TenantNotFound, Unavailable
from machinami.federation.client import SourceClient
from machinami.federation.exchange import Forward, Reply
from machinami.federation.reading import MAX_PAGES, PAGE
from machinami.federation.registration import Registration, compile_registration
from machinami.linkage.read import tenant_of
from machinami.model import DEFAULT_TENANT
from machinami.outbound import open_client
from machinami.settings import Settings
from machinami.store import queries_registration as queries
from machinami.store.engine import transaction
from machinami.store.queries_registration import Identity
from machinami.store.reading import reading

logger = logging.getLogger(__name__)

_POLL = 1.0


class Sources:
    """Registrations of all tenants; an operation that none of them concerns costs one look into a dict.

    Another process's change is seen within a second, this one's own at once (`reload`).
    """

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings
        self._known = (-1, -1)
        self._by_tenant: dict[int, tuple[Registration, ...]] = {}
        self._client: SourceClient | None = None
        self._identity: Identity | None = None

    @property
    def identity(self) -> Identity:
        """Who this broker is."""
        if self._identity is None:
            with reading(self._engine) as connection:
                self._identity = queries.fetch_identity(connection)
        return self._identity

    def alias(self, tenant: str) -> str:
        """Pseudonym of a tenant of this broker, for Via (clause 5.2.40)."""
        name = self.identity.alias
        return name if tenant == DEFAULT_TENANT else f"{name}-{sha256(tenant.encode()).hexdigest()[:12]}"

    @property
    def is_empty(self) -> bool:
        """Whether there are no registrations at all."""
        return not self._by_tenant

    def registrations(
        self, tenant: str, via: Sequence[str] = (), *, past: bool = False
    ) -> list[Registration]:
        """Registrations of a tenant that tell the latest, but none of a source on a request's way.

        Args:
            past: those that tell of the past only, too.
        """
        if self.is_empty:
            return []
        try:
            number = tenant_of(self._engine, tenant)
        except TenantNotFound:  # whoever writes to it first makes it, and it has no registrations yet
            return []
        now = datetime.now(UTC)
        return [
            each
            for each in self._by_tenant.get(number, ())
            if (past or not each.intervals)
            and each.alias not in via
            and (each.expires_at is None or each.expires_at > now)
        ]

    def reload(self) -> None:
        """Read registrations again if one has changed."""
        with reading(self._engine) as connection:
            current = queries.registrations_fingerprint(connection)
            if current == self._known:
                return
            by_tenant: dict[int, list[Registration]] = {}
            for stored in queries.fetch_registrations(connection):
                by_tenant.setdefault(stored.tenant, []).append(compile_registration(stored))
        self._by_tenant = {tenant: tuple(each) for tenant, each in by_tenant.items()}
        self._known = current

    async def send_all(self, forwards: Sequence[Forward]) -> list[Reply]:
        """Send requests side by side; an answer for each, in their order."""
        return await self._opened.send_all(forwards)

    async def read_all(self, forwards: Sequence[Forward]) -> list[list[Reply]]:
        """Send requests for entities side by side; all pages of each."""
        return list(await asyncio.gather(*(self._read_pages(forward) for forward in forwards)))

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[None]:
        """Follow the registrations, and let requests go out, as long as the context lasts."""
        async with open_client(private=self._settings.source_private) as client:
            self._client = SourceClient(client, self._settings.source_timeout)
            await self._refresh()
            task = asyncio.create_task(self._follow(), name="sources")
            try:
                yield
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
                await self._refresh()

    @property
    def _opened(self) -> SourceClient:
        if self._client is None:
            raise Unavailable("requests to sources cannot go out yet", cure="Try again")
        return self._client

    async def _read_pages(self, forward: Forward) -> list[Reply]:
        replies = await self._opened.send_all([forward])
        while len(replies) < MAX_PAGES and 'rel="next"' in replies[-1].headers.get("link", ""):
            offset = (("offset", str(PAGE * len(replies))),)
            replies += await self._opened.send_all([replace(forward, parameters=forward.parameters + offset)])
        return replies

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(_POLL)
            await self._refresh()

    async def _refresh(self) -> None:
        try:
            await asyncio.to_thread(self._write_activity)
            await asyncio.to_thread(self.reload)
        except Unavailable as error:
            logger.warning("registrations are not followed now: %s", error)

    def _write_activity(self) -> None:
        activity = self._opened.take_activity()
        if not activity:
            return
        with transaction(self._engine) as connection:
            for (tenant, identifier), each in sorted(activity.items()):
                queries.write_registration_status(
                    connection, tenant, identifier, counters=each.counters, members=each.members
                )
