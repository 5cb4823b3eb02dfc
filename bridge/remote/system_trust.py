"""TLS whose certificates the operating system judges (Windows, macOS), in a thread and not on the event loop.

The system's verifier may go to the network, for an intermediate certificate or a list of revoked ones, and takes what
time it likes (Windows: 15 s for one URL). truststore asks it within the handshake, which asyncio runs on the loop, and
holds a lock meanwhile that every other handshake needs. Here it is asked after the handshake:

| when | where | what |
|---|---|---|
| handshake | loop | OpenSSL's; no certificate is judged, no name checked |
| then | a thread | truststore's verifier judges the peer's certificates and the host's name, by a context of its own |
| it accepts | loop | the connection may be written to |
| it refuses, or takes too long | loop | `ssl.SSLCertVerificationError`, or who waits gives up; the connection ends |

Until then nothing can be sent: the TLS object itself refuses it, so a way here that forgets to judge sends nothing.

Sources: truststore 0.10 (`_api.py`, `_windows.py`, `_macos.py`), CPython (`asyncio/sslproto.py`), Microsoft's
CertGetCertificateChain, Apple's SecTrustEvaluateWithError ("don't call it on the main thread").
"""

from __future__ import annotations

import _ssl
import asyncio
import contextlib
import ssl
import threading
from collections.abc import Callable
from typing import Any

from bridge.remote.wire import AlertKeepingTls

Judge = Callable[[ssl.SSLContext, list[bytes], str], None]
"""Judges a peer's certificates, DER, its own first, for a host's name. Raises `ssl.SSLCertVerificationError`.

The context says what is wanted (`check_hostname`, `verify_flags`), and which authorities are trusted beside the
system's.
"""

_SYSTEMS_OWN = frozenset(("truststore._windows", "truststore._macos"))


class SystemTrust(ssl.SSLContext):
    """A client's context for a handshake that judges nobody; `accept` does it afterwards."""

    sslobject_class: type[ssl.SSLObject]
    _judging: ssl.SSLContext
    _judge: Judge

    def __new__(cls, judge: Judge) -> SystemTrust:
        made: SystemTrust = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        made._judging = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # No handshake uses it, so a thread may read it.
        made._judge = judge
        made.sslobject_class = _NotYetTrusted
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
        return made

    def __init__(self, judge: Judge) -> None:
        """`judge` is called in a thread."""

    def load_verify_locations(self, *args: Any, **named: Any) -> None:
        self._judging.load_verify_locations(*args, **named)

    async def accept(self, connection: ssl.SSLObject, host: str) -> None:
        """Have the peer judged, and let the connection be written to. Raises `ssl.SSLError`.

        Who stops waiting leaves the thread behind; what it finds out then counts for nothing.
        """
        if not isinstance(connection, _NotYetTrusted):
            raise ssl.SSLError("the connection is not one whose peer is judged late")
        loop = asyncio.get_running_loop()
        judged: asyncio.Future[None] = loop.create_future()
        chain = _chain_of(connection)
        judge, judging = self._judge, self._judging

        def run() -> None:
            problem: Exception | None = None
            try:
                judge(judging, chain, host)
            except Exception as refusal:
                problem = refusal if isinstance(refusal, ssl.SSLError) else ssl.SSLCertVerificationError(str(refusal))
            with contextlib.suppress(RuntimeError):  # The loop is closed: the bridge has ended.
                loop.call_soon_threadsafe(_tell, judged, problem)

        threading.Thread(target=run, name="certificates", daemon=True).start()
        await judged
        connection.is_trusted = True


def system_trust() -> SystemTrust | None:
    """A context whose judge is the operating system's; None where truststore has none here, or not where it was."""
    from truststore import _api

    judge: Any = getattr(_api, "_verify_peercerts_impl", None)
    # On Linux it is OpenSSL that judges, within the handshake, and this one does nothing.
    if getattr(judge, "__module__", "") not in _SYSTEMS_OWN:
        return None
    return SystemTrust(lambda context, chain, host: judge(context, chain, server_hostname=host))


class _NotYetTrusted(AlertKeepingTls):
    """The client's side of one connection. Nothing can be sent on it before `is_trusted`."""

    is_trusted = False

    def write(self, data: Any) -> int:
        if not self.is_trusted:
            raise ssl.SSLError("the peer's certificate was not judged yet")
        return super().write(data)


def _chain_of(connection: ssl.SSLObject) -> list[bytes]:
    """What the peer sent, DER, its own certificate first. Public from Python 3.13 on."""
    inner: Any = connection
    while not hasattr(inner, "get_unverified_chain"):
        inner = inner._sslobj
    found = inner.get_unverified_chain() or ()
    return [one if isinstance(one, bytes) else one.public_bytes(_ssl.ENCODING_DER) for one in found]


def _tell(judged: asyncio.Future[None], problem: Exception | None) -> None:
    if judged.done():
        return
    if problem is not None:
        judged.set_exception(problem)
    else:
        judged.set_result(None)
