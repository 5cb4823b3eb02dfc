"""Which authorization server a client belongs to, and what happens when an MCP server names another one.

MCP 2026-07-28, Client Registration, "Authorization Server Binding": clients with pre-registered credentials "MUST
associate those credentials with the specific authorization server that issued them, keyed by the authorization server's
`issuer` identifier", "MUST NOT reuse client credentials from a different authorization server", and where the protected
resource metadata indicates another one, "SHOULD surface an error rather than silently attempting to use mismatched
credentials".

The first row that applies decides:

| source | clients that it binds | if the server names another issuer |
|---|---|---|
| the user's `--issuer` | every client | refused |
| the first use of this client with this server and profile | a client that the user registered | refused |
| the record of the last sign-in, written by a version that kept no bindings | the same | refused |
| the last sign-in with this server and profile | none | a warning that names both issuers |

- A client that the user registered is bound even without a secret. The section speaks of credentials, and "client
  identifiers are unique to the authorization server that issued them" (Authorization Server Discovery; RFC 6749 2.2):
  at another server the identifier is unknown, or belongs to another client.
- A Client ID Metadata Document is "portable across authorization servers" (the same section), and a dynamic
  registration is stored under its issuer (`record.client_key`). Neither can reach another authorization server, so
  for these the user is only warned.
- Another `--client-id` is bound anew. Signing out does not remove a binding; `logout --registration` does.
- Issuers are compared as strings (RFC 8414 3.3, RFC 9207 2.4), so a slash at the end makes another issuer. If the user
  types it wrong, the error shows the right spelling.
"""

from __future__ import annotations

import hashlib
import re
from typing import Literal

import msgspec

from bridge.oauth.errors import NeedsChange, SignInError
from bridge.oauth.record import Record
from bridge.protocol.sanitize import address

_FORMAT = 1
_LONGEST = 300
_TYPED = r"[A-Za-z0-9_./:@%+=,~-]+"  # No shell gives these characters a meaning of its own.

Source = Literal["", "option", "kept"]


class Issuers(msgspec.Struct, frozen=True, kw_only=True):
    """The issuers used with a server and profile: by each client that the user registered, and in the last sign-in."""

    format: int = _FORMAT
    last: str = ""
    clients: dict[str, str] = {}

    def bound(self, client_id: str, issuer: str) -> Issuers:
        """A copy in which this client belongs to this issuer."""
        return msgspec.structs.replace(self, clients={**self.clients, client_id: issuer})

    def without(self, client_id: str | None) -> Issuers:
        """A copy without this client's issuer and without that of the last sign-in."""
        return Issuers(clients={own: issuer for own, issuer in self.clients.items() if own != client_id})


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """The issuer that one sign-in is bound to (empty for none), and what bound it.

    `before` is the issuer of the last sign-in, empty if none is known. `client_id` is the client that the user
    registered, None if there is none.
    """

    issuer: str = ""
    source: Source = ""
    before: str = ""
    client_id: str | None = None


def issuers_key(server: str, profile: str) -> str:
    """The name under which the issuers of a server and a profile are stored."""
    return f"server-{hashlib.sha256(chr(0).join((server, profile)).encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"


def encode_issuers(issuers: Issuers) -> bytes:
    """The issuers as they are stored."""
    return msgspec.json.encode(issuers)


def decode_issuers(data: bytes) -> Issuers | None:
    """Read stored issuers; None if they are damaged or have a later format."""
    try:
        issuers = msgspec.json.decode(data, type=Issuers)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return issuers if issuers.format == _FORMAT else None


def binding_of(option: str | None, client_id: str | None, issuers: Issuers, previous: Record | None) -> Binding:
    """The binding by the table above. `option` is `--issuer`, `previous` the record of the last sign-in."""
    before = issuers.last or (previous.issuer if previous else "")
    if option is not None:
        return Binding(issuer=option, source="option", before=before, client_id=client_id)
    kept = ""
    if client_id is not None:
        kept = issuers.clients.get(client_id, "")
        if not kept and previous and previous.client.kind == "static" and previous.client.client_id == client_id:
            kept = previous.issuer
    return Binding(issuer=kept, source="kept" if kept else "", before=before, client_id=client_id)


