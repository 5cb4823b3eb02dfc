"""Stores the authorization servers of a server and profile on disk (`oauth.issuer_binding`). They are not secret.

This is a file of its own, next to those of the logins, because a sign-out removes the record and changes the history
but leaves this file as it is. It does not depend on `--token-store` either, because it holds no secret.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec

from bridge.config import Settings
from bridge.errors import BridgeError
from bridge.oauth.issuer_binding import Issuers, binding_of, decode_issuers, encode_issuers, issuers_key, wrong_issuer
from bridge.oauth.record import Record
from bridge.store.errors import StoreError
from bridge.store.file import PrivateFiles
from bridge.store.locks import ProcessLocks
from bridge.store.paths import StorePaths
from bridge.tokens.typed_command import forget_command

_LOCK_SECONDS = 10.0
_ENDING = ".issuers"

_logger = logging.getLogger("bridge.authorization")


class IssuersFile:
    """The issuers of one server and profile. `forget` is what the user types to forget them."""

    def __init__(self, paths: StorePaths, server: str, profile: str, forget: str = "") -> None:
        self.forget = forget
        self._name = f"{issuers_key(server, profile)}{_ENDING}"
        self._files = PrivateFiles(paths.logins)
        self._locks = ProcessLocks(paths.locks, lambda text: _logger.debug("%s", text))

    def read(self) -> Issuers:
        """The issuers. Raises `StoreError` where the file is damaged or cannot be trusted."""
        data = self._files.read(self._name)
        if data is None:
            return Issuers()
        if (issuers := decode_issuers(data)) is None:
            raise StoreError(
                f"{self._files.path(self._name)} is damaged, or was written by a later version of the bridge.",
                hint=f"To forget it, run: {self.forget}" if self.forget else "",
            )
        return issuers

    async def change(self, change: Callable[[Issuers], Issuers]) -> None:
        """Store what `change` makes of the issuers, under a lock.

        Raises `StoreError` where that fails, and whatever `change` raises. A file that cannot be read is not replaced,
        because it may say to which issuers the user's other clients belong; only `drop` removes it.
        """
        async with self._locks.hold(f"{self._name}.change", _LOCK_SECONDS):
            kept = self.read()
            changed = change(kept)
            if changed != kept:
                self._files.write(self._name, encode_issuers(changed))

    async def remember(self, record: Record) -> None:
        """Store the issuer of a record that is older than this file. A failure changes nothing."""
        client = record.client

        def add(issuers: Issuers) -> Issuers:
            if client.kind == "static" and client.client_id not in issuers.clients:
                issuers = issuers.bound(client.client_id, record.issuer)
            return issuers if issuers.last else msgspec.structs.replace(issuers, last=record.issuer)

        try:
            if add(kept := self.read()) != kept:
                await self.change(add)
        except BridgeError as problem:
            _logger.debug("the authorization server of a sign-in cannot be stored: %s", problem)

    async def drop(self, client_id: str | None) -> str:
        """Forget the issuer of this client and that of the last sign-in; remove a damaged file as a whole.

        Returns the issuer that the client belonged to; empty where it is not known. Raises `StoreError`.
        """
        try:
            kept = self.read()
        except StoreError:
            kept = Issuers()
        left = kept.without(client_id)
        if left.clients:
            await self.change(lambda issuers: issuers.without(client_id))
        else:
            self._files.delete(self._name)
        return kept.clients.get(client_id or "", "")


def issuers_file(settings: Settings, paths: StorePaths) -> IssuersFile:
    """The file for a run with these settings."""
    return IssuersFile(paths, settings.url, settings.sign_in.profile, forget_command(settings))


async def check_issuer_of(record: Record, settings: Settings, paths: StorePaths) -> None:
    """Raise `SignInError` where the issuer of a record must not be sent the client of these settings.

    A file that cannot be read is ignored here, because the record itself says where its client was used.
    """
    file = issuers_file(settings, paths)
    own = settings.sign_in
    try:
        issuers = file.read()
    except StoreError as problem:
        _logger.debug("%s", problem)
        issuers = Issuers()
    refused = wrong_issuer(binding_of(own.issuer, own.client_id, issuers, record), record.issuer)
    if refused is not None:
        raise refused
    await file.remember(record)


def drop_every(paths: StorePaths) -> tuple[str, ...]:
    """Forget the issuers of every server and profile; return a sentence for each failure."""
    files = PrivateFiles(paths.logins)
    problems = []
    try:
        for name in files.names():
            if name.endswith(_ENDING):
                files.delete(name)
    except StoreError as problem:
        problems.append(str(problem))
    return tuple(problems)
