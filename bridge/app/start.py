"""The first moments of a run: connections begin in threads, and meanwhile the rest of the program is imported.

| what | where | what uses it |
|---|---|---|
| the name lookup and the TCP connection to the server, or to its proxy | a thread | the first request |
| the same once more | another thread | the second request, for a stream or a list |
| reading the certificates that TLS trusts | a thread | the wiring, which reports what is wrong with them |
| importing the event loop, the HTTP client, the session | the main thread | |

Before all that, the bridge takes over stdin and stdout, so that nothing else here can write to the host. The settings
have been checked, so it opens no connection that they forbid.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from bridge.config import Settings, ascii_host
from bridge.errors import UsageError
from bridge.host.takeover import take_over
from bridge.remote.early_connection import EarlyConnection
from bridge.remote.proxy import Proxy, proxy_for

if TYPE_CHECKING:
    import ssl

_CONNECTIONS = 2
_PORTS = {"http": 80, "https": 443}


def run_bridge(settings: Settings) -> int:
    """Bridge the host on stdin and stdout to the server until the host is done; return the exit code.

    Raises `BridgeError` where it cannot start.
    """
    try:
        descriptors = take_over()
    except OSError as problem:
        raise UsageError(
            f"The bridge needs an open stdin and stdout: {problem.strerror}.",
            hint="Start it from an MCP host, or keep both open.",
        ) from problem
    proxy = proxy_for(settings.url, os.environ)
    needs_tls = settings.url.lower().startswith("https:") or (proxy is not None and proxy.scheme == "https")
    host, port = _first_hop(settings.url, proxy)
    connections = tuple(EarlyConnection(host, port, settings.connect_timeout) for _ in range(_CONNECTIONS))
    try:
        trust = Trust(settings) if needs_tls else None
        from bridge.app.main import run

        return run(settings, EarlyStart(descriptors, proxy, connections, trust))
    finally:
        for connection in connections:
            connection.close()


class EarlyStart(msgspec.Struct, frozen=True):
    """What a start began. `descriptors` are the host's input and output; `trust` is None where TLS is not used."""

    descriptors: tuple[int, int]
    proxy: Proxy | None
    connections: tuple[EarlyConnection, ...]
    trust: Trust | None


class Trust:
    """The TLS context of a run, made in a thread during the imports: OpenSSL takes long to read certificates."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._context: ssl.SSLContext | None = None
        self._problem: Exception | None = None
        self._thread = threading.Thread(target=self._make, name="trust", daemon=True)
        self._thread.start()

    def context(self) -> ssl.SSLContext | None:
        """Wait for the context. Raises `UsageError` for a file that cannot be used."""
        self._thread.join()
        if self._problem is not None:
            raise self._problem
        return self._context

    def _make(self) -> None:
        try:
            from bridge.remote.tls import ssl_context

            self._context = ssl_context(self._settings, may_verify_late=True)
        except Exception as problem:
            self._problem = problem


def _first_hop(url: str, proxy: Proxy | None) -> tuple[str, int]:
    """Host and port of the first TCP connection, as `Route.first_hop`, whose module takes long to import."""
    parts = urlsplit(proxy.url if proxy else url)
    return ascii_host(parts.hostname or ""), parts.port or _PORTS.get(parts.scheme, 0)
