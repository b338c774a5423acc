"""@contexts from the network: bounded, and never from inside."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

import pytest
from machinami.errors import BadRequestData, ContextUnavailable
from machinami.linkage.fetching import fetch_document, is_public

TERMS = {"@context": {"level": "https://example.org/level"}}
Answers: TypeAlias = dict[str, tuple[int, dict[str, str], bytes]]


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, Answers]]:
    """A web server and what it says at each path."""
    answers: Answers = {"/": (200, {}, json.dumps(TERMS).encode())}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answers.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="elsewhere")
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", answers
        server.shutdown()
        thread.join()


def test_redirects_size_and_shape(elsewhere: tuple[str, Answers]) -> None:
    base, answers = elsewhere
    answers["/a"] = 302, {"Location": "/"}, b""
    answers["/round"] = 302, {"Location": "/round"}, b""
    answers["/file"] = 302, {"Location": "file:///etc/passwd"}, b""
    answers["/large"] = 200, {}, b'{"@context": "' + b"x" * 3 * 2**20 + b'"}'
    answers["/list"] = 200, {}, b"[]"
    answers["/text"] = 200, {}, b"once upon a time"
    assert fetch_document(f"{base}/a", 5, private=True) == TERMS
    for path in ("/round", "/file", "/large", "/none"):
        with pytest.raises(ContextUnavailable):
            fetch_document(base + path, 5, private=True)
    for path in ("/list", "/text"):
        with pytest.raises(BadRequestData):
            fetch_document(base + path, 5, private=True)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/x", "http://a b/", "ftp://x/", "http://", "http://[::1", "x"]
)
def test_what_cannot_be_had(url: str) -> None:
    with pytest.raises(ContextUnavailable):
        fetch_document(url, 1, private=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0", "2130706433"])
def test_the_own_network_is_not_asked(elsewhere: tuple[str, Answers], host: str) -> None:
    """However the address is written; also when a redirect leads there."""
    with pytest.raises(ContextUnavailable, match="MACHINAMI_CONTEXT_PRIVATE_ADDRESSES"):
        fetch_document(f"http://{host}:{elsewhere[0].rpartition(':')[2]}/", 5)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1", True),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("fe80::1%eth0", False),
        ("::ffff:10.0.0.1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_what_is_public(address: str, public: bool) -> None:
    assert is_public(address) is public
