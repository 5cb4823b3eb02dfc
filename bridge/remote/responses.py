"""The head and the body of an HTTP response, and what they mean."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator

import h11

from bridge.protocol import mcp
from bridge.remote.http1 import HttpConnection
from bridge.remote.reuse import NEVER_WITH_A_BODY
from bridge.session.faults import server_words

MAX_PAGE_BYTES = 64 * 1024
"""How many bytes are read of a body that is not for the host: an error page, a redirect's body."""

_COMPRESSED = frozenset((b"gzip", b"x-gzip", b"deflate"))
_REFUSAL_SECONDS = 5.0
_REDIRECT_SECONDS = 1.0


class Head:
    """The head of a response, with its headers by lower-case name; h11 would search all of them each time."""

    __slots__ = ("_first", "_headers", "status")

    def __init__(self, response: h11.Response) -> None:
        self.status = response.status_code
        self._headers: list[tuple[bytes, bytes]] = list(response.headers)
        self._first = dict(reversed(self._headers))

    def first(self, name: bytes) -> bytes | None:
        """The value of the first header with this name; None without one."""
        return self._first.get(name)

    def every(self, name: bytes) -> list[bytes]:
        """The values of all headers with this name."""
        return [value for key, value in self._headers if key == name] if name in self._first else []

    @property
    def is_stream(self) -> bool:
        """Whether the body is a stream of server-sent events."""
        content_type = (self.first(b"content-type") or b"").partition(b";")[0].strip().lower()
        return 200 <= self.status < 300 and content_type == mcp.EVENT_STREAM

    @property
    def length(self) -> int:
        """The length of the body in bytes; 0 where the head gives none, or it does not count (RFC 9112, 6.3)."""
        if self.status in NEVER_WITH_A_BODY or self.first(b"transfer-encoding"):
            return 0
        return int(self.first(b"content-length") or 0)


def decoded(head: Head, connection: HttpConnection) -> AsyncIterator[bytes]:
    """The decompressed body. Raises as `HttpConnection.body`, and `zlib.error`."""
    coding = (head.first(b"content-encoding") or b"").strip().lower()
    if coding not in _COMPRESSED:
        return connection.body()
    from bridge.remote.decoding import decompressed  # The bridge asks for no compression.

    return decompressed(connection.body(), coding)


async def said_by(head: Head, connection: HttpConnection) -> str:
    """The text of a refusal's body, as far as it arrives in time; the head alone is enough to go on."""
    body = bytearray()
    with contextlib.suppress(OSError, h11.ProtocolError, zlib.error):
        async with asyncio.timeout(_REFUSAL_SECONDS):
            async for chunk in decoded(head, connection):
                body += chunk
                if len(body) > MAX_PAGE_BYTES:
                    break
    return server_words(bytes(body[:MAX_PAGE_BYTES]))


async def skip(connection: HttpConnection) -> None:
    """Read the body of a redirect, so that the connection can be used again.

    A body that is long or slow is not read to its end; the connection is closed then.
    """
    size = 0
    with contextlib.suppress(OSError, h11.ProtocolError):
        async with asyncio.timeout(_REDIRECT_SECONDS):
            async for chunk in connection.body():
                size += len(chunk)
                if size > MAX_PAGE_BYTES:
                    return


def retry_after(value: bytes | None, now: float) -> float | None:
    """The seconds of a `Retry-After` (RFC 9110, 10.2.3); None without one, or if it is not valid."""
    if value is None:
        return None
    text = value.decode("latin-1").strip()
    if text.isdecimal():
        return float(text[:9])
    from email.utils import parsedate_to_datetime  # Slow to import, and dates are rare here.

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None
