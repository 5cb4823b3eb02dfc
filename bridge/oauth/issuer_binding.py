"""Which authorization server a client belongs to, and what follows where an MCP server names another.

MCP 2026-07-28, Client Registration, "Authorization Server Binding": clients with pre-registered credentials "MUST
associate those credentials with the specific authorization server that issued them, keyed by the authorization server's
`issuer` identifier", "MUST NOT reuse client credentials from a different authorization server", and where the protected
resource metadata indicates another one, "SHOULD surface an error rather than silently attempting to use mismatched
credentials".

What counts, the first that there is:

| who says it | whom it binds | any other issuer |
|---|---|---|
| the user, with `--issuer` | every client | refused |
| the first use of this client at this server, in this profile | a client of the user's | refused |
| the record of the last sign-in, of a version that kept nothing else | a client of the user's | refused |
| the last sign-in at this server, in this profile | nobody | a warning with both |

- A client of the user's is bound without a secret too. The section speaks of credentials, and "client identifiers are
  unique to the authorization server that issued them" (Authorization Server Discovery; RFC 6749 2.2): elsewhere the
  identifier is nobody's, or another's.
- A Client ID Metadata Document is "portable across authorization servers", says the same section, and a dynamic
  registration is kept under its issuer (`record.client_key`), so neither can go to another: those are only warned of.
- Another client (`--client-id`) is bound anew. Signing out changes nothing; `logout --registration` forgets.
- Issuers are compared as RFC 8414 3.3 and RFC 9207 2.4 do, as strings. A slash at the end makes another issuer: the
  document that is believed has to name exactly this one, so what is kept is exact as well. Only the user may type it
  wrong, and then the error shows the spelling that is wanted.
"""

from __future__ import annotations

import hashlib
import re
from typing import Literal

import msgspec

from bridge.oauth.errors import SignInError
from bridge.oauth.record import Record
from bridge.protocol.sanitize import address

_FORMAT = 1
_LONGEST = 300
_TYPED = r"[A-Za-z0-9_./:@%+=,~-]+"  # What no shell reads as anything else.

Source = Literal["", "option", "kept"]


