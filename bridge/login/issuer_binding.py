"""Holding a sign-in to the authorization server that its client belongs to; the rules are `oauth.issuer_binding`'s.

| when | what |
|---|---|
| the server has named its authorization servers | those that may be tried; an error where the bound one is not named |
| one of them has said who it is | an error where it is another; what is new about it is told, before a tab opens |
| the client is about to be shown, with its secret | it is bound, under a lock: of two sign-ins at once one is first |
| the tokens are kept | the issuer of the last sign-in is kept |
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

import msgspec

from bridge.config import SignInSettings
from bridge.errors import BridgeError
from bridge.login.discovery import DiscoveredServers
from bridge.login.user_warnings import Warnings
from bridge.oauth.errors import SignInError
from bridge.oauth.issuer_binding import Binding, Issuers, binding_of, first_use, in_order, moved, refusal, unreadable
from bridge.oauth.record import Record

_logger = logging.getLogger("bridge.login")


class KeptIssuers(Protocol):
    """Where the issuers of a server and a profile are kept."""

    forget: str
    """The command that forgets them, as it is typed."""

    def read(self) -> Issuers:
        """What is kept; quick. Raises `BridgeError` where it is damaged or not to be trusted."""

    async def change(self, change: Callable[[Issuers], Issuers]) -> None:
        """Keep what `change` makes of it, alone on the machine.

        Raises `BridgeError` where it cannot be kept, or what is there not be read, and whatever `change` raises.
        """


class Bound:
    """One sign-in to the server at `server_url`, held to one authorization server where its client belongs to one."""

    def __init__(self, server_url: str, settings: SignInSettings, kept: KeptIssuers, warnings: Warnings) -> None:
        self._server_url = server_url
        self._option = settings.issuer
        self._client_id = settings.client_id
        self._has_secret = bool(settings.client_secret)
        self._kept = kept
        self._warnings = warnings
        self._binding = Binding()

    def begin(self, found: DiscoveredServers, previous: Record | None) -> tuple[str, ...]:
        """The authorization servers to try, in order. Raises `SignInError` where none of them may be."""
        self._binding = binding_of(self._option, self._client_id, self._read(), previous)
        if found.is_guessed:
            return found.issuers  # Nobody named it: what it calls itself is checked.
        issuers = in_order(self._binding, found.issuers)
        if not issuers:
            raise self._refusal(self._binding, *found.issuers)
        return issuers

    def check(self, issuer: str) -> None:
        """Raise `SignInError` unless the client may be used at this issuer, and tell what is new about it."""
        if self._binding.issuer not in {"", issuer}:
            raise self._refusal(self._binding, issuer)
        if warning := moved(self._binding, issuer, self._server_url):
            self._warnings.add(warning)
        if told := first_use(self._binding, issuer, self._server_url, has_secret=self._has_secret):
            _logger.log(logging.WARNING if self._has_secret else logging.INFO, "%s", told)

    async def use(self, issuer: str) -> None:
        """The client is about to be shown there: it belongs there from now on.

        Raises `SignInError` where another sign-in has bound it elsewhere meanwhile.
        """
        client_id = self._client_id
        if client_id is None:
            return

        def bind(issuers: Issuers) -> Issuers:
            kept = issuers.clients.get(client_id, issuer)
            if kept != issuer and self._option is None:
                raise self._refusal(Binding(issuer=kept, source="kept", client_id=client_id), issuer)
            return issuers.bound(client_id, issuer)

        try:
            await self._kept.change(bind)
        except SignInError:
            raise
        except BridgeError as problem:
            bind(self._read())  # Another sign-in may have bound it all the same.
            _logger.warning(
                "the bridge cannot remember that the client %s belongs to %s; pass --issuer to say so each time: %s",
                client_id,
                issuer,
                problem,
            )

    async def signed_in(self, issuer: str) -> None:
        """The user has signed in there."""
        try:
            await self._kept.change(lambda issuers: msgspec.structs.replace(issuers, last=issuer))
        except BridgeError as problem:
            _logger.debug("the authorization server of this sign-in cannot be kept: %s", problem)

    def _read(self) -> Issuers:
        try:
            return self._kept.read()
        except BridgeError as problem:
            if self._client_id is not None and self._option is None:
                raise unreadable(problem.message, self._client_id, self._kept.forget) from problem
            _logger.warning("it is not known where you signed in to %s the last time: %s", self._server_url, problem)
            return Issuers()

    def _refusal(self, binding: Binding, *named: str) -> SignInError:
        return refusal(binding, named, self._server_url, self._kept.forget)
