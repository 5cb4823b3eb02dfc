"""Messages for the exceptions of httpx: why an authorization server, or the MCP server, gave no answer.

httpx wraps the errors of the system and of TLS in its own exceptions, so the reason is found among their causes.
"""

from __future__ import annotations

import platform
import socket
import ssl
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bridge.protocol import tls_failures, unreachable
from bridge.protocol.sanitize import address, problem_text
from bridge.protocol.system_errors import numbers_of
from bridge.protocol.unreachable import Advice, Reason

if TYPE_CHECKING:
    import httpx


def explain(problem: httpx.HTTPError, url: str, what: str, proxy: str | None) -> Advice:
    """Say why `what` at `url` gave no answer; `proxy` is the proxy's URL without credentials, if there is one."""
    import httpx

    where = url if what == SERVER else f"the {what} {address(url)}"
    causes = list(_causes(problem))
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            return _tls(cause, where)
    match problem:
        case httpx.ProxyError() if proxy:
            return unreachable.proxy_refused(where, proxy, problem_text(problem))
        case httpx.ConnectError() | httpx.ConnectTimeout():
            reason: Reason = "timed-out" if isinstance(problem, httpx.ConnectTimeout) else _reason(causes)
            # With a proxy, the connection is to the proxy.
            host = urlsplit(proxy or url).hostname or ""
            if unreachable.kept_from_local_network(causes, host, sys.platform, platform.release()):
                reason = "local-network"
            return unreachable.unreachable(reason, where, host, proxy=proxy or "", detail=problem_text(causes[-1]))
        case httpx.TimeoutException():
            return Advice(f"{_capital(where)} did not answer in time.", "Try again later.")
        case httpx.RemoteProtocolError() if "disconnected" not in str(problem):
            return unreachable.not_http(where, problem_text(problem))
    return Advice(f"{_capital(where)} closed the connection without an answer.", "Try again later.")


SERVER = "server"
"""The value of `what` for the MCP server itself. Messages name it by its URL only."""


def _tls(problem: ssl.SSLError, where: str) -> Advice:
    if isinstance(problem, ssl.SSLCertVerificationError):
        return tls_failures.untrusted(where, *tls_failures.verdict_of(problem))
    reason = tls_failures.reason_of(getattr(problem, "reason", None), str(problem))
    return tls_failures.failed(reason, where, problem_text(problem)).told


def _reason(causes: list[BaseException]) -> Reason:
    names = [cause for cause in causes if isinstance(cause, socket.gaierror | UnicodeError)]
    if names:
        is_silent = any(getattr(cause, "errno", None) == socket.EAI_AGAIN for cause in names)
        return "silent-name-service" if is_silent else "unknown-name"
    return unreachable.reason_of(number for cause in causes for number in numbers_of(cause))


def _causes(problem: BaseException) -> Iterator[BaseException]:
    """The problem and all its causes, each once; also the members of a group, such as one error for each address."""
    waiting, seen = [problem], set()
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
        waiting += [cause for cause in (one.__cause__, one.__context__) if cause is not None]


def _capital(phrase: str) -> str:
    return f"T{phrase[1:]}" if phrase.startswith("the ") else phrase
