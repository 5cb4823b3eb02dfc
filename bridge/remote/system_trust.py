"""TLS with certificates verified by the operating system (Windows, macOS), in a thread instead of on the event loop.

The system's verifier may fetch an intermediate certificate or a revocation list from the network, which takes any time
(Windows: 15 s for one URL). truststore calls it within the handshake, which asyncio runs on the loop, and meanwhile
holds a lock that every other handshake needs. Here it is called after the handshake:

| step | where | what is done |
|---|---|---|
| handshake | loop | OpenSSL's; no certificate is verified, no name checked |
| then | a thread | truststore's verifier checks the peer's certificates and the host's name, in its own context |
| it accepts | loop | data can be sent on the connection |
| it refuses | loop | `ssl.SSLCertVerificationError`; the connection ends |
| it takes too long | loop | the caller's time limit ends the connection |

Before that nothing can be sent: the TLS object refuses it, so code that forgets to verify sends nothing.

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

Verifier = Callable[[ssl.SSLContext, list[bytes], str], None]
"""Verifies a peer's certificates (DER, its own first) for a host name. Raises `ssl.SSLCertVerificationError`.

The context has the requirements (`check_hostname`, `verify_flags`), and authorities that are trusted beside the
system's.
"""

_SYSTEMS_OWN = frozenset(("truststore._windows", "truststore._macos"))


class SystemTrust(ssl.SSLContext):
    """A client context whose handshake verifies nothing; `verify` does that afterwards."""

    sslobject_class: type[ssl.SSLObject]
    _requirements: ssl.SSLContext
    _verifier: Verifier

    def __new__(cls, verifier: Verifier) -> SystemTrust:
        made: SystemTrust = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        made._requirements = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # No handshake uses it, so a thread may read it.
        made._verifier = verifier
        made.sslobject_class = _UnverifiedTls
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
        return made

    def __init__(self, verifier: Verifier) -> None:
        """`verifier` is called in a thread."""

    def load_verify_locations(self, *args: Any, **named: Any) -> None:
        self._requirements.load_verify_locations(*args, **named)

    async def verify(self, connection: ssl.SSLObject, host: str) -> None:
        """Verify the peer, then allow sending. Raises `ssl.SSLError`.

        If the wait is cancelled, the thread goes on, and its result is ignored.
        """
        if not isinstance(connection, _UnverifiedTls):
            raise ssl.SSLError("the connection was not made with this context")
        loop = asyncio.get_running_loop()
        verified: asyncio.Future[None] = loop.create_future()
        chain = _chain_of(connection)
        verifier, requirements = self._verifier, self._requirements

        def run() -> None:
            problem: Exception | None = None
            try:
                verifier(requirements, chain, host)
            except Exception as refusal:
                problem = refusal if isinstance(refusal, ssl.SSLError) else ssl.SSLCertVerificationError(str(refusal))
            with contextlib.suppress(RuntimeError):  # The loop is closed: the bridge has ended.
                loop.call_soon_threadsafe(_settle, verified, problem)

        threading.Thread(target=run, name="certificates", daemon=True).start()
        await verified
        connection.is_verified = True


def system_trust() -> SystemTrust | None:
    """A context that the operating system verifies for; None if truststore has no verifier here, or has moved it."""
    from truststore import _api

    verifier: Any = getattr(_api, "_verify_peercerts_impl", None)
    # On Linux OpenSSL verifies within the handshake, and this function does nothing.
    if getattr(verifier, "__module__", "") not in _SYSTEMS_OWN:
        return None
    return SystemTrust(lambda context, chain, host: verifier(context, chain, server_hostname=host))


class _UnverifiedTls(AlertKeepingTls):
    """The client's side of a connection. Nothing can be sent on it before `is_verified`."""

    is_verified = False

    def write(self, data: Any) -> int:
        if not self.is_verified:
            raise ssl.SSLError("the peer's certificate has not been verified yet")
        return super().write(data)


def _chain_of(connection: ssl.SSLObject) -> list[bytes]:
    """The peer's certificates as it sent them (DER), its own first. Public API from Python 3.13 on."""
    inner: Any = connection
    while not hasattr(inner, "get_unverified_chain"):
        inner = inner._sslobj
    found = inner.get_unverified_chain() or ()
    return [one if isinstance(one, bytes) else one.public_bytes(_ssl.ENCODING_DER) for one in found]


def _settle(verified: asyncio.Future[None], problem: Exception | None) -> None:
    if verified.done():
        return
    if problem is not None:
        verified.set_exception(problem)
    else:
        verified.set_result(None)
