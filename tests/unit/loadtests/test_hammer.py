"""The sender of HTTP requests counts what came back and takes nothing but success for it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from machinami.errors import Unavailable
from machinami_loadtests.http.hammer import Tally, encode, hammer


@pytest.fixture
async def server() -> AsyncIterator[str]:
    """Answers with the path's last part as the status; ``cut`` breaks off. A body is read and left."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                length = next(
                    (line for line in head.split("\r\n") if line.startswith("Content-Length")), ": 0"
                )
                await reader.readexactly(int(length.partition(": ")[2]))
                status = head.split(" ")[1].rpartition("/")[2]
                if status == "cut":
                    break
                body = b"" if status == "204" else b"x" * 5
                length = "" if status == "204" else f"content-length: {len(body)}\r\n"
                writer.write(f"HTTP/1.1 {status} OK\r\n{length}\r\n".encode() + body)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


async def test_every_request_is_answered_and_timed(server: str) -> None:
    requests = [encode("GET", f"{server}/200"), encode("PATCH", f"{server}/204", b'{"a": 1}')] * 50
    tally = await hammer(server, requests, 4)
    assert (tally.requests, len(tally.milliseconds)) == (100, 100)
    assert tally.percentile(0) <= tally.percentile(50) <= tally.percentile(99)


@pytest.mark.parametrize(("path", "message"), [("404", "answered 404: xxxxx"), ("cut", "broke off")])
async def test_failures_are_raised(server: str, path: str, message: str) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await hammer(server, [encode("GET", f"{server}/{path}")], 1)
    assert isinstance(caught.value.exceptions[0], Unavailable)
    assert message in str(caught.value.exceptions[0])


def test_answers_a_second() -> None:
    assert Tally(requests=10, seconds=2, milliseconds=[1.0]).per_second == 5


def test_a_query_stays_in_the_target() -> None:
    assert encode("GET", "http://a:1/b?c=d").startswith(b"GET /b?c=d HTTP/1.1\r\nHost: a:1\r\n")