def issuers_to_try(binding: Binding, named: tuple[str, ...]) -> tuple[str, ...]:
    """The issuers to try, in order, of those that a server names; empty if it does not name the bound one.

    If there is no binding, the issuer of the last sign-in comes first: the user has signed in there before.
    """
    if binding.issuer:
        return (binding.issuer,) if binding.issuer in named else ()
    return tuple(sorted(named, key=lambda issuer: issuer != binding.before))


def binding_error(binding: Binding, named: tuple[str, ...], server_url: str, forget: str) -> SignInError:
    """The error for a server that does not name the bound issuer; `forget` is the command that removes the binding."""
    issuers = ", ".join(address(issuer) for issuer in named[:5])
    names = f"{server_url} names {issuers} as its authorization server"
    slash = " (the slash at the end counts)" if any(_differ_in_slash(one, binding.issuer) for one in named) else ""
    if binding.source == "option":
        return NeedsChange(
            f"{names}, but --issuer allows only {address(binding.issuer)}{slash}. The sign-in was not started.",
            hint=f"If the server is right, pass --issuer {shell_safe(named[0])} instead.",
        )
    return NeedsChange(
        f"{names}, but the client {binding.client_id} belongs to {address(binding.issuer)}{slash}, where it was used "
        "first. So the client was not sent to another server.",
        hint="If you do not know why the server changed it, tell the server's operator. If you do, and the client is "
        f"registered there, pass --issuer {shell_safe(named[0])}, or forget the old one with: {forget}",
    )


def first_use_notice(binding: Binding, issuer: str, server_url: str, *, has_secret: bool) -> str:
    """What the user is told when their client is about to be used at an issuer for the first time; else empty."""
    if binding.issuer or binding.client_id is None:
        return ""
    what = "The secret of the client" if has_secret else "The client"
    return (
        f"{what} {binding.client_id} is sent to {address(issuer)} for the first time, because {server_url} names that "
        f"as its authorization server. From now on it is sent to no other. To choose it yourself, pass --issuer "
        f"{shell_safe(issuer)}."
    )


def new_issuer_warning(binding: Binding, issuer: str, server_url: str) -> str:
    """The warning for a server that names another authorization server than in the last sign-in; else empty.

    There is no warning about the bound issuer, because the user chose it.
    """
    if binding.issuer or binding.before in {"", issuer}:
        return ""
    return (
        f"{server_url} now sends you to {address(issuer)} to sign in. Last time it was {address(binding.before)}. "
        "Continue only if you know why."
    )


def wrong_issuer(binding: Binding, issuer: str) -> SignInError | None:
    """The error for tokens that must not be renewed or revoked, because another issuer is bound; else None."""
    if not binding.issuer or binding.issuer == issuer:
        return None
    by = "--issuer allows only" if binding.source == "option" else f"the client {binding.client_id} belongs to"
    return SignInError(
        f"The tokens are from {address(issuer)}, but {by} {address(binding.issuer)}.", hint="Sign in again."
    )


def unreadable_binding(problem: str, client_id: str, forget: str) -> SignInError:
    """The error if the binding of the user's client cannot be read; `problem` is a sentence."""
    return SignInError(
        f"The authorization server that the client {client_id} belongs to could not be read, so the client is sent to "
        f"none: {problem}",
        hint=f"Pass --issuer URL with the right one, or forget what is stored with: {forget}",
    )


def _differ_in_slash(one: str, other: str) -> bool:
    return one != other and one.rstrip("/") == other.rstrip("/")


def shell_safe(issuer: str) -> str:
    """The issuer as it can be typed in any shell; `URL` in place of one that a shell might interpret."""
    return issuer if re.fullmatch(_TYPED, issuer) and len(issuer) <= _LONGEST else "URL"
