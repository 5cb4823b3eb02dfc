"""The reason for a sign-in, and the errors if the server requires none or does not say where to sign in."""

from __future__ import annotations

import msgspec

from bridge.oauth.errors import NeedsChange, SignInError
from bridge.oauth.other_credential import OtherCredential
from bridge.oauth.record import Record
from bridge.protocol.sanitize import with_words
from bridge.session.faults import status_name

WANTS_TOKEN = frozenset((401, 403))
"""The statuses with which a server requires a token."""

_API_KEY = (
    "If the server takes an API key, put the whole value of the header into an environment variable AUTH and pass "
    "--header 'Authorization:${AUTH}'."
)


class SignInReason(msgspec.Struct, frozen=True):
    """The reason for a sign-in.

    `resource_metadata` and `challenged` (scopes) come from the challenge. `previous` is the record of the last sign-in.
    `widens` means that the server required more scopes. `status` is the server's answer, `said` its words, and
    `is_open` means that it answered MCP without a token. The last page uses `back`, where the user came from ("the
    terminal" or the host's name), and `again`, a sentence that says how to sign in again. `leave` is the command that
    ends the sign-in before. `wants` is what the server asked for instead of a token, if it did.
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
    leave: str = ""
    wants: OtherCredential | None = None


def sign_in_not_required(server_url: str, ask: SignInReason) -> SignInError:
    """The error for a server that does not seem to require a token."""
    came = f"a request without a token (server/discover) with {status_name(ask.status)}"
    if ask.is_open:
        return SignInError(
            f"{server_url} does not require a sign-in: it answered {came}.",
            hint="Use the server in your host without signing in.",
        )
    if ask.status < 300:
        return SignInError(
            f"{server_url} does not require a sign-in: it answered {came}, but its answer is not MCP.",
            hint="Check that the URL is the server's MCP endpoint.",
        )
    if ask.status >= 500:
        return SignInError(
            f"{server_url} answered {came}, so it is not known whether it requires a sign-in.",
            hint="The server or a gateway in front of it has a problem; try again later.",
        )
    return SignInError(
        f"{server_url} does not require a sign-in: it answered {came} instead of 401, and names no authorization "
        "server.",
        hint=f"Check the URL. {_API_KEY}",
    )


def no_authorization_server(server_url: str, ask: SignInReason, problem: SignInError) -> SignInError:
    """The error for a server that requires a token but names no authorization server.

    `problem` is what went wrong at the server's own origin.
    """
    if ask.wants is not None:
        wanted = f"{server_url} wants {ask.wants.what} in the header {ask.wants.header}, not a sign-in"
        return NeedsChange(with_words(wanted, ask.said), hint=ask.wants.hint)
    what = (
        f"{server_url} requires a token but does not say where to get one. It has no protected resource metadata, and "
        f"its own origin does not offer a sign-in either: {problem.message.rstrip('.')}"
    )
    return NeedsChange(
        with_words(what, ask.said),
        hint=f"{_API_KEY} {problem.hint}",
    )
