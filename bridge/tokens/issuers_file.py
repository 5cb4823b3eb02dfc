"""The authorization servers of a server and a profile, kept on disk; no secret (`oauth.issuer_binding`).

A file of its own, beside those of the logins: signing out, which removes the record and changes the history, leaves it
as it is. It does not depend on `--token-store` either, for it holds nothing that has to be kept secret.
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
    """The issuers of one server and profile. `forget` is the command that forgets them, as it is typed."""

    def __init__(self, places: StorePaths, server: str, profile: str, forget: str = "") -> None:
        self.forget = forget
        self._name = f"{issuers_key(server, profile)}{_ENDING}"
        self._files = PrivateFiles(places.logins)
        self._locks = ProcessLocks(places.locks, lambda text: _logger.debug("%s", text))

    def read(self) -> Issuers:
        """What is kept. Raises `StoreError` where it is damaged or not to be trusted."""
        data = self._files.read(self._name)
        if data is None:
            return Issuers()
        if (issuers := decode_issuers(data)) is None:
            raise StoreError(f"{self._files.path(self._name)} is damaged, or of a later version of the bridge.")
        return issuers

    async def change(self, change: Callable[[Issuers], Issuers]) -> None:
        """Keep what `change` makes of it, alone on the machine.

        Raises `StoreError` where it cannot be kept, and whatever `change` raises. What cannot be read is not written
        over: it may say to whom the user's other clients belong. `drop` ends that.
        """
        async with self._locks.hold(f"{self._name}.change", _LOCK_SECONDS):
            kept = self.read()
            changed = change(kept)
            if changed != kept:
                self._files.write(self._name, encode_issuers(changed))

    async def remember(self, record: Record) -> None:
        """Keep what a record tells that was made before anything was kept. What fails changes nothing."""
        client = record.client

        def add(issuers: Issuers) -> Issuers:
            if client.kind == "static" and client.client_id not in issuers.clients:
                issuers = issuers.bound(client.client_id, record.issuer)
            return issuers if issuers.last else msgspec.structs.replace(issuers, last=record.issuer)

        try:
            if add(kept := self.read()) != kept:
                await self.change(add)
        except BridgeError as problem:
            _logger.debug("the authorization server of a sign-in cannot be kept: %s", problem)

    async def drop(self, client_id: str | None) -> str:
        """Forget the issuer of this client, and that of the last sign-in; of a file that is damaged, everything.

        Returns the issuer that the client belonged to, empty where it is not known. Raises `StoreError`.
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


def issuers_file(settings: Settings, places: StorePaths) -> IssuersFile:
    """The file for a run with these settings."""
    return IssuersFile(places, settings.url, settings.sign_in.profile, forget_command(settings))


async def check_issuer_of(record: Record, settings: Settings, places: StorePaths) -> None:
    """Raise `SignInError` where the client of these settings is not to be shown to the issuer of a record.

    What cannot be read binds nothing here: the record says itself where its client was used.
    """
    file = issuers_file(settings, places)
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


def drop_every(places: StorePaths) -> tuple[str, ...]:
    """Forget the issuers of every server and profile; return what went wrong, in words."""
    files = PrivateFiles(places.logins)
    problems = []
    try:
        for name in files.names():
            if name.endswith(_ENDING):
                files.delete(name)
    except StoreError as problem:
        problems.append(str(problem))
    return tuple(problems)
