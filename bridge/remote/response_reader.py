"""Reads a response and emits it as events: its head, then each server-sent event or the whole body."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from bridge.protocol import mcp
from bridge.protocol.sse import EventStreamDecoder, EventTooLarge
from bridge.remote import exchange_refused
from bridge.remote.buffer_limit import BufferLimit
from bridge.remote.http1 import HttpConnection
from bridge.remote.responses import MAX_PAGE_BYTES, Head, decoded, retry_after
from bridge.session.events import BodyReceived, Event, EventReceived, ResponseStarted, StreamClosed

MAX_MESSAGE_BYTES = 256 * 1024 * 1024
"""The largest message that is taken from a server."""

# Sixty connections with TLS hold up to 90 MB with the interpreter; the peak stays 128 MB above the largest message.
_MAX_UNFINISHED_BYTES = 16 * 1024 * 1024
_ERROR_SECONDS = 10.0
_LONGEST_SESSION_ID = 4096


class ResponseReader:
    """Reads the responses of one server. `emit` and `clear` are those of `Remote`."""

    def __init__(self, emit: Callable[[Event], None], clear: Callable[[], Awaitable[None]]) -> None:
        self._emit = emit
        self._buffer_limit = BufferLimit(_MAX_UNFINISHED_BYTES, clear)

    async def read(self, exchange: int, named: str, head: Head, connection: HttpConnection) -> None:
        """Emit a response. `named` is the URL for messages.

        Raises OSError, `h11.ProtocolError`, `zlib.error`, `EventTooLarge` and `Refused`.
        """
        session_id = head.first(mcp.SESSION_ID)
        if session_id is not None and not (0 < len(session_id) <= _LONGEST_SESSION_ID and _is_visible(session_id)):
            raise exchange_refused.bad_session_id(named)
        streams = head.is_stream
        self._emit(ResponseStarted(exchange, head.status, session_id, streams))
        if streams:
            await self._read_events(exchange, head, connection)
        elif head.status < 300:
            _check_size(head.length)
            await self._read_body(exchange, head, connection)
        else:
            async with asyncio.timeout(_ERROR_SECONDS):
                await self._read_body(exchange, head, connection)

    def release(self, exchange: int) -> None:
        """The exchange is over: free the memory that counts as its own."""
        self._buffer_limit.release(exchange)

    async def _read_events(self, exchange: int, head: Head, connection: HttpConnection) -> None:
        decoder = EventStreamDecoder(MAX_MESSAGE_BYTES)
        was_held = 0
        async for chunk in decoded(head, connection):
            for event in decoder.feed(chunk):
                self._emit(EventReceived(exchange, event))
            await self._buffer_limit.wait_for_host(exchange)
            held = decoder.held
            if held:
                await self._buffer_limit.hold(exchange, held, connection.abort)
            elif was_held:
                self._buffer_limit.release(exchange)
            was_held = held
        self._emit(StreamClosed(exchange, "the server closed the stream"))

    async def _read_body(self, exchange: int, head: Head, connection: HttpConnection) -> None:
        status = head.status
        content_type = head.first(b"content-type") or b""
        is_page = status >= 300 and not content_type.startswith(mcp.JSON)
        body: bytes | bytearray = b""
        async for chunk in decoded(head, connection):
            if not body:
                body = chunk
            else:
                # One buffer that grows: to join pieces at the end would hold the body twice.
                if not isinstance(body, bytearray):
                    body = bytearray(body)
                body += chunk
            size = len(body)
            _check_size(size)
            if is_page and size > MAX_PAGE_BYTES:
                break
            await self._buffer_limit.hold(exchange, size, connection.abort)
        await self._buffer_limit.wait_for_host(exchange)
        wait = retry_after(head.first(b"retry-after"), time.time())
        self._emit(BodyReceived(exchange, status, content_type, body, wait))


def _check_size(size: int) -> None:
    if size > MAX_MESSAGE_BYTES:
        raise EventTooLarge(f"a message is larger than {MAX_MESSAGE_BYTES} bytes")


def _is_visible(value: bytes) -> bool:
    return min(value) >= 0x21 and max(value) <= 0x7E
