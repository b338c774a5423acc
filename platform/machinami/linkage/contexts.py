"""@contexts, offline first: pinned in a folder, stored in the database, fetched only if neither has them.

The Core @context is built in and never fetched, whatever its version. What was fetched once stays stored.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

import msgspec
import orjson
from sqlalchemy import Engine

from machinami.errors import BadRequestData, MachinamiError, NotFound
from machinami.linkage.fetching import fetch_document, invalid, unavailable
from machinami.linkage.pinned import read_document, read_pinned
from machinami.ngsild.context import CORE, Context, Source, build_context, is_core
from machinami.ngsild.core_terms import CORE_DOCUMENT
from machinami.settings import Settings
from machinami.store import queries_context
from machinami.store.engine import transaction
from machinami.store.queries_context import ContextKind, StoredContext
from machinami.store.reading import reading

__all__ = ["ContextKind", "Contexts", "StoredContext", "Usage"]

OWN_PATH = "/ngsi-ld/v1/jsonldContexts/"
"""Where this server serves the stored ones."""

_KEPT = 256
_FRESH = 60.0  # seconds until a @context is built again: another process may have changed it
_FORGIVEN_AFTER = 60.0  # seconds until an address that failed is asked again

Fetch = Callable[[str, float], dict[str, Any]]


class Usage(msgspec.Struct):
    """How often this process found a @context, and when last."""

    since: datetime
    last: datetime | None = None
    hits: int = 0


class Contexts:
    """Turns what a request says of its @context into a `Context`, and keeps the stored ones.

    Args:
        settings: what begins with ``context_``.
        fetch: gives the document behind an address; the network by default.

    Raises:
        SetupError: a context folder is broken; see `machinami.linkage.pinned`.
    """

    def __init__(self, engine: Engine, settings: Settings, fetch: Fetch | None = None) -> None:
        self._engine = engine
        self._settings = settings
        self._fetch = fetch or partial(fetch_document, private=settings.context_private_addresses)
        self._pinned = read_pinned(settings.context_folders)
        self._built: dict[bytes, tuple[Context, float]] = {}
        self._used: dict[str, Usage] = {}
        self._failed: dict[str, tuple[float, MachinamiError]] = {}
        self._linked: set[str] = set()

    def resolve(self, source: Source | None) -> Context:
        """The @context for a URL, an object, a list of both, or None for the core.

        Raises:
            ContextUnavailable: an address is unknown here and could not be fetched.
            BadRequestData: it is not a @context.
        """
        if source is None:
            return CORE
        built = self.build(source)
        for url in _addresses(source):
            self.count(url)
        return built

    def build(self, source: Source) -> Context:
        """The @context for what will be used later, as `resolve` gives it: no use is counted."""
        key = _key(source)
        built, until = self._built.get(key, (None, 0.0))
        if built is None or time.monotonic() > until:
            built = build_context(source, self.load)
            self._remember(key, built)
        return built

    def load(self, url: str) -> dict[str, Any]:
        """The document behind an address: pinned, stored, or fetched and stored.

        Raises:
            ContextUnavailable: none of it has it.
            BadRequestData: what was fetched is not a @context (clause 5.5.6).
        """
        self._usage(url)
        if url in self._pinned:
            return read_document(self._pinned[url])
        with reading(self._engine) as connection:
            stored = queries_context.fetch_context(connection, _local(url))
        return stored.document if stored else self._fetched(url)

    def usage(self, url: str) -> Usage:
        """How often a stored @context was found until now."""
        return msgspec.structs.replace(self._usage(url))

    def count(self, url: str) -> None:
        """One more use of a @context."""
        known = self._usage(url)
        known.hits += 1
        known.last = datetime.now(UTC)

    def linkable(self, context: Context) -> str:
        """An address for a Link header; a @context out of a body is stored to have one (clause 5.13.1)."""
        source = context.source
        if isinstance(source, list) and len(source) == 1:
            source = source[0]
        if isinstance(source, str):
            return source
        identifier = f"urn:ngsi-ld:Context:{uuid5(NAMESPACE_URL, _key(context.source).decode())}"
        if identifier not in self._linked:
            document, kind = {"@context": context.source}, ContextKind.IMPLICITLY_CREATED
            with transaction(self._engine) as connection:
                queries_context.store_context(connection, identifier, document, kind)
            self._linked.add(identifier)
        return identifier

    def add(self, source: Source) -> str:
        """Add @context, clause 5.13.2. Returns its identifier.

        Raises:
            BadRequestData: it is not a @context.
        """
        build_context(source, _unread)  # what is wrong in itself is said before anything is fetched
        build_context(source, self.load)
        identifier = f"urn:ngsi-ld:Context:{uuid4()}"
        with transaction(self._engine) as connection:
            queries_context.store_context(connection, identifier, {"@context": source}, ContextKind.HOSTED)
        return identifier

    def pin(self, url: str, document: dict[str, Any]) -> None:
        """Keep a document for an address, which is never fetched then.

        Raises:
            BadRequestData: it is not a @context, or the address is the Core's.
        """
        if is_core(url):
            raise _core(url)
        _check(url, document)
        with transaction(self._engine) as connection:
            queries_context.store_context(connection, url, document, ContextKind.HOSTED)
        self._built.clear()

    def list(self, kind: ContextKind | None = None) -> list[StoredContext]:
        """List @contexts, clause 5.13.3: those stored, and those built in or pinned that were used."""
        with reading(self._engine) as connection:
            stored = queries_context.fetch_contexts(connection, kind)
        known = {each.url for each in stored}
        used = [self._built_in(url) for url in self._used if url not in known]
        return stored + [each for each in used if each and kind in (None, each.kind)]

    def serve(self, url: str) -> StoredContext:
        """Serve @context, clause 5.13.4.

        Raises:
            NotFound: it is not stored here.
        """
        if stored := self._find(url):
            return stored
        raise NotFound(f"no @context {url} is stored here", field="contextId", value=url)

    def delete(self, url: str) -> None:
        """Delete @context, clause 5.13.5; a pinned one comes back when it is used.

        Raises:
            NotFound: it is not stored here.
            BadRequestData: it is the Core, which is part of every @context (clause 4.4).
        """
        stored = self.serve(url)
        if is_core(url):
            raise _core(url)
        with transaction(self._engine) as connection:
            queries_context.delete_context(connection, stored.url)
        self._forget(stored.url)

    def reload(self, url: str) -> None:
        """Delete and Reload @context, clause 5.13.5.4: fetch it again and replace it.

        Raises:
            BadRequestData: it was not fetched, so it cannot be fetched again; an unknown one was not either;
                or what is there now is not a @context: the stored one stays.
            ContextUnavailable: it cannot be fetched now; the stored one stays.
        """
        stored = self._find(url)
        if stored is None or stored.kind is not ContextKind.CACHED:
            raise BadRequestData(
                f"{url} is no cached @context, which alone can be reloaded",
                field="reload",
                value=url,
                cure="GET /jsonldContexts?kind=Cached lists those",
            )
        if not self._built_in(url):
            self._failed.pop(url, None)
            try:
                self._fetched(url)
            finally:
                self._failed.pop(url, None)  # what is stored stays; nobody else has to wait for it
        self._forget(url)

    def _find(self, url: str) -> StoredContext | None:
        if built_in := self._built_in(url):
            return built_in
        with reading(self._engine) as connection:
            return queries_context.fetch_context(connection, _local(url))

    def _built_in(self, url: str) -> StoredContext | None:
        """A Core @context or a pinned one: copies that are never served (kind Cached)."""
        if not (is_core(url) or url in self._pinned):
            return None
        document = CORE_DOCUMENT if is_core(url) else read_document(self._pinned[url])
        since = self._usage(url).since
        return StoredContext(url=url, document=document, kind=ContextKind.CACHED, created_at=since)

    def _fetched(self, url: str) -> dict[str, Any]:
        self._check_fetchable(url)
        try:
            document = self._fetch(url, self._settings.context_timeout)
            _check(url, document)
        except MachinamiError as error:
            self._failed[url] = time.monotonic(), error
            raise
        with transaction(self._engine) as connection:
            queries_context.store_context(connection, url, document, ContextKind.CACHED)
        return document

    def _check_fetchable(self, url: str) -> None:
        if is_core(url):
            raise unavailable(url, "is a Core @context, which is built in and never fetched")
        if not url.startswith(("http://", "https://")):
            raise unavailable(url, "is not stored here and is no http(s) address")
        if not self._settings.context_fetch:
            raise unavailable(url, "is not stored here, and fetching is switched off")
        failed_at, error = self._failed.get(url, (-_FORGIVEN_AFTER, None))
        if error and time.monotonic() - failed_at < _FORGIVEN_AFTER:
            raise error.with_traceback(None)  # as it was a moment ago

    def _remember(self, key: bytes, built: Context) -> None:
        if len(self._built) >= _KEPT:
            self._built.pop(next(iter(self._built)))
        self._built[key] = built, time.monotonic() + _FRESH

    def _forget(self, url: str) -> None:
        self._built.clear()
        self._linked.discard(url)
        self._used.pop(url, None)

    def _usage(self, url: str) -> Usage:
        return self._used.setdefault(_local(url), Usage(since=datetime.now(UTC)))


def _check(url: str, document: dict[str, Any]) -> None:
    """A document must be a @context by itself, whatever those that it names are."""
    if "@context" not in document:
        raise invalid(url, "has no member @context")
    try:
        build_context(document["@context"], _unread)
    except BadRequestData as error:
        raise invalid(url, f"is not a @context: {error.detail}") from error


def _unread(_: str) -> dict[str, Any]:
    """In place of what is behind an address."""
    return {"@context": {}}


def _local(url: str) -> str:
    """The identifier here of a @context that this server serves; any other address as it is."""
    return url.rpartition(OWN_PATH)[2]


def _addresses(source: Source) -> list[str]:
    """The addresses that a @context names itself."""
    entries: list[Any] = source if isinstance(source, list) else [source]
    return [entry for entry in entries if isinstance(entry, str)]


def _key(source: Source) -> bytes:
    return source.encode() if isinstance(source, str) else orjson.dumps(source, option=orjson.OPT_SORT_KEYS)


def _core(url: str) -> BadRequestData:
    return BadRequestData(
        "the Core @context is built in",
        field="contextId",
        value=url,
        cure="Leave it as it is: it is part of every @context (clause 4.4)",
    )
