"""Errors for exchanges that the bridge itself ends: what happened, and what to do."""

from __future__ import annotations

from bridge.errors import BridgeError
from bridge.protocol.sanitize import with_words
from bridge.session.events import Cause

_TELL_OPERATOR = "This is a fault in the server. Tell its operator."


class ExchangeRefused(Exception):
    """The bridge ends an exchange."""

    def __init__(self, cause: Cause, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message
        self.hint = hint

    @property
    def sent(self) -> bool:
        """Whether the server may have seen the whole request."""
        return self.cause is not Cause.UNREACHABLE


def no_place(url: str, why: Exception) -> ExchangeRefused:
    """Too many requests have no answer yet."""
    return ExchangeRefused(
        Cause.UNREACHABLE,
        f"The request was not sent to {url} because too many others are waiting: {why}.",
        "Cancel some of them, or restart the bridge.",
    )


def stalled(url: str, why: Exception) -> ExchangeRefused:
    """The server does not read the request any more."""
    return ExchangeRefused(
        Cause.UNREACHABLE,
        f"{url} stopped reading the request: {why}.",
        "The server, or a proxy in front of it, hangs, or the network is very slow. Try again later.",
    )


def broken_upload(url: str, size: int, times: int) -> ExchangeRefused:
    """The connection ended within a large request of `size` bytes, without an answer, `times` times."""
    return ExchangeRefused(
        Cause.PROTOCOL,
        f"{url} closed the connection while a request of {size} bytes was being sent, {times} times.",
        "The server, or a proxy in front of it, may limit the size of requests. Send less at a time.",
    )


def too_large(url: str, why: Exception) -> ExchangeRefused:
    """The answer is larger than allowed."""
    return ExchangeRefused(Cause.TOO_LARGE, f"{url} sent too large a response: {why}.")


def not_decompressed(url: str) -> ExchangeRefused:
    """The body does not match its content coding."""
    return ExchangeRefused(Cause.TRUNCATED, f"{url} sent a body that cannot be decompressed.")


def bad_session_id(url: str) -> ExchangeRefused:
    """The session id is not valid (MCP, Streamable HTTP, Session Management)."""
    return ExchangeRefused(
        Cause.PROTOCOL,
        f"{url} sent a session id that is too long, or has characters other than visible ASCII.",
        _TELL_OPERATOR,
    )


def circle(url: str) -> ExchangeRefused:
    """Too many redirects in a row."""
    return ExchangeRefused(Cause.REDIRECTED, f"{url} redirects in a circle.", _TELL_OPERATOR)


def see_other(url: str) -> ExchangeRefused:
    """A redirect to a page for GET (RFC 9110, 15.4.4)."""
    return ExchangeRefused(
        Cause.REDIRECTED, f"{url} answered 303 See Other, which is not a valid response to an MCP message."
    )


def other_origin(url: str, status: int, target: str) -> ExchangeRefused:
    """A redirect to another origin; `target` is its `address`."""
    return ExchangeRefused(
        Cause.REDIRECTED,
        f"{url} redirects ({status}) to another origin, {target}. Your headers and tokens are not sent there.",
        "If that is the server you want, put its URL into the configuration.",
    )


def token_after_token(url: str, words: str) -> ExchangeRefused:
    """Several credentials were refused in a row; `words` are the server's."""
    return ExchangeRefused(Cause.UNAUTHORIZED, with_words(f"{url} rejected several tokens in a row", words))


def no_token(problem: BridgeError) -> ExchangeRefused:
    """No token could be obtained: for now, if the cause is `Unavailable`, else at all."""
    from bridge.oauth.errors import Unavailable

    cause = Cause.UNREACHABLE if isinstance(problem, Unavailable) else Cause.UNAUTHORIZED
    return ExchangeRefused(cause, problem.message, problem.hint)
