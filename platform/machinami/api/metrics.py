"""What the API tells Prometheus, and where it is read: ``/metrics`` on the API's own port."""

import time

from anyio import to_thread
from prometheus_client import Counter, Gauge, Histogram
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from machinami.api.endpoint import Endpoint, Handler
from machinami.metrics import CONTENT_TYPE, SECONDS, exposition

PATH = "/metrics"

REQUESTS = Counter(
    "machinami_api_requests", "Requests answered, the city's pages left out", ["method", "endpoint", "status"]
)
DURATION = Histogram(
    "machinami_api_request_seconds", "From a request's head to its answer", ["method"], buckets=SECONDS
)
LISTENERS = Gauge("machinami_api_listeners", "Pages that look on at /machinami/v1/changes")


def metered(endpoint: Endpoint, handle: Handler) -> Handler:
    """A handler that counts its answers."""
    duration, path = DURATION.labels(endpoint.method), endpoint.path.replace(":path}", "}")

    async def count(request: Request) -> Response:
        began, status = time.perf_counter(), 500
        try:
            response = await handle(request)
            status = response.status_code
        except HTTPException as error:
            status = error.status_code
            raise
        finally:
            duration.observe(time.perf_counter() - began)
            REQUESTS.labels(endpoint.method, path, str(status)).inc()
        return response

    return count


async def metrics(_: Request) -> Response:
    """Numbers of this process in Prometheus's text format; also the city's, where one runs."""
    return Response(await to_thread.run_sync(exposition), media_type=CONTENT_TYPE)
