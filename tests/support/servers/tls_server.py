"""A server of blocking OpenSSL, which says why a handshake fails; the event loop's TLS hangs up without a word."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from typing import Self

from tests.support.servers.raw_server import response
from tests.support.waits import stretched

_SECONDS = stretched(10)


class TlsServer:
    """Answers each request on 127.0.0.1 after a handshake with `{}`, one connection after another.

    `requests` counts those that were read.
    """

    def __init__(self, tls: ssl.SSLContext) -> None:
        self.requests = 0
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def origin(self) -> str:
        return f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        # A connection ends the wait for one, on every system.
        with contextlib.suppress(OSError), socket.create_connection(self._listener.getsockname(), timeout=_SECONDS):
            self._listener.close()
        self._thread.join(_SECONDS)

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(_SECONDS)
            peer = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
            with contextlib.suppress(OSError):
                self._talk(peer)
            # What is still under way is taken before the end: a reset would overtake the alert.
            with contextlib.suppress(OSError), socket.socket(fileno=peer.detach()) as raw:
                raw.settimeout(_SECONDS)
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(1 << 16):
                    pass

    def _talk(self, peer: ssl.SSLSocket) -> None:
        peer.do_handshake()
        if peer.recv(1 << 16):
            self.requests += 1
            peer.sendall(response(b"{}"))
