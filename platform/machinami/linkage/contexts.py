"""@contexts, offline first: pinned in a folder, stored in the database, fetched only if neither has them.

The Core @context is built in and never fetched, whatever its version. What was fetched once stays stored.
"""

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast
from uuid import NAMESPACE_URL, uuid4, uuid5

import httpx
import orjson
from sqlalchemy import Engine

from machinami.errors import BadRequestData, ContextUnavailable, NotFound
from machinami.ngsild.context import CORE, Context, Source, build_context, is_core
from machinami.settings import Settings
from machinami.store import queries_context
from machinami.store.engine import transaction
from machinami.store.queries_context import ContextKind, StoredContext
from machinami.store.reading import reading

__all__ = ["ContextKind", "Contexts", "StoredContext", "fetch_document"]

INDEX_FILE = "url-map.json"
"""In a context folder: JSON object of address → file name."""

OWN_PATH = "/ngsi-ld/v1/jsonldContexts/"
"""Where this server serves the stored ones."""

_MAX_BYTES = 2 * 2**20
_MAX_REDIRECTS = 3
_KEPT = 256
_FORGIVEN_AFTER = 60.0  # seconds until an address that failed is asked again

Fetch = Callable[[str, float], dict[str, Any]]


class Contexts:
    """Turns what a request says of its @context into a `Context`, and keeps the stored ones.

    Args:
        settings: context_folders, context_fetch and context_timeout.
        fetch: gives the document behind an address; the network by default.
    """

    def __init__(self, engine: Engine, settings: Settings, fetch: Fetch | None = None) -> None:
        self._engine = engine
        self._settings = settings
        self._fetch = fetch or fetch_document
        self._pinned = dict(_pinned(settings.context_folders))
        self._built: dict[bytes, Context] = {}
        self._failed: dict[str, float] = {}
        self._linked: set[str] = set()

    def resolve(self, source: Source | None) -> Context:
        """The @context for a URL, an object, a list of both, or None for the core.

        Raises:
            ContextUnavailable: an address is unknown here and could not be fetched.
            BadRequestData: it is not a @context.
        """
        if source is None:
            return CORE
        key = _key(source)
        built = self._built.get(key)
        if built is None:
            built = build_context(source, self.load)
            self._remember(key, built)
        return built

    def load(self, url: str) -> dict[str, Any]:
        """The document behind an address: pinned, stored, or fetched and stored.

        Raises:
            ContextUnavailable: none of it has it.
        """
        if url in self._pinned:
            return _read(self._pinned[url])
        with reading(self._engine) as connection:
            own = url.rpartition(OWN_PATH)[
                2
            ]  # one that this server serves is not asked of it over the network
            stored = queries_context.fetch_context(connection, own)
        return stored.document if stored else self._fetched(url)

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
        build_context(source, self.load)
        identifier = f"urn:ngsi-ld:Context:{uuid4()}"
        with transaction(self._engine) as connection:
            queries_context.store_context(connection, identifier, {"@context": source}, ContextKind.HOSTED)
        return identifier

    def list(self, kind: ContextKind | None = None) -> list[StoredContext]:
        """List @contexts, clause 5.13.3."""
        with reading(self._engine) as connection:
            return queries_context.fetch_contexts(connection, kind)

    def serve(self, url: str) -> StoredContext:
        """Serve @context, clause 5.13.4.

        Raises:
            NotFound: it is not stored here.
        """
        with reading(self._engine) as connection:
            stored = queries_context.fetch_context(connection, url)
        if stored is None:
            raise _unknown(url)
        return stored

    def delete(self, url: str) -> None:
        """Delete @context, clause 5.13.5.

        Raises:
            NotFound: it is not stored here.
        """
        with transaction(self._engine) as connection:
            if not queries_context.delete_context(connection, url):
                raise _unknown(url)
        self._built.clear()
        self._linked.discard(url)

    def reload(self, url: str) -> None:
        """Delete and Reload @context, clause 5.13.5.4: fetch it again and replace it.

        Raises:
            NotFound: it is not stored here.
            BadRequestData: it was not fetched, so it cannot be fetched again.
            ContextUnavailable: it cannot be fetched now; the stored one stays.
        """
        if self.serve(url).kind is not ContextKind.CACHED:
            raise BadRequestData("only a cached @context can be reloaded", field="reload", value=url)
        self._fetched(url)
        self._built.clear()

    def _fetched(self, url: str) -> dict[str, Any]:
        self._check_fetchable(url)
        try:
            document = self._fetch(url, self._settings.context_timeout)
        except ContextUnavailable:
            self._failed[url] = time.monotonic()
            raise
        with transaction(self._engine) as connection:
            queries_context.store_context(connection, url, document, ContextKind.CACHED)
        return document

    def _check_fetchable(self, url: str) -> None:
        if is_core(url):
            raise _unavailable(url, "is a Core @context, which is built in and never fetched")
        if not url.startswith(("http://", "https://")):
            raise _unavailable(url, "is not stored here and is no http(s) address")
        if not self._settings.context_fetch:
            raise _unavailable(url, "is not stored here, and fetching is switched off")
        if time.monotonic() - self._failed.get(url, -_FORGIVEN_AFTER) < _FORGIVEN_AFTER:
            raise _unavailable(url, "could not be fetched a moment ago")

    def _remember(self, key: bytes, built: Context) -> None:
        if len(self._built) >= _KEPT:
            self._built.pop(next(iter(self._built)))
        self._built[key] = built


def fetch_document(url: str, timeout: float) -> dict[str, Any]:
    """The JSON object behind an address, at most 2 MiB and three redirects away.

    Args:
        timeout: seconds for each step of the connection.

    Raises:
        ContextUnavailable: it cannot be had or is no JSON object.
    """
    try:
        with (
            httpx.Client(timeout=timeout, follow_redirects=True, max_redirects=_MAX_REDIRECTS) as client,
            client.stream(
                "GET", url, headers={"Accept": "application/ld+json, application/json"}
            ) as response,
        ):
            response.raise_for_status()
            document = orjson.loads(_bounded(url, response.iter_bytes()))
    except (httpx.HTTPError, httpx.InvalidURL, json.JSONDecodeError) as error:
        raise _unavailable(url, f"could not be fetched: {error or type(error).__name__}") from error
    if not isinstance(document, dict):
        raise _unavailable(url, "is not a JSON object")
    return cast("dict[str, Any]", document)


def _bounded(url: str, chunks: Iterable[bytes]) -> bytes:
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > _MAX_BYTES:
            raise _unavailable(url, f"is larger than {_MAX_BYTES} bytes")
    return bytes(content)


def _pinned(folders: Iterable[Path]) -> Iterable[tuple[str, Path]]:
    for folder in folders:
        for url, name in orjson.loads((folder / INDEX_FILE).read_bytes()).items():
            yield url, folder / name


def _read(path: Path) -> dict[str, Any]:
    return orjson.loads(path.read_bytes())


def _key(source: Source) -> bytes:
    return source.encode() if isinstance(source, str) else orjson.dumps(source, option=orjson.OPT_SORT_KEYS)


def _unavailable(url: str, why: str) -> ContextUnavailable:
    return ContextUnavailable(
        f"the @context {url} {why}",
        field="@context",
        value=url,
        cure="Put it into a folder of MACHINAMI_CONTEXT_FOLDERS, or POST it to /ngsi-ld/v1/jsonldContexts",
    )


def _unknown(url: str) -> NotFound:
    return NotFound(f"no @context {url} is stored here", field="contextId", value=url)
