"""For mitmproxy: the name that only proxies know leads to this machine; event streams are passed on as they come."""

from __future__ import annotations

import os
from typing import Any


def http_connect(flow: Any) -> None:
    """Make the tunnel to this machine where that name is asked for."""
    if flow.request.host == os.environ["WIRE_NAME"]:
        flow.request.host = "127.0.0.1"


def requestheaders(flow: Any) -> None:
    """Do the same for a request that is forwarded."""
    http_connect(flow)


def responseheaders(flow: Any) -> None:
    """Do not collect an event stream."""
    if flow.response.headers.get("content-type", "").startswith("text/event-stream"):
        flow.response.stream = True
