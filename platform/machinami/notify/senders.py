"""The ways out, by the scheme of an endpoint's address."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias
from urllib.parse import urlsplit

import httpx
import orjson

from machinami.notify.message import Post
from machinami.notify.mqtt import MqttSender

Send: TypeAlias = Callable[[Post, float], Awaitable[str]]
"""Sends a notification within so many seconds; what went wrong, or an empty text."""


class HttpSender:
    """Posts notifications (clause 6.3.8)."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def send(self, post: Post, timeout: float) -> str:
        """Send one; what went wrong, or an empty text. An answer outside 2xx is a failure."""
        try:
            response = await self._client.post(
                post.url, content=orjson.dumps(post.body), headers=post.headers, timeout=timeout
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return f"{type(error).__name__}: {error}"
        return "" if response.is_success else f"HTTP {response.status_code}"


class Senders:
    """All ways out; what is sent goes the way of its address."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._mqtt = MqttSender()
        http = HttpSender(client)
        self._ways: Mapping[str, Send] = {
            "http": http.send,
            "https": http.send,
            "mqtt": self._mqtt.send,
            "mqtts": self._mqtt.send,
        }

    async def send(self, post: Post, timeout: float) -> str:
        """Send one; what went wrong, or an empty text."""
        return await self._ways[urlsplit(post.url).scheme](post, timeout)

    async def close(self) -> None:
        """Close what is kept open; the HTTP client is its owner's."""
        await self._mqtt.close()
