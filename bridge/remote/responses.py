"""What is read off an HTTP response: its body, its headers, and what they mean."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator

import h11

from bridge.protocol import mcp
from bridge.remote.decoding import decompressed, is_compressed
from bridge.remote.http1 import HttpConnection
from bridge.session.faults import server_message

MAX_PAGE_BYTES = 64 * 1024
"""As much as is read of a response that is not for the host: an error page, a redirect's body."""

_REFUSAL_SECONDS = 5.0
_REDIRECT_SECONDS = 1.0


def decoded(response: h11.Response, connection: HttpConnection) -> AsyncIterator[bytes]:
    """The body without its content coding. Raises as `HttpConnection.body`, and `zlib.error`."""
    coding = first(response, b"content-encoding")
    if coding is None or not is_compressed(coding):
        return connection.body()
    return decompressed(connection.body(), coding)


async def said_by(response: h11.Response, connection: HttpConnection) -> str:
    """What a refusal says, as far as it comes and is of use: its head alone is enough to go on with."""
    body = bytearray()
    with contextlib.suppress(OSError, h11.ProtocolError, zlib.error):
        async with asyncio.timeout(_REFUSAL_SECONDS):
            async for chunk in decoded(response, connection):
                body += chunk
                if len(body) > MAX_PAGE_BYTES:
                    break
    return server_message(bytes(body[:MAX_PAGE_BYTES]))


async def skip(connection: HttpConnection) -> None:
    """Read a redirect's body, so that the connection can serve again.

    One that is long, or does not come at once, is not worth it: the connection is closed then, for its rest is unread.
    """
    size = 0
    with contextlib.suppress(OSError, h11.ProtocolError):
        async with asyncio.timeout(_REDIRECT_SECONDS):
            async for chunk in connection.body():
                size += len(chunk)
                if size > MAX_PAGE_BYTES:
                    return


def is_stream(response: h11.Response) -> bool:
    """Whether events follow."""
    content_type = (first(response, b"content-type") or b"").partition(b";")[0].strip().lower()
    return 200 <= response.status_code < 300 and content_type == mcp.EVENT_STREAM


def first(response: h11.Response, name: bytes) -> bytes | None:
    """The first header of this name, in lower case."""
    return next((value for key, value in response.headers if key == name), None)


def every(response: h11.Response, name: bytes) -> list[bytes]:
    """All headers of this name, in lower case."""
    return [value for key, value in response.headers if key == name]


def announced_length(response: h11.Response) -> int:
    """The length in bytes that the head tells of a body, 0 where it tells none."""
    return int(first(response, b"content-length") or 0)


def retry_after(value: bytes | None, now: float) -> float | None:
    """Seconds that a `Retry-After` means (RFC 9110, 10.2.3); None where there is none, or it means nothing."""
    if value is None:
        return None
    text = value.decode("latin-1").strip()
    if text.isdecimal():
        return float(text[:9])
    from email.utils import parsedate_to_datetime  # Dear to import, and a date is rare here.

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None