class Issuers(msgspec.Struct, frozen=True, kw_only=True):
    """The issuers that were used at a server in a profile: by each client of the user's, and in the last sign-in."""

    format: int = _FORMAT
    last: str = ""
    clients: dict[str, str] = {}

    def bound(self, client_id: str, issuer: str) -> Issuers:
        """With a client of the user's that belongs to this issuer."""
        return msgspec.structs.replace(self, clients={**self.clients, client_id: issuer})

    def without(self, client_id: str | None) -> Issuers:
        """With neither this client's issuer nor the last sign-in's."""
        return Issuers(clients={own: issuer for own, issuer in self.clients.items() if own != client_id})


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for one sign-in: the issuer it is bound to, empty for none, and by what.

    `before` is the issuer of the last sign-in, empty where none is known. `client_id` is a client of the user's.
    """

    issuer: str = ""
    source: Source = ""
    before: str = ""
    client_id: str | None = None


def issuers_key(server: str, profile: str) -> str:
    """Where the issuers of a server and a profile are kept."""
    return f"server-{hashlib.sha256(chr(0).join((server, profile)).encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"


def encode_issuers(issuers: Issuers) -> bytes:
    """They as they are stored."""
    return msgspec.json.encode(issuers)


def decode_issuers(data: bytes) -> Issuers | None:
    """Read what was stored; None where it is damaged, or of a later format."""
    try:
        issuers = msgspec.json.decode(data, type=Issuers)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return issuers if issuers.format == _FORMAT else None


def binding_of(option: str | None, client_id: str | None, issuers: Issuers, previous: Record | None) -> Binding:
    """The binding by the table above. `option` is `--issuer`, `previous` what was kept of the last sign-in."""
    before = issuers.last or (previous.issuer if previous else "")
    if option is not None:
        return Binding(issuer=option, source="option", before=before, client_id=client_id)
    kept = ""
    if client_id is not None:
        kept = issuers.clients.get(client_id, "")
        if not kept and previous and previous.client.kind == "static" and previous.client.client_id == client_id:
            kept = previous.issuer
    return Binding(issuer=kept, source="kept" if kept else "", before=before, client_id=client_id)


def in_order(binding: Binding, named: tuple[str, ...]) -> tuple[str, ...]:
    """Which of the issuers that a server names are to be tried, in order; empty where it does not name the bound one.

    Where nothing is bound, the one of the last sign-in comes first: the user has signed in there before.
    """
    if binding.issuer:
        return (binding.issuer,) if binding.issuer in named else ()
    return tuple(sorted(named, key=lambda issuer: issuer != binding.before))


def refusal(binding: Binding, named: tuple[str, ...], server_url: str, forget: str) -> SignInError:
    """The error where a server names other issuers than the bound one; `forget` is the command that forgets that."""
    issuers = ", ".join(address(issuer) for issuer in named[:5])
    names = f"{server_url} names {issuers} as its authorization server"
    slash = " (the slash at the end counts)" if any(_differ_in_slash(one, binding.issuer) for one in named) else ""
    if binding.source == "option":
        return SignInError(
            f"{names}, and --issuer allows only {address(binding.issuer)}{slash}, so nothing was sent there.",
            hint=f"If the server is right, pass --issuer {typed(named[0])} instead.",
        )
    return SignInError(
        f"{names}, and the client {binding.client_id} belongs to {address(binding.issuer)}{slash}, where it was used "
        "first. It was not shown to another.",
        hint="Unless you know that the server has moved, tell its operator. If it has, and the client is known there, "
        f"pass --issuer {typed(named[0])}, or forget the old one with: {forget}",
    )


def first_use(binding: Binding, issuer: str, server_url: str, *, has_secret: bool) -> str:
    """What is told where a client of the user's is about to be used at an issuer for the first time; else empty."""
    if binding.issuer or binding.client_id is None:
        return ""
    what = "The secret of the client" if has_secret else "The client"
    return (
        f"{what} {binding.client_id} goes to {address(issuer)} for the first time, for {server_url} names that as its "
        f"authorization server; from then on it goes to no other. --issuer {typed(issuer)} says so from the start."
    )


def moved(binding: Binding, issuer: str, server_url: str) -> str:
    """The warning where a server names another authorization server than in the last sign-in; else empty.

    Nothing is said of the bound issuer: the user knows it.
    """
    if binding.issuer or binding.before in {"", issuer}:
        return ""
    return (
        f"{server_url} now sends you to {address(issuer)} to sign in; the last time it was {address(binding.before)}. "
        "Go on only if you know why."
    )


def held_back(binding: Binding, issuer: str) -> SignInError | None:
    """The error where the tokens of an issuer are not to be renewed or revoked there, for it is not the bound one."""
    if not binding.issuer or binding.issuer == issuer:
        return None
    by = "--issuer allows only" if binding.source == "option" else f"the client {binding.client_id} belongs to"
    return SignInError(
        f"The tokens are from {address(issuer)}, and {by} {address(binding.issuer)}.", hint="Sign in again."
    )


def unreadable(problem: str, client_id: str, forget: str) -> SignInError:
    """The error where it cannot be read which issuer a client of the user's belongs to; `problem` is a sentence."""
    return SignInError(
        f"It is not known any more which authorization server the client {client_id} belongs to, so it is shown to "
        f"none: {problem}",
        hint=f"Pass --issuer URL with the right one, or forget what is kept with: {forget}",
    )


def _differ_in_slash(one: str, other: str) -> bool:
    return one != other and one.rstrip("/") == other.rstrip("/")


def typed(issuer: str) -> str:
    """The issuer as it is typed in any shell: `URL` for one that a shell might read as a command."""
    return issuer if re.fullmatch(_TYPED, issuer) and len(issuer) <= _LONGEST else "URL"
