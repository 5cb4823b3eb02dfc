"""Signatures over requests: what a signer sees of each, and what it gives. Imported only where requests are signed."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from bridge.remote.http1 import Header

_LARGE = 1_000_000  # Bytes that take about a millisecond, for which the event loop can wait.


class UnsignedRequest(NamedTuple):
    """A request as it goes out. `headers` include `Host`; `digest` is the body's SHA-256 in hexadecimal digits."""

    method: str
    url: str
    headers: tuple[Header, ...]
    digest: str


class RequestSigner(Protocol):
    """Signs every request to the MCP server anew, a second try too; never those for a sign-in."""

    async def sign(self, request: UnsignedRequest) -> tuple[Header, ...]:
        """The headers to add, in place of others of the same names. Raises `BridgeError`."""


async def digest_of(body: bytes | None) -> str:
    """The SHA-256 of a body, None being empty; of a large one in a thread."""
    if body is None or len(body) < _LARGE:
        return hashlib.sha256(body or b"").hexdigest()
    return (await asyncio.to_thread(hashlib.sha256, body)).hexdigest()
