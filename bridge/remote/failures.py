"""What an exception of the system, of TLS or of HTTP means: whether to try again, and the message for the user."""

from __future__ import annotations

import platform
import socket
import ssl
import sys
from typing import NamedTuple
from urllib.parse import urlsplit

import h11

from bridge.protocol import tls_failures, unreachable
from bridge.protocol.sanitize import problem_text
from bridge.protocol.system_errors import numbers_of
from bridge.protocol.unreachable import Advice, Reason
from bridge.remote.connecting import NotConnected
from bridge.remote.http1 import Disconnected, NotHttp
from bridge.remote.proxy import ProxyRefused
from bridge.session.events import Cause

# These say nothing about the name: no answer in time, a broken answer, an error of this system.
_NO_ANSWER = frozenset((socket.EAI_AGAIN, socket.EAI_FAIL, getattr(socket, "EAI_SYSTEM", socket.EAI_AGAIN)))
_DEFINITE: frozenset[Reason] = frozenset(("unknown-name", "refused"))


class Explanation(NamedTuple):
    """Why an exchange failed. `sent`, `message`, `hint` and `definite` are those of `ExchangeFailed`."""

    cause: Cause
    sent: bool
    message: str
    hint: str
    definite: bool = False


def explain(problem: Exception, url: str, proxy: str | None) -> Explanation:
    """Explain a failure on the route to `url`. `proxy` is the proxy's URL without credentials, None without one."""
    match problem:
        case NotConnected():
            return _not_connected(problem, url, proxy)
        case TimeoutError():
            return Explanation(Cause.LOST, True, f"{url} did not respond in time.", "")
        case ssl.SSLError() if told := tls_failures.client_refused(_reason_of(problem), url):
            return Explanation(Cause.UNTRUSTED, False, *told, definite=True)
        case NotHttp() if told := _other_protocol(problem.beginning, url):
            return Explanation(Cause.UNTRUSTED, False, *told, definite=True)
        case h11.RemoteProtocolError():
            return Explanation(Cause.LOST, True, *unreachable.not_http(url, str(problem)))
        case h11.LocalProtocolError():
            return Explanation(Cause.PROTOCOL, False, f"The request to {url} cannot be sent as HTTP ({problem}).", "")
        case _:
            return Explanation(Cause.LOST, True, f"The connection to {url} was lost.", "Try again.")


def _other_protocol(beginning: bytes, url: str) -> Advice | None:
    """The message for a server that answered in a known protocol other than HTTP/1.1, and so ran nothing."""
    if tls_failures.answers_in_tls(beginning):
        return tls_failures.tls_only(url)
    if tls_failures.answers_in_http2(beginning):
        return tls_failures.http2_only(url, "it answered with an HTTP/2 frame")
    return None


def _not_connected(failure: NotConnected, url: str, proxy: str | None) -> Explanation:
    problem = failure.reason
    if isinstance(problem, ProxyRefused):
        cause = Cause.UNREACHABLE if problem.may_pass else Cause.UNTRUSTED
        told = unreachable.proxy_refused(
            url,
            proxy or "",
            str(problem),
            may_pass=problem.may_pass,
            wants_sign_in=problem.wants_sign_in,
            schemes=problem.schemes,
            signed_in=problem.signed_in,
        )
        return Explanation(cause, False, *told, definite=True)
    if isinstance(problem, ssl.SSLError):
        return _no_tls(problem, f"the proxy {proxy}" if failure.at_proxy else url)
    at_proxy = proxy if failure.at_proxy and proxy else ""
    host = urlsplit(at_proxy or url).hostname or ""
    if isinstance(problem, TimeoutError) and failure.seconds is not None:
        told = unreachable.too_late(failure.step, url, host, failure.seconds, proxy=at_proxy)
        return Explanation(Cause.UNREACHABLE, False, *_without_proxy(told, failure, url))
    reason = _reason(problem)
    if unreachable.kept_from_local_network([problem], host, sys.platform, platform.release()):
        reason = "local-network"
    told = unreachable.unreachable(reason, url, host, proxy=at_proxy, detail=_detail(failure))
    told = _without_proxy(told, failure, url)
    return Explanation(Cause.UNREACHABLE, False, *told, definite=reason in _DEFINITE)


def _without_proxy(told: Advice, failure: NotConnected, url: str) -> Advice:
    return unreachable.without_proxy(told, failure.unused, urlsplit(url).scheme)


def _detail(failure: NotConnected) -> str:
    problem = failure.reason
    if failure.step == "proxy" and isinstance(problem, Disconnected):
        return "it closed the connection without a response"
    if failure.step == "handshake":
        return f"the connection was lost during the TLS handshake ({problem_text(problem)})"
    return problem_text(problem)


def _reason(problem: Exception) -> Reason:
    if isinstance(problem, socket.gaierror | UnicodeError):
        return "silent-name-service" if getattr(problem, "errno", None) in _NO_ANSWER else "unknown-name"
    if isinstance(problem, TimeoutError):
        return "timed-out"
    return unreachable.reason_of(numbers_of(problem))


def _no_tls(problem: ssl.SSLError, where: str) -> Explanation:
    if isinstance(problem, ssl.SSLCertVerificationError):
        told = tls_failures.untrusted(where, *tls_failures.verdict_of(problem))
        return Explanation(Cause.UNTRUSTED, False, *told, definite=True)
    told, lasts = tls_failures.failed(_reason_of(problem), where, problem_text(problem))
    return Explanation(Cause.UNTRUSTED if lasts else Cause.UNREACHABLE, False, *told, definite=lasts)


def _reason_of(problem: ssl.SSLError) -> str:
    return tls_failures.reason_of(getattr(problem, "reason", None), str(problem))
