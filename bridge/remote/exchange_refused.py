"""Why the bridge itself ends an exchange, in words, and what to do."""

from __future__ import annotations

from bridge.errors import BridgeError
from bridge.protocol.sanitize import with_words
from bridge.session.events import Cause

_TELL_OPERATOR = "The fault is the server's; tell its operator."


class ExchangeRefused(Exception):
    """An exchange ends here, by the bridge's own judgement."""

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
    """Too many requests are without an answer."""
    return ExchangeRefused(
        Cause.UNREACHABLE,
        f"{url} cannot be asked more at a time: {why}.",
        "Cancel some of them, or start the bridge again.",
    )


def stalled(url: str, why: Exception) -> ExchangeRefused:
    """The server takes nothing of the request any more."""
    return ExchangeRefused(
        Cause.UNREACHABLE,
        f"{url} does not take the request: {why}.",
        "The server or a proxy before it hangs, or the network is very slow; try again later.",
    )


def broken_upload(url: str, size: int, times: int) -> ExchangeRefused:
    """The connection ended within a large request of `size` bytes, without an answer, so many times."""
    return ExchangeRefused(
        Cause.PROTOCOL,
        f"{url} closed the connection while a request of {size} bytes was being sent, {times} times.",
        "The server or a proxy before it may limit the size of requests; send less at a time.",
    )


def too_large(url: str, why: Exception) -> ExchangeRefused:
    """The answer is larger than allowed."""
    return ExchangeRefused(Cause.TOO_LARGE, f"{url} sent too much: {why}.")


def not_decompressed(url: str) -> ExchangeRefused:
    """The body is not what its content coding says."""
    return ExchangeRefused(Cause.TRUNCATED, f"{url} sent a body that cannot be decompressed.")


def bad_session_id(url: str) -> ExchangeRefused:
    """The session id is none (MCP, Streamable HTTP, Session Management)."""
    return ExchangeRefused(Cause.PROTOCOL, f"{url} gave a session id that is not visible ASCII.", _TELL_OPERATOR)


def circle(url: str) -> ExchangeRefused:
    """Redirects without an end."""
    return ExchangeRefused(Cause.REDIRECTED, f"{url} redirects in a circle.", _TELL_OPERATOR)


def see_other(url: str) -> ExchangeRefused:
    """A redirect to something that is to be read with GET (RFC 9110, 15.4.4)."""
    return ExchangeRefused(Cause.REDIRECTED, f"{url} answered 303 See Other, which is no answer to an MCP message.")


def other_origin(url: str, status: int, target: str) -> ExchangeRefused:
    """A redirect that leaves the server; `target` is its `address`."""
    return ExchangeRefused(
        Cause.REDIRECTED,
        f"{url} redirects ({status}) to another origin, {target}; your headers and tokens are not sent there.",
        "If that is the server you mean, put its URL into the configuration.",
    )


def token_after_token(url: str, words: str) -> ExchangeRefused:
    """Several credentials were refused in a row; `words` are the server's."""
    return ExchangeRefused(Cause.UNAUTHORIZED, with_words(f"{url} refused several tokens in a row", words))


def no_token(problem: BridgeError) -> ExchangeRefused:
    """No token is to be had: now, where the reason may pass, or at all."""
    from bridge.oauth.errors import Unavailable

    cause = Cause.UNREACHABLE if isinstance(problem, Unavailable) else Cause.UNAUTHORIZED
    return ExchangeRefused(cause, problem.message, problem.hint)
