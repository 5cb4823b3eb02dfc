"""What can go wrong on the way to a token, by what follows from it.

| error | what follows |
|---|---|
| `MetadataError` | the next place where the metadata may be is tried |
| `Unavailable` and those under it | the tokens are kept, and the same is tried later |
| `ClientUnknown` | a dynamic registration is made anew, once |
| `GrantRejected` | the stored tokens are cleared, or the person is asked again |
| `SignInRefused`, `TimedOut` | the host is told, and no tab is opened by itself for a while |
| any other `SignInError` | the host is told |
"""

from __future__ import annotations

from bridge.errors import BridgeError


class SignInError(BridgeError):
    """Signing in did not work. Its message names the step, the URL, what was expected and what came."""


class MetadataError(SignInError):
    """A metadata document is missing, malformed or must not be believed (RFC 8414 3.3, RFC 9728 3.3)."""


class RegistrationFailed(SignInError):
    """No client identifier is to be had (RFC 7591 3.2.2)."""


class RedirectUriRefused(RegistrationFailed):
    """The authorization server does not register this redirect URI (`invalid_redirect_uri`, RFC 7591 3.2.2)."""


class ClientUnknown(SignInError):
    """The authorization server does not know the client any more (`invalid_client`, RFC 6749 5.2)."""


class GrantRejected(SignInError):
    """The authorization server refused the code or the refresh token itself (`invalid_grant`, RFC 6749 5.2)."""


class SignInRefused(SignInError):
    """The person, or the authorization server, said no (RFC 6749 4.1.2.1, RFC 8628 3.5)."""


class TimedOut(SignInError):
    """Nobody finished signing in while there was time."""


class Unavailable(SignInError):
    """A server that is needed gave no usable answer, for a reason that may pass."""


class Unreachable(Unavailable):
    """No connection: what was to be sent never left."""


class Silent(Unavailable):
    """No answer in the time that is given for one."""


class TokenEndpointUnavailable(Unavailable):
    """The token endpoint gave no usable answer, for a reason that may pass. No token is lost by it."""
