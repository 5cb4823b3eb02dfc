"""Exceptions of the system, of TLS and of HTTP, turned into a cause and words for a person; the one place to do so."""

from __future__ import annotations

import errno
import re
import socket
import ssl
from typing import NamedTuple
from urllib.parse import urlsplit

import h11

from bridge.remote.connecting import NotConnected, ProxyRefused
from bridge.session.events import Cause

_ERRNO = re.compile(r"\[(?:Errno|WinError) (\d+)\]")
_REFUSED = {errno.ECONNREFUSED, 10061}
_NO_ROUTE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, 10051, 10065}


class Explanation(NamedTuple):
    """Why an exchange failed. `sent`, `message`, `hint` and `definite` are those of `ExchangeFailed`."""

    cause: Cause
    sent: bool
    message: str
    hint: str
    definite: bool = False


def explain(problem: Exception, url: str, proxy: str | None) -> Explanation:
    """Say what happened on the way to `url`; `proxy` is the proxy's URL without credentials, where there is one."""
    if isinstance(problem, NotConnected):
        return _not_connected(problem, url, proxy)
    if isinstance(problem, TimeoutError):
        return Explanation(Cause.LOST, True, f"{url} did not answer in time.", "")
    if isinstance(problem, h11.RemoteProtocolError):
        said = " ".join(str(problem).split())[:200]
        hint = "Check the port, and whether the URL should begin with https://."
        return Explanation(Cause.LOST, True, f"{url} did not answer as HTTP does ({said}).", hint)
    if isinstance(problem, h11.LocalProtocolError):
        return Explanation(Cause.PROTOCOL, False, f"The request to {url} cannot be put into HTTP ({problem}).", "")
    return Explanation(Cause.LOST, True, f"The connection to {url} was lost.", "Try again.")


def _not_connected(failure: NotConnected, url: str, proxy: str | None) -> Explanation:
    problem = failure.reason
    if isinstance(problem, ProxyRefused):
        return _proxy_refused(str(problem), url, proxy)
    if isinstance(problem, ssl.SSLError):
        return _no_tls(problem, f"the proxy {proxy}" if failure.at_proxy else url)
    host = urlsplit(proxy if failure.at_proxy and proxy else url).hostname or ""
    where = f"{url}: the proxy {proxy}" if failure.at_proxy else url
    check = "Check the URL, and whether the server is running."
    if failure.at_proxy:
        check = "Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY."
    numbers = {int(found) for found in _ERRNO.findall(str(problem))} | {getattr(problem, "errno", None) or 0}
    if isinstance(problem, socket.gaierror | UnicodeError):
        hint = check if failure.at_proxy else "Check the spelling, and the network or VPN."
        if isinstance(problem, socket.gaierror) and problem.errno == socket.EAI_AGAIN:
            return _unreachable(where, f"the name service did not answer for {host}", hint)
        return _unreachable(where, f"the name {host} is not known to the name service", hint, definite=True)
    if isinstance(problem, TimeoutError) or errno.ETIMEDOUT in numbers:
        hint = f"{check} A firewall may drop the packets, or a proxy be needed."
        return _unreachable(where, "no answer in the time given to connect", hint)
    if numbers & _REFUSED:
        return _unreachable(where, "the connection was refused", check, definite=True)
    if numbers & _NO_ROUTE:
        return _unreachable(where, "there is no way to it in the network", "Check the network or VPN.")
    return _unreachable(where, _plain(problem), check)


def _unreachable(where: str, why: str, hint: str, *, definite: bool = False) -> Explanation:
    return Explanation(Cause.UNREACHABLE, False, f"Cannot reach {where}: {why}.", hint, definite)


def _no_tls(problem: ssl.SSLError, url: str) -> Explanation:
    if isinstance(problem, ssl.SSLCertVerificationError):
        why = problem.verify_message or _plain(problem)
        return Explanation(
            Cause.UNTRUSTED,
            False,
            f"Cannot trust {url}: its certificate was not accepted ({why}).",
            "If your organisation has its own authority, name its certificate with --ca-file or SSL_CERT_FILE.",
        )
    reason = problem.reason or ""
    if reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}:
        return Explanation(
            Cause.UNTRUSTED,
            False,
            f"Cannot reach {url}: what answers there does not speak TLS.",
            "Check the port, and whether the URL should begin with http://.",
        )
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        return Explanation(
            Cause.UNTRUSTED,
            False,
            f"Cannot reach {url}: the server ended the TLS handshake ({reason.replace('_', ' ').lower()}).",
            "It may want a client certificate: --client-cert and --client-cert-key.",
        )
    return _unreachable(url, f"the TLS handshake failed ({_plain(problem)})", "Try again.")


def _proxy_refused(said: str, url: str, proxy: str | None) -> Explanation:
    status = said[:3]
    hint = "Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY."
    if status == "407":
        hint = "It wants a sign-in: put user and password into the proxy's URL."
    cause = Cause.UNREACHABLE if status in {"502", "503", "504"} else Cause.UNTRUSTED
    message = f"Cannot reach {url}: the proxy {proxy} refused to connect ({said[:200]})."
    return Explanation(cause, False, message, hint, definite=True)


def _plain(problem: BaseException) -> str:
    text = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
    return " ".join(text.split())[:200].rstrip(".")
