"""Requests to addresses that users name."""

import asyncio

import httpx
import pytest
from machinami.outbound import open_client, public_address


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254", "::1", "192.168.1.1"]
)
def test_private_addresses_are_refused(host: str) -> None:
    async def ask() -> None:
        async with open_client(private=False) as client:
            await client.get(httpx.URL(scheme="http", host=host, port=9))

    with pytest.raises(httpx.ConnectError, match="no public address"):
        asyncio.run(ask())


def test_public_ones_are_not() -> None:
    assert asyncio.run(public_address("8.8.8.8", 443)) == "8.8.8.8"


def test_a_name_that_is_not_known_is_said() -> None:
    with pytest.raises(httpx.ConnectError, match="is not known"):
        asyncio.run(public_address("nobody.invalid", 80))


def test_private_ones_may_be_allowed() -> None:
    async def ask() -> None:
        async with open_client(private=True) as client:
            await client.get("http://127.0.0.1:9")

    with pytest.raises(httpx.ConnectError, match="onnect"):
        asyncio.run(ask())
