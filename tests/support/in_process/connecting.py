"""Names, ways and one request, for tests of how a connection comes about."""

from __future__ import annotations

import base64

import pytest

from bridge.remote.connecting import NotConnected, Origin, Route
from bridge.remote.http1 import HttpConnection
from tests.support.servers.raw_server import DEADLINE
from tests.support.waits import stretched

NAME = "mcp.example.com"
SECURE = Origin("https", NAME, 443)
PLAIN = Origin("http", NAME, 80)
HANGS = stretched(0.5)
"""Seconds after which a step that never ends is given up; what stands before it takes less, also on a busy machine."""

AUTH = ("user", "p:\u00e4ss")
BASIC = b"Basic " + base64.b64encode("user:p:\u00e4ss".encode())


async def ask(http: HttpConnection) -> bytes:
    """Send a request and return the body of the answer."""
    answer = await http.request(b"GET", b"/mcp", [(b"host", NAME.encode())], None, None)
    assert answer.status_code == 200
    body = b"".join([piece async for piece in http.body()])
    http.abort()
    return body


async def refusal(route: Route, seconds: float = DEADLINE) -> NotConnected:
    with pytest.raises(NotConnected) as caught:
        await route.connect(seconds)
    return caught.value
