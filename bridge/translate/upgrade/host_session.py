"""A legacy host's session, which a modern server knows nothing of (MCP 2025-11-25, Lifecycle)."""

from __future__ import annotations

from bridge.protocol.jsonrpc import Request, RequestId
from bridge.protocol.writing import Members
from bridge.translate.upgrade.legacy_host import LegacyHost
from bridge.translate.upgrade.subscriptions import HostSubscriptions


class HostSession:
    """What one `initialize` began.

    `number` is the id upwards of the `server/discover` that has no answer yet, `initialize` what to answer then (None
    where the host has its answer), and `held` are the requests that came meanwhile.
    """

    def __init__(self, host: LegacyHost, interests: HostSubscriptions, initialize: Request | None, number: int) -> None:
        self.host = host
        self.interests = interests
        self.initialize = initialize
        self.number: int | None = number
        self.held: dict[RequestId, Request] = {}
        self.capabilities: Members | None = None
        self.is_initialized = False
