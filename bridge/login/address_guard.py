"""The addresses that a sign-in connects to: each host is looked up once, and connected to at the addresses it passed.

`oauth.reach` has the rules, and this module finds what they need. The MCP server's own reach comes from the first row
that applies:

| source | case |
|---|---|
| its URL, if it names this machine | any |
| the address that its refusal came from | the server refused a request of the relay |
| the address that its first answer came from | nothing was refused yet, because the user runs a command |
| the record of the sign-in | tokens are renewed or revoked |
| all addresses of its name together | the same, with a record of an earlier version |
| the form of its URL | a proxy connects to it, or it has not answered yet |

| host | judged |
|---|---|
| one that a proxy looks up | by its form, because the bridge does not see the addresses |
| the MCP server's own | addresses that it must not lead to are left out; its own origin may have the server's reach |
| any other | one address that the server must not lead to refuses all of them |

Until the server's reach is known, its own origin may be at any address. Addresses of this machine are left out if its
name has a public address too, as in the relay. When tokens are renewed or revoked, this machine may be in another
network than at the sign-in, so the origin may be at any address except those of this machine.
"""

from __future__ import annotations

import socket
from urllib.parse import SplitResult, urlsplit

from bridge.config import ascii_url
from bridge.login.failures import SERVER
from bridge.login.network import Network
from bridge.loopback import is_localhost, localhost_addresses
from bridge.oauth.addresses import authorization_base
from bridge.oauth.errors import MetadataError, SignInError, Unreachable
from bridge.oauth.reach import (
    ALLOWED,
    Reach,
    allowed_reaches,
    common_reach,
    first_not_allowed,
    is_local_name,
    reach_by_name,
    reach_of,
    read_reach,
)
from bridge.protocol import sanitize
from bridge.protocol.unreachable import Reason, unreachable

_MOST_ADDRESSES = 6
_THIS_MACHINE = frozenset((Reach.LOOPBACK, Reach.LINK_LOCAL))
_WORDS = {
    Reach.LOOPBACK: "a loopback address",
    Reach.LINK_LOCAL: "a link-local address",
    Reach.PRIVATE: "a private address",
    Reach.SHARED: "a shared address (RFC 6598)",
    Reach.STAND_IN: "a stand-in address (198.18.0.0/15)",
    Reach.NONE: "not the address of a host",
    Reach.PUBLIC: "a public address",
}


