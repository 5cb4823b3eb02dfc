"""Keeping a client at the authorization server that it belongs to; `oauth.issuer_binding` has the rules.

| when | what happens |
|---|---|
| the server has named its authorization servers | those that may be tried are chosen; an error if none may be |
| the metadata of one has been read | an error if it is not the bound issuer; a warning if it is new |
| the client, and its secret, are about to be sent | the client is bound under a lock, so one of two sign-ins is first |
| the tokens are stored | the issuer of the last sign-in is stored |
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
from bridge.oauth.issuer_binding import (
    Binding,
    Issuers,
    binding_error,
    binding_of,
    first_use_notice,
    issuers_to_try,
    new_issuer_warning,
    unreadable_binding,
)
from bridge.oauth.record import Record

_logger = logging.getLogger("bridge.login")


class KeptIssuers(Protocol):
    """The store for the issuers of a server and a profile."""

    forget: str
    """The command that removes them, as the user types it."""

    def read(self) -> Issuers:
        """The stored issuers; does not block. Raises `BridgeError` if they are damaged or not to be trusted."""

    async def change(self, change: Callable[[Issuers], Issuers]) -> None:
        """Store what `change` returns, under a lock that all processes share.

        Raises `BridgeError` if the issuers cannot be read or stored, and whatever `change` raises.
        """


class Bound:
    """One sign-in to the server at `server_url`, and the authorization server that its client belongs to, if any."""

    def __init__(self, server_url: str, settings: SignInSettings, kept: KeptIssuers, warnings: Warnings) -> None:
        self._server_url = server_url
        self._option = settings.issuer
        self._client_id = settings.client_id
        self._has_secret = bool(settings.client_secret)
        self._kept = kept
        self._warnings = warnings
        self._binding = Binding()

    def begin(self, found: DiscoveredServers, previous: Record | None) -> tuple[str, ...]:
        """The authorization servers to try, in order. Raises `SignInError` if none may be tried."""
        self._binding = binding_of(self._option, self._client_id, self._read(), previous)
        if found.is_guessed:
            return found.issuers  # The server named none. `check` compares the issuer in the metadata.
        issuers = issuers_to_try(self._binding, found.issuers)
        if not issuers:
            raise self._refusal(self._binding, *found.issuers)
        return issuers

    def check(self, issuer: str) -> None:
        """Raise `SignInError` unless the client may be used at this issuer; warn if the issuer is new."""
        if self._binding.issuer not in {"", issuer}:
            raise self._refusal(self._binding, issuer)
        if warning := new_issuer_warning(self._binding, issuer, self._server_url):
            self._warnings.add(warning)
        if told := first_use_notice(self._binding, issuer, self._server_url, has_secret=self._has_secret):
            _logger.log(logging.WARNING if self._has_secret else logging.INFO, "%s", told)

    async def use(self, issuer: str) -> None:
        """Bind the client to this issuer, because it is about to be sent there.

        Raises `SignInError` if another sign-in has bound it to another issuer meanwhile.
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
            bind(self._read())  # Another sign-in may have bound it meanwhile.
            _logger.warning(
                "the bridge cannot store that the client %s belongs to %s; pass --issuer each time to make sure: %s",
                client_id,
                issuer,
                problem,
            )

    async def signed_in(self, issuer: str) -> None:
        """Store that the user signed in there."""
        try:
            await self._kept.change(lambda issuers: msgspec.structs.replace(issuers, last=issuer))
        except BridgeError as problem:
            _logger.debug("the authorization server of this sign-in cannot be stored: %s", problem)

    def _read(self) -> Issuers:
        try:
            return self._kept.read()
        except BridgeError as problem:
            if self._client_id is not None and self._option is None:
                raise unreadable_binding(problem.message, self._client_id, self._kept.forget) from problem
            _logger.warning(
                "the authorization server of the last sign-in to %s could not be read: %s", self._server_url, problem
            )
            return Issuers()

    def _refusal(self, binding: Binding, *named: str) -> SignInError:
        return binding_error(binding, named, self._server_url, self._kept.forget)
