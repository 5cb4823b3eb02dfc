"""The JWT bearer grant: a program shows an assertion of another issuer, such as its cloud (RFC 7523 2.1).

An assertion that was refused is not sent again: it does not become good by that, and some servers count it.
"""

from __future__ import annotations

from bridge.oauth.claims import describe_claims
from bridge.oauth.errors import GrantRejected, NeedsChange, SignInError
from bridge.oauth.grants import JWT_BEARER


def jwt_bearer_form(assertion: str, scope: str, resource: str | None) -> dict[str, str]:
    """The token request, without the client (RFC 7523 2.1, RFC 8707 2.2)."""
    form = {"grant_type": JWT_BEARER.value, "assertion": assertion}
    if scope:
        form["scope"] = scope
    if resource is not None:
        form["resource"] = resource
    return form


def assertion_refused(problem: SignInError, assertion: str, now: float, option: str = "--assertion") -> NeedsChange:
    """The error for an assertion that the token endpoint refused at the time `now` (Unix seconds).

    `option` says where the user names it.
    """
    said = describe_claims(assertion, now)
    about = f" About the assertion: {said}." if said and isinstance(problem, GrantRejected) else ""
    hint = (
        f"It is not sent again; the next one from {option} is. Compare its audience, its expiry and its issuer with "
        "what the authorization server takes."
    )
    return NeedsChange(f"{problem.message}{about}", hint=problem.hint or hint)
