"""Scopes: which to request, and what to report about those granted (RFC 6749 3.3, MCP Scope Selection Strategy).

The first source that exists decides:

| source | requested scopes |
|---|---|
| `--scope` | exactly these |
| the challenge's `scope` | these, and `offline_access` if the authorization server lists it |
| the protected resource's `scopes_supported` | the same |
| none | the parameter is left out |
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from bridge.protocol.sanitize import quoted

if TYPE_CHECKING:
    from bridge.oauth.record import Record

OFFLINE = "offline_access"

_SCOPE = r"[\x21\x23-\x5b\x5d-\x7e]{1,256}"
_MAX_SCOPES = 200


def split(scope: str) -> tuple[str, ...]:
    """The scopes of a space-delimited list, each once, in order; invalid ones are left out."""
    return clean(scope.split(" "))


def clean(scopes: Iterable[str]) -> tuple[str, ...]:
    """The valid scopes (RFC 6749 3.3), each once, in order."""
    return tuple(dict.fromkeys(scope for scope in scopes if re.fullmatch(_SCOPE, scope)))[:_MAX_SCOPES]


def union(*sets: Iterable[str]) -> tuple[str, ...]:
    """All scopes, each once, in order."""
    return clean(scope for scopes in sets for scope in scopes)


def named(scopes: Iterable[str]) -> str:
    """Scopes for a sentence, in quotation marks because they can spell any text. A URL is cut to its last part."""
    return quoted(" ".join(f".../{scope.rpartition('/')[2]}" if "://" in scope else scope for scope in scopes))


def choose(
    pinned: str | None,
    challenged: Sequence[str],
    resource_scopes: Sequence[str] | None,
    server_scopes: Sequence[str] | None,
) -> tuple[str, ...]:
    """The scopes to request, by the table above; empty means that the parameter is left out."""
    if pinned is not None:
        return split(pinned)
    listed = OFFLINE in (server_scopes or ())
    # A challenge is authoritative. `offline_access` from elsewhere counts only if the authorization server lists it.
    chosen = clean(challenged) or tuple(scope for scope in clean(resource_scopes or ()) if listed or scope != OFFLINE)
    return union(chosen, (OFFLINE,)) if chosen and listed else chosen


def missing(wanted: Iterable[str], granted: str | None, asked: str) -> tuple[str, ...]:
    """The scopes that were not granted. An answer without `scope` grants all that were requested (RFC 6749 5.1)."""
    had = set(split(asked if granted is None else granted))
    return tuple(scope for scope in clean(wanted) if scope not in had)


def remark(asked: str, granted: str | None) -> str:
    """A sentence about requested scopes that were not granted, or have other names in the answer; else empty."""
    if granted is None or not asked:
        return ""
    wanted, had = set(split(asked)) - {OFFLINE}, set(split(granted))
    if wanted <= had:
        return ""
    parts = []
    if (apart := _other_delimiter(granted)) & (wanted - had):
        had |= apart
        parts.append("separates scopes by something other than a space, and may read them as one unknown scope")
    lost = [scope for scope in split(asked) if scope in wanted - had]
    similar = {scope: other for scope in lost for other in sorted(had) if _alike(scope, other)}
    if similar:
        pairs = ", ".join(f"'{other}' for '{scope}'" for scope, other in similar.items())
        parts.append(f"granted scopes under other names ({pairs}), and may not treat them as the same")
    if lost := [scope for scope in lost if scope not in similar]:
        parts.append(f"did not grant {', '.join(lost)}, so requests that need it may be refused")
    return f"The server {'; it '.join(parts)} (requested '{asked}', granted '{granted[:300]}')."


def _other_delimiter(granted: str) -> set[str]:
    return {part for part in re.split(r"[,;+|\s]+", granted) if part} if re.search(r"[,;+|]", granted) else set()


def _alike(one: str, other: str) -> bool:
    return one != other and _stem(one) == _stem(other)


def _stem(scope: str) -> str:
    # 'orgs:write' and 'org.write' have the same stem: letters only, each word without its plural s.
    return "".join(word.removesuffix("s") for word in re.split(r"[^a-z0-9]+", scope.lower()))


def wider_scope(lacks: Sequence[str] | None, previous: Record | None) -> str | None:
    """The scope for which a sign-in asks because a request lacks `lacks`; None for any other sign-in."""
    return None if lacks is None else " ".join(union(split(previous.asked if previous else ""), tuple(lacks)))
