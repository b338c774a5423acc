"""Numbers for Prometheus: each room declares its own beside its code, this module shows them all.

Counters are moved once for a batch, a request or a delivery, never for a message.
"""

import logging
from collections.abc import Generator
from contextlib import contextmanager

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest, start_http_server
from prometheus_client.registry import Collector

from machinami.errors import SetupError

logger = logging.getLogger(__name__)

CONTENT_TYPE = CONTENT_TYPE_LATEST
"""Media type of what `exposition` gives."""

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper ends of the buckets of every duration."""


def exposition() -> bytes:
    """All numbers of this process in Prometheus's text format, and its CPU time and memory."""
    return generate_latest(REGISTRY)


def expose(collector: Collector) -> None:
    """Show what somebody else counts as well."""
    REGISTRY.register(collector)


@contextmanager
def serving(host: str, port: int) -> Generator[int]:
    """Serve ``/metrics`` while the context lasts.

    Args:
        port: 0 takes a free one.

    Yields:
        The port.

    Raises:
        SetupError: somebody listens on the port.
    """
    try:
        server, thread = start_http_server(port, host)
    except OSError as error:
        raise SetupError(
            f"metrics cannot be served on {host}:{port}: {error.strerror}",
            field="--metrics-port",
            value=port,
            cure="Choose another port, or 0 for a free one",
        ) from error
    logger.info("metrics on http://%s:%d/metrics", host, server.server_port)
    try:
        yield int(server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
