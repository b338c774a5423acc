"""/metrics on the API's port: requests by endpoint, method and status; pages that look on."""

import httpx
import pytest
from machinami.api.changes import Changes, Wish
from machinami.api.forms import Form
from machinami.ngsild.context import CORE
from machinami.ngsild.render import Representation
from prometheus_client import REGISTRY
from sqlalchemy import Engine


def requests(endpoint: str, status: str, method: str = "GET") -> float:
    labels = {"method": method, "endpoint": f"/ngsi-ld/v1/{endpoint}", "status": status}
    return REGISTRY.get_sample_value("machinami_api_requests_total", labels) or 0.0


@pytest.mark.parametrize(
    ("path", "endpoint", "status"),
    [
        ("/types", "types", "200"),
        ("/entities/urn:a:b", "entities/{entityId}", "404"),
        ("/entities?nonsense=1", "entities", "400"),
    ],
)
def test_a_request_is_counted_under_its_endpoint(client: httpx.Client, path: str, endpoint: str, status: str):
    before = requests(endpoint, status)
    assert str(client.get(path).status_code) == status
    assert requests(endpoint, status) == before + 1


def test_the_api_serves_its_numbers(client: httpx.Client, server: str):
    client.get("/types")
    answer = httpx.get(f"{server}/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert 'machinami_api_request_seconds_bucket{le="+Inf",method="GET"}' in answer.text


def test_pages_that_look_on_are_counted(engine: Engine):
    wish = Wish(
        key=(),
        tenant=1,
        types=(),
        form=Form(context=CORE, representation=Representation.CONCISE, attributes=None),
    )
    before = REGISTRY.get_sample_value("machinami_api_listeners")
    assert before is not None
    with Changes(engine).page(wish):
        assert REGISTRY.get_sample_value("machinami_api_listeners") == before + 1
    assert REGISTRY.get_sample_value("machinami_api_listeners") == before
