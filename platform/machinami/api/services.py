"""What the endpoints work with: one of each for the process."""

from typing import TYPE_CHECKING

from anyio import CapacityLimiter

from machinami.federation.sources import Sources
from machinami.linkage.contexts import Contexts
from machinami.linkage.write import Linkage
from machinami.settings import Settings
from machinami.store.engine import Engine

if TYPE_CHECKING:
    from machinami.api.changes import Changes

POOL_SIZE = 16
"""Connections to the database, and requests that are worked on at a time."""


class Services:
    """The rooms below, opened on one database.

    Attributes:
        engine: for the read path.
        linkage: the write path.
        contexts: @contexts, offline first.
        sources: registrations of context sources, and the way to them.
        changes: live changes for browsers.
        limiter: requests worked on at a time; further ones wait, before they take a connection.
    """

    def __init__(self, settings: Settings, engine: Engine, changes: "Changes") -> None:
        self.settings = settings
        self.engine = engine
        self.linkage = Linkage(engine)
        self.contexts = Contexts(engine, settings)
        self.sources = Sources(engine, settings)
        self.changes = changes
        self.limiter = CapacityLimiter(POOL_SIZE - 1)  # the changes have one