class AddressGuard:
    """Judges the hosts that the MCP server at `server_url` leads to.

    `refused_at` is the address that its refusal came from, empty if a proxy was between, None if it refused nothing
    yet. `kept` is the reach in the record of the sign-in; None during a sign-in.
    """

    def __init__(
        self,
        server_url: str,
        network: Network,
        *,
        allow_private: bool,
        refused_at: str | None = None,
        kept: str | None = None,
    ) -> None:
        self._server = urlsplit(ascii_url(server_url))
        self._host = _host_of(self._server)
        self._origin = authorization_base(self._server.geturl())
        self._network = network
        self._allow_private = allow_private
        self._kept = kept
        self._names_this_machine = reach_by_name(self._host) is Reach.LOOPBACK
        self._reach = reach_of(refused_at) if refused_at else None
        self._learns = refused_at is None and kept is None

    @property
    def reach(self) -> str:
        """The MCP server's reach, for the record of this sign-in; empty if its address is not known."""
        return self._reach or ""

    def is_own(self, parts: SplitResult) -> bool:
        """Whether a URL is on the MCP server's own origin."""
        return authorization_base(parts.geturl()) == self._origin

    def answered(self, parts: SplitResult, address: str) -> None:
        """Note the address that an answer came from; empty if a proxy was between."""
        if self._learns and self.is_own(parts):
            self._learns = False
            self._reach = reach_of(address)

    async def addresses(self, parts: SplitResult, what: str) -> list[str]:
        """The addresses to connect to, at least one; none if a proxy looks the name up.

        Raises `MetadataError` for a URL that must not be requested, `Unreachable` if its name cannot be looked up.
        """
        host, is_own = _host_of(parts), self.is_own(parts)
        server = self._known_reach() or reach_by_name(self._host) if is_own else await self._server_reach()
        opens = allowed_reaches(server, names_this_machine=self._names_this_machine, allow_private=self._allow_private)
        if self._is_proxied(parts):
            if not is_own and not _by_form(host, opens):
                raise self._refused(parts, host, server, what)
            return []
        if is_own:
            opens = self._open_at_home(opens)
        elif not _by_form(host, opens):
            raise self._refused(parts, host, server, what)
        found = await self._found(parts, what)
        if host == self._host:
            if any(reach_of(address) is Reach.PUBLIC for address in found):
                opens -= _THIS_MACHINE
            usable = [address for address in found if reach_of(address) in opens]
        else:
            usable = [] if first_not_allowed(found, opens) else found
        if not usable:
            raise self._refused(parts, first_not_allowed(found, opens) or host, server, what)
        return usable[:_MOST_ADDRESSES]

    def _open_at_home(self, opens: frozenset[Reach]) -> frozenset[Reach]:
        """The reaches that the server's own origin may have."""
        if self._names_this_machine or (self._reach is None and not self._kept):
            return frozenset(Reach)
        if self._reach is not None:
            return opens | {self._reach}
        return frozenset(Reach) - (_THIS_MACHINE - {read_reach(self._kept or "")})

    def _is_proxied(self, parts: SplitResult) -> bool:
        return self._network.proxy_for(parts.geturl()) is not None

    def _known_reach(self) -> Reach | None:
        """The server's reach, if it is known without a lookup."""
        if self._names_this_machine:
            return Reach.LOOPBACK
        return self._reach or read_reach(self._kept or "")

    async def _server_reach(self) -> Reach:
        if (known := self._known_reach()) is not None:
            return known
        by_name = reach_by_name(self._host)
        if self._kept is None or self._is_proxied(self._server):
            return by_name
        try:
            return common_reach(await self._found(self._server, SERVER))
        except Unreachable:
            return by_name

    async def _found(self, parts: SplitResult, what: str) -> list[str]:
        """All addresses of a host, in the order in which to try them."""
        host = _host_of(parts)
        if reach_of(host) is not None:
            return [host]
        if known := localhost_addresses(host):
            return list(known)
        try:
            found = await self._network.resolve(host, parts.port or (443 if parts.scheme == "https" else 80))
        except (OSError, ValueError) as problem:
            is_silent = isinstance(problem, TimeoutError) or getattr(problem, "errno", None) == socket.EAI_AGAIN
            reason: Reason = "silent-name-service" if is_silent else "unknown-name"
            where = parts.geturl() if what == SERVER else f"the {what} {sanitize.address(parts.geturl())}"
            told = unreachable(reason, where, host)
            raise Unreachable(told.message, hint=told.hint) from None
        return list(dict.fromkeys(found))

    def _refused(self, parts: SplitResult, address: str, server: Reach, what: str) -> SignInError:
        reach = reach_by_name(address)
        hint = "A server cannot have such an address; tell the server's operator."
        if reach in ALLOWED:
            hint = "If this is right for your network, pass --allow-private."
        elif reach in _THIS_MACHINE:
            hint = (
                "Only a server whose own URL names this machine, such as http://localhost:8000/mcp, may lead there; "
                "--allow-private does not change that."
            )
        return MetadataError(
            f"The {what} {sanitize.address(parts.geturl())} leads to {address}, which is {_WORDS[reach]}, but the MCP "
            f"server is at {_WORDS[server]}. Nothing was sent there.",
            hint=hint,
        )


def _host_of(parts: SplitResult) -> str:
    return (parts.hostname or "").lower()


def _by_form(host: str, opens: frozenset[Reach]) -> bool:
    """Whether a host passes by its form. The address of a local name is judged when it is looked up."""
    if is_local_name(host) and not is_localhost(host):
        return bool(opens & ALLOWED)
    return reach_by_name(host) in opens
