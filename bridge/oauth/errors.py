"""The errors of signing in, by what the bridge does about them.

| error | what the bridge does |
|---|---|
| `MetadataError` | tries the next URL where the metadata may be |
| `Unavailable` and its subclasses | keeps the tokens, and tries again later |
| `ClientUnknown` | registers a new client, once, if the client was registered dynamically |
| `GrantRejected` | clears the stored tokens, or asks the user to sign in again |
| `SignInRefused`, `TimedOut` | tells the host, and opens no tab unasked for a while |
| `AnotherAccount` | uses and stores none of its tokens, and tells the host |
| `NeedsChange` and its subclasses | tells the host, and not to try again before that |
| any other `SignInError` | tells the host |
"""

from __future__ import annotations

from bridge.errors import BridgeError


class SignInError(BridgeError):
    """Signing in failed. The message names the step, the URL, what was expected and what came.

    `needs_change`: another sign-in ends in the same way until the user or an operator has changed something.
    """

    needs_change = False


class NeedsChange(SignInError):
    """Something has to be changed before another sign-in; the hint says what."""

    needs_change = True


class MetadataError(NeedsChange):
    """A metadata document is missing, malformed or must not be believed (RFC 8414 3.3, RFC 9728 3.3)."""


class RegistrationFailed(NeedsChange):
    """No client identifier could be obtained (RFC 7591 3.2.2)."""


class RedirectUriRefused(RegistrationFailed):
    """The authorization server does not register this redirect URI (`invalid_redirect_uri`, RFC 7591 3.2.2)."""


class ClientUnknown(NeedsChange):
    """The authorization server does not know the client (`invalid_client`, RFC 6749 5.2)."""


class GrantRejected(SignInError):
    """The authorization server refused the code or the refresh token itself (`invalid_grant`, RFC 6749 5.2)."""


class SignInRefused(SignInError):
    """The user or the authorization server denied access (RFC 6749 4.1.2.1, RFC 8628 3.5)."""


class AnotherAccount(SignInError):
    """The tokens are those of another account than the one that the sign-in belongs to (`oauth.pinned_identity`)."""


class TimedOut(SignInError):
    """The user did not finish signing in within the time limit."""


class Unavailable(SignInError):
    """A server gave no usable answer, for a reason that may be temporary."""


class Unreachable(Unavailable):
    """No connection was made, so the request was not sent."""


class Silent(Unavailable):
    """No answer came within the time limit."""


class TokenEndpointUnavailable(Unavailable):
    """The token endpoint gave no usable answer, for a reason that may be temporary. No token is lost."""
