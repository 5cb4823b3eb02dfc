"""Foreign exceptions, turned into a cause and words for a person; the one place that knows httpcore's, ssl's and the OS's."""

from __future__ import annotations

import errno
import re
import socket
import ssl
from urllib.parse import urlsplit

import httpcore

from bridge.session.events import Cause

_ERRNO = re.compile(r"\[(?:Errno|WinError) (\d+)\]")
_REFUSED = {errno.ECONNREFUSED, 10061}
_NO_ROUTE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, 10051, 10065}

Explanation = tuple[Cause, str, str]
"""Why, the sentence, and what to do."""


def explain(problem: BaseException, url: str, proxy: str | None) -> Explanation:
    """Say what happened on the way to `url`; `proxy` is the proxy's URL without credentials, where there is one."""
    if isinstance(problem, httpcore.ProxyError):
        return _proxy_refused(str(problem), url, proxy)
    if isinstance(problem, httpcore.ConnectError | httpcore.ConnectTimeout | OSError):
        return _not_connected(problem, url, proxy)
    if isinstance(problem, httpcore.ReadTimeout):
        return Cause.LOST, f"{url} did not answer in time.", ""
    said = " ".join(str(problem).split())
    if isinstance(problem, httpcore.RemoteProtocolError) and "disconnected" not in said:
        return (
            Cause.LOST,
            f"{url} did not answer as HTTP does ({said[:200]}).",
            "Check the port, and whether the URL should begin with https://.",
        )
    return Cause.LOST, f"The connection to {url} was lost.", "Try again."


def _not_connected(problem: BaseException, url: str, proxy: str | None) -> Explanation:
    at = f"the proxy {proxy}" if proxy else url
    host = urlsplit(proxy or url).hostname or ""
    check = (
        "Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY." if proxy else "Check the URL, and whether the server is running."
    )
    root = _root(problem)
    numbers = {int(found) for found in _ERRNO.findall(str(root))} | {getattr(root, "errno", None) or 0}
    if isinstance(root, ssl.SSLError):
        return _no_tls(root, url)
    if isinstance(root, socket.gaierror | UnicodeError):
        said = f"Cannot reach {at}: the name {host} is not known to the name service."
        return Cause.UNREACHABLE, said, "Check the spelling, and the network or VPN." if not proxy else check
    if isinstance(root, TimeoutError | httpcore.ConnectTimeout) or errno.ETIMEDOUT in numbers:
        said = f"Cannot reach {at}: no answer in the time given to connect."
        return Cause.UNREACHABLE, said, f"{check} A firewall may drop the packets, or a proxy be needed."
    if numbers & _REFUSED:
        return Cause.UNREACHABLE, f"Cannot reach {at}: the connection was refused.", check
    if numbers & _NO_ROUTE:
        return (
            Cause.UNREACHABLE,
            f"Cannot reach {at}: there is no way to it in the network.",
            "Check the network or VPN.",
        )
    return Cause.UNREACHABLE, f"Cannot reach {at}: {_plain(root)}.", check


def _no_tls(problem: ssl.SSLError, url: str) -> Explanation:
    if isinstance(problem, ssl.SSLCertVerificationError):
        why = problem.verify_message or _plain(problem)
        return (
            Cause.UNTRUSTED,
            f"Cannot trust {url}: its certificate was not accepted ({why}).",
            "If your organisation has its own authority, name its certificate with --ca-file or SSL_CERT_FILE.",
        )
    reason = problem.reason or ""
    if reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}:
        return (
            Cause.UNTRUSTED,
            f"Cannot reach {url}: what answers there does not speak TLS.",
            "Check the port, and whether the URL should begin with http://.",
        )
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        return (
            Cause.UNTRUSTED,
            f"Cannot reach {url}: the server ended the TLS handshake ({reason.replace('_', ' ').lower()}).",
            "It may want a client certificate: --client-cert and --client-cert-key.",
        )
    return Cause.UNREACHABLE, f"Cannot reach {url}: the TLS handshake failed ({_plain(problem)}).", "Try again."


def _proxy_refused(said: str, url: str, proxy: str | None) -> Explanation:
    status = said[:3]
    hint = "Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY."
    if status == "407":
        hint = "It wants a sign-in: put user and password into the proxy's URL."
    cause = Cause.UNREACHABLE if status in {"502", "503", "504"} else Cause.UNTRUSTED
    return cause, f"Cannot reach {url}: the proxy {proxy} refused to connect ({said[:200]}).", hint


def _root(problem: BaseException) -> BaseException:
    """The exception of the system's below httpcore's."""
    while isinstance(problem, httpcore.ConnectError | httpcore.ConnectTimeout) and problem.__cause__ is not None:
        problem = problem.__cause__
    return problem


def _plain(problem: BaseException) -> str:
    text = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
    return " ".join(text.split())[:200].rstrip(".")
