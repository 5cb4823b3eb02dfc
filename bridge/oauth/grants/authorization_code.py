"""The token request of the authorization code grant; `request` has the request before it, `callback` its answer."""

from __future__ import annotations

from bridge.oauth.grants import AUTHORIZATION_CODE
from bridge.oauth.request import AuthorizationRequest


def code_form(pending: AuthorizationRequest, code: str) -> dict[str, str]:
    """The token request that exchanges a code (RFC 6749 4.1.3, RFC 7636 4.5, RFC 8707 2.2), without the client."""
    form = {
        "grant_type": AUTHORIZATION_CODE.value,
        "code": code,
        "redirect_uri": pending.redirect_uri,
        "code_verifier": pending.verifier,
    }
    if pending.resource is not None:
        form["resource"] = pending.resource
    return form
