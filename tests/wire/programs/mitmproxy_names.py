"""For mitmproxy: the name that only proxies know leads to this machine; event streams are passed on as they come."""

from __future__ import annotations

import os
from typing import Any


def server_connect(data: Any) -> None:
    """Connect to this machine where that name is asked for."""
    host, port = data.server.address
    if host == os.environ["WIRE_NAME"]:
        data.server.address = ("127.0.0.1", port)


def responseheaders(flow: Any) -> None:
    """Do not collect an event stream."""
    if flow.response.headers.get("content-type", "").startswith("text/event-stream"):
        flow.response.stream = True
