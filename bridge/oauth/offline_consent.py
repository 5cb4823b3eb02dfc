"""Asking for the page of consent where a server gives a refresh token only after it.

An OpenID provider ignores the scope `offline_access` unless the request has `prompt=consent` too (OpenID Connect Core
11), and Google gives a refresh token only at the first consent. Without one, each expiry of the token opens a tab.

| the last sign-in at this issuer | is kept as | the next one sends `prompt=consent` |
|---|---|---|
| asked for a refresh token, without `prompt=consent`, and brought none | `wanted` | yes |
| sent it, and brought a refresh token | `helps` | yes: without it there would be none again |
| sent it, and brought none | `useless` | never again |
| anything else | | no |

It is never sent where consent may be an administrator's (`providers`).
"""

from __future__ import annotations

from bridge.oauth.providers import authorization_parameters, may_ask_for_consent
from bridge.oauth.record import Consent
from bridge.oauth.scopes import OFFLINE, split

_OFFLINE_PARAMETER = ("access_type", "offline")


def asks_for_refresh_token(issuer: str, scope: str) -> bool:
    """Whether a request with this scope asks the issuer for a refresh token."""
    return OFFLINE in split(scope) or _OFFLINE_PARAMETER in authorization_parameters(issuer)


def asks_for_consent(issuer: str, scope: str, known: Consent) -> bool:
    """Whether the next request sends `prompt=consent`."""
    wanted = known in {"wanted", "helps"} and may_ask_for_consent(issuer)
    return wanted and asks_for_refresh_token(issuer, scope)


def learned(issuer: str, scope: str, known: Consent, *, was_asked: bool, has_refresh_token: bool) -> Consent:
    """What is known after a sign-in. `was_asked`: it sent `prompt=consent`."""
    if was_asked:
        return "helps" if has_refresh_token else "useless"
    if has_refresh_token or known == "useless" or not asks_for_refresh_token(issuer, scope):
        return known
    return "wanted"
