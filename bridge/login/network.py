"""The network as a sign-in needs it. `app` provides it, for the rooms of IO do not import each other."""

from __future__ import annotations

import ssl
from typing import Protocol

ProxyAddress = tuple[str, tuple[str, str] | None]
"""A proxy's URL without credentials, and its user and password."""


class Network(Protocol):
    """Names, proxies and TLS, by the user's settings."""

    connect_timeout: float
    """How long a connection may take, in seconds."""

    async def resolve(self, host: str, port: int) -> list[str]:
        """Look up the addresses of a host's name.

        Raises OSError (TimeoutError where the name service is silent) and ValueError.
        """

    def proxy_for(self, url: str) -> ProxyAddress | None:
        """The proxy for a URL; None where it is connected to directly."""

    def unused_proxy(self, url: str) -> str:
        """Why the system's proxy is not used for a URL that is connected to directly: a clause; "" where there is none.

        May block for some seconds.
        """

    def tls(self, own_origin: bool) -> ssl.SSLContext:
        """A new TLS context for the MCP server's own origin, or for other servers."""
