"""Why there is a sign-in, and the errors where the server asks for none, or does not say where."""

from __future__ import annotations

import msgspec

from bridge.oauth.errors import SignInError
from bridge.oauth.record import Record
from bridge.protocol.sanitize import with_words
from bridge.session.faults import status_name

WANTS_TOKEN = frozenset((401, 403))
"""Statuses with which a server asks for a token."""

_API_KEY = (
    "If the server takes an API key, put the header's whole value into an environment variable AUTH and pass "
    "--header 'Authorization:${AUTH}'."
)


class SignInReason(msgspec.Struct, frozen=True):
    """Why there is a sign-in.

    `resource_metadata` and `challenged` (scopes) are the challenge's; `previous` is what was kept of the last one;
    `widens` tells that scopes were missing; `status` is what the server answered, `said` what it said with that;
    `is_open` tells that it answered MCP without a token. For the page at the end: `back` is where the user came from,
    "the terminal" or the host's name, and `again` how to sign in once more.
    """

    resource_metadata: str | None = None
    challenged: tuple[str, ...] = ()
    previous: Record | None = None
    widens: bool = False
    said: str = ""
    status: int = 401
    is_open: bool = False
    back: str = ""
    again: str = ""


def asks_for_none(server_url: str, ask: SignInReason) -> SignInError:
    """The error where the server wants no token, as far as can be seen."""
    came = f"a request without a token (server/discover) with {status_name(ask.status)}"
    if ask.is_open:
        return SignInError(
            f"{server_url} does not ask for a sign-in: it answered {came}.",
            hint="Use it from your host as it is.",
        )
    if ask.status < 300:
        return SignInError(
            f"{server_url} does not ask for a sign-in: it answered {came}, and what it sent is not MCP.",
            hint="Check that the URL is the server's MCP endpoint.",
        )
    if ask.status >= 500:
        return SignInError(
            f"{server_url} answered {came}, so it is not known whether it asks for a sign-in.",
            hint="The fault is at the server, or at a gateway before it; try again later.",
        )
    return SignInError(
        f"{server_url} does not ask for a sign-in: it answered {came}, not with 401, and names no authorization "
        "server.",
        hint=f"Check the URL. {_API_KEY}",
    )


def says_nowhere(server_url: str, ask: SignInReason, problem: SignInError) -> SignInError:
    """The error where the server wants a token and names no authorization server; `problem` is that of its origin."""
    what = (
        f"{server_url} requires a token and does not say where to get one: it has no protected resource metadata, "
        f"and at its origin: {problem.message.rstrip('.')}"
    )
    return SignInError(
        with_words(what, ask.said),
        hint=f"{_API_KEY} {problem.hint}",
    )
