"""The token request of the refresh token grant (RFC 6749 6)."""

from __future__ import annotations

from bridge.oauth.grants import REFRESH_TOKEN


def refresh_form(refresh_token: str, scope: str, resource: str | None) -> dict[str, str]:
    """The token request that renews a token, without the client (RFC 6749 6, RFC 8707 2.2).

    The scope is repeated: without it some servers grant less, or refuse.
    """
    form = {"grant_type": REFRESH_TOKEN.value, "refresh_token": refresh_token}
    if scope:
        form["scope"] = scope
    if resource is not None:
        form["resource"] = resource
    return form
