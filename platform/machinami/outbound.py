"""Requests to addresses that users name: public ones only, unless a setting allows others."""

import asyncio
import ipaddress
import socket

import httpx


class PublicOnly(httpx.AsyncBaseTransport):
    """Sends requests to public addresses only.

    A name is resolved here and its address connected to, so that it cannot lead elsewhere between the
    check and the connection.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request.

        Raises:
            httpx.ConnectError: its host has no public address.
        """
        host = request.url.host
        address = await public_address(host, request.url.port or 0)
        request.url = request.url.copy_with(host=address)
        request.extensions = {**request.extensions, "sni_hostname": host}
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


def open_client(*, private: bool, connections: int = 100) -> httpx.AsyncClient:
    """A client for requests to others. It follows no redirect, and asks no proxy, which knows no intranet.

    Args:
        private: whether loopback and private networks may be reached.
    """
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    transport: httpx.AsyncBaseTransport = httpx.AsyncHTTPTransport(limits=limits, trust_env=False)
    return httpx.AsyncClient(transport=transport if private else PublicOnly(transport), trust_env=False)


async def public_address(host: str, port: int) -> str:
    """The first public address of a host.

    Raises:
        httpx.ConnectError: it has none.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpx.ConnectError(f"{host} is not known: {error}") from error
    for entry in found:
        if ipaddress.ip_address(entry[4][0]).is_global:
            return str(entry[4][0])
    raise httpx.ConnectError(f"{host} is no public address, and source_private allows no other")
