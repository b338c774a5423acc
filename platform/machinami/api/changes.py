"""Live changes for browsers: server-sent events from one LISTEN connection, however many pages look on.

Changed ids are collected for a quarter of a second, loaded once, and handed to each page that wants them. A
page that does not read is cut off when its queue is full; it comes back by itself and loads what is there.
"""

import asyncio
import itertools
import logging
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing, contextmanager

import msgspec
import orjson

from machinami.api.forms import Form
from machinami.api.metrics import LISTENERS
from machinami.errors import MachinamiError, Unavailable
from machinami.linkage import read
from machinami.linkage.read import TypeSelection
from machinami.linkage.types import has_types
from machinami.model import Entity
from machinami.store.engine import Engine
from machinami.store.entities import NOTIFY_CHANNEL
from machinami.store.listening import listen

logger = logging.getLogger(__name__)

COALESCE = 0.25
"""Seconds that changes are collected before they are sent."""

QUEUED = 32
"""Events that wait for one page at most."""

_AT_ONCE = 500  # entities loaded by one statement
_RECONNECT = 1.0


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a page wants to see.

    Attributes:
        key: the same for pages that want the same, so that it is rendered once for all.
    """

    key: tuple[str, ...]
    tenant: int
    types: TypeSelection
    form: Form

    def render(self, entities: Sequence[Entity]) -> bytes | None:
        """The entities that are wanted, as a JSON array; None if there are none."""
        wanted = [entity for entity in entities if has_types(entity.types, self.types)]
        return orjson.dumps([self.form.entity(entity) for entity in wanted]) if wanted else None


class Page:
    """One page that looks on. The queue's last item is None when it is cut off."""

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.events: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUED + 1)
        self.is_cut_off = False

    def offer(self, event: bytes) -> None:
        """Hand it an event, or cut it off if it is too slow."""
        if self.events.qsize() >= QUEUED:
            self.cut_off()
        elif not self.is_cut_off:
            self.events.put_nowait(event)

    def cut_off(self) -> None:
        """End its stream when it has read what is queued."""
        if not self.is_cut_off:
            self.is_cut_off = True
            self.events.put_nowait(None)


class Changes:
    """The hub between the database and the pages. `run` is its life."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pages: set[Page] = set()
        self._changed: dict[int, set[str]] = {}
        self._numbers = itertools.count(1)
        self.is_listening = asyncio.Event()

    @contextmanager
    def page(self, wish: Wish) -> Generator[Page]:
        """A page that looks on as long as the context lasts."""
        page = Page(wish)
        self._pages.add(page)
        try:
            with LISTENERS.track_inprogress():
                yield page
        finally:
            self._pages.discard(page)

    def close(self) -> None:
        """End every stream; to be called on the way down."""
        for page in self._pages:
            page.cut_off()

    async def run(self) -> None:
        """Listen and hand out until cancelled; a mistake of ours is logged, and it starts again."""
        while True:
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._listen(), name="changes: listen")
                    tasks.create_task(self._hand_out(), name="changes: hand out")
            except Exception:
                logger.exception("live changes failed and start again")
            self.close()
            await asyncio.sleep(_RECONNECT)

    async def _listen(self) -> None:
        """Collect changed ids; when the database goes, pages are cut off, so that they load afresh."""
        while True:
            try:
                async with aclosing(listen(self._engine, NOTIFY_CHANNEL)) as payloads:
                    await self._collect(payloads)
            except Unavailable as error:
                if self.is_listening.is_set():
                    logger.warning("%s", error)
                self.is_listening.clear()
                self.close()
            await asyncio.sleep(_RECONNECT)

    async def _collect(self, payloads: AsyncGenerator[str]) -> None:
        async for payload in payloads:
            self.is_listening.set()
            if payload and self._pages:
                notice = orjson.loads(payload)
                self._changed.setdefault(notice["tenant"], set()).update(notice["ids"])

    async def _hand_out(self) -> None:
        while True:
            await asyncio.sleep(COALESCE)
            changed, self._changed = self._changed, {}
            for tenant, ids in changed.items():
                try:
                    await self._hand_out_tenant(tenant, sorted(ids))
                except MachinamiError as error:
                    logger.warning("changes of %d entities are not shown live: %s", len(ids), error)

    async def _hand_out_tenant(self, tenant: int, ids: Sequence[str]) -> None:
        pages = [page for page in self._pages if page.wish.tenant == tenant]
        if not pages:
            return
        for start in range(0, len(ids), _AT_ONCE):
            part = ids[start : start + _AT_ONCE]
            entities = await asyncio.to_thread(read.load_entities, self._engine, tenant, part)
            events = {page.wish.key: page.wish for page in pages}
            rendered = {key: self._event(wish, entities) for key, wish in events.items()}
            for page in pages:
                if event := rendered[page.wish.key]:
                    page.offer(event)

    def _event(self, wish: Wish, entities: Sequence[Entity]) -> bytes | None:
        data = wish.render(entities)
        return b"id: %d\nevent: change\ndata: %s\n\n" % (next(self._numbers), data) if data else None
