"""Secrets that outlive the process: in the system keyring, or in a private file; the marker says in which.

A save into the keyring, and what a reader gets if the save is cut short after each step:

| step | reader |
|---|---|
| the marker lists the new generation among the remains | old value |
| the chunks are written, and read back | old value |
| the marker points to the new generation | new value |
| the file is removed; older generations are removed from the keyring and from the marker | new value |

A save into the file first writes the file, which no reader looks at while the marker points to the keyring, and then
the marker.

Where the keyring lacks what the marker names, the user has not signed out. A reader then looks at these, in this order:

| where | why it may be there |
|---|---|
| the marker, read again | another process has just saved |
| the folders of earlier versions (`store/migration`) | one of them still runs, and has just saved |
| the other generations in the marker, the newest first | a save was cut short, or two stores shared one keyring |
| the file | the same, where the choice allows a file |
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Literal, TypeVar

from bridge import PROGRAM
from bridge.store.errors import EntryRefused, KeyringUnavailable, StoreError
from bridge.store.file import PrivateFiles
from bridge.store.locks import ProcessLocks
from bridge.store.marker import Marker, read_marker
from bridge.store.migration import FormerKeys
from bridge.store.paths import StorePaths, check_key, is_key, marker_name, secret_name
from bridge.store.secret_store import SecretStore
from bridge.store.system import KeyringEntries
from bridge.store.worker import Worker

_CHANGES = 5  # How often a reader starts again because the value was moved while it was read.
_SAVE_TURN = 30.0  # Seconds to wait for another process that saves the same store key.
_MANY_REMAINS = 16  # So many old generations are removed before another is begun; a marker has room for more.
_DISK = 30.0  # Seconds for a disk, which may be in another machine.

_T = TypeVar("_T")

_logger = logging.getLogger("bridge.store")


class DiskStore(SecretStore):
    """The store for `auto`, `keyring` and `file`. They share one layout, so each finds what another has stored."""

    def __init__(
        self,
        choice: Literal["auto", "keyring", "file"],
        paths: StorePaths,
        keyring: KeyringEntries,
        notice: Callable[[str], None],
    ) -> None:
        self._choice = choice
        self._files = PrivateFiles(paths.credentials)
        self._former = FormerKeys(paths)
        self._keyring = keyring
        self._notice = notice
        self._locks = ProcessLocks(paths.locks, notice)
        self._disk = Worker("store")
        self._said = False

    def exists_hint(self, key: str) -> bool:
        if self._former.has(check_key(key)):
            return True
        try:
            marker = self._marker(key)
        except StoreError:
            return True  # `load` tells what is wrong with it.
        return self._source(key, marker) != "gone"

    def keys(self, kind: str) -> list[str]:
        names = [*self._files.names(), *self._former.names()]
        found = {stem for name in names if (stem := name.partition(".")[0]).startswith(f"{kind}-")}
        return sorted(key for key in found if is_key(key) and self.exists_hint(key))

    async def load(self, key: str) -> bytes | None:
        check_key(key)
        await self._take_over(key)
        marker = await self._on_disk(lambda: self._marker(key))
        for _ in range(_CHANGES):
            source = self._source(key, marker)
            if source == "gone" or marker is None or source == "file":
                return await self._on_disk(lambda: self._files.read(secret_name(key))) if source == "file" else None
            data = await self._from_keyring(key, marker.current)
            if data is not None:
                return data
            # Another process may have saved a new value and removed the one that this process was about to read.
            await self._take_over(key)
            before, marker = marker, await self._on_disk(lambda: self._marker(key))
            if marker == before:
                return await self._left_over(key, marker)
        return None

    async def save(self, key: str, data: bytes) -> None:
        check_key(key)
        async with self._saving(key):
            await self._on_disk(lambda: self._former.take_over(key))
            if self._choice == "file":
                await self._save_in_file(key, data, None)
                return
            try:
                await self._save_in_keyring(key, data)
            except KeyringUnavailable as error:
                if self._choice == "keyring":
                    raise _explained(error) from None
                await self._save_in_file(key, data, error)

    async def delete(self, key: str) -> None:
        what = _noun(check_key(key))
        async with self._saving(key):
            await self._on_disk(lambda: self._former.take_over(key))
            marker = await self._on_disk(lambda: self._marker(key))
            remains = marker.generations if marker else ()
            if remains:
                await self._mark(key, Marker("gone", remains=remains))
            await self._on_disk(lambda: self._files.delete(secret_name(key)))
            left, error = await self._sweep(key, remains)
            if error is not None:
                await self._mark(key, Marker("gone", remains=left))
                hint = "Unlock the keyring, then run this again."
                if isinstance(error, EntryRefused):
                    hint = f"In Keychain Access, remove the entries that begin with {PROGRAM}:{key}."
                raise StoreError(
                    f"The bridge forgot {what}, but a copy of it stays in the system keyring ({error.reason}).",
                    hint=hint,
                )
            if self._former.has(key):
                # The marker keeps a later run from taking over what cannot be removed there.
                await self._mark(key, Marker("gone"))
                raise StoreError(
                    f"The bridge forgot {what}, but cannot remove a copy that an earlier version of it stored.",
                    hint="End every bridge that is running, then run this again.",
                )
            await self._on_disk(lambda: self._files.delete(marker_name(key)))

    def place(self, key: str) -> str:
        try:
            source = self._source(key, self._marker(key))
        except StoreError:
            source = "file"
        if source == "file" or self._choice == "file":
            return str(self._files.path(secret_name(key)))
        return "the system keyring"

    def locked(self, key: str, timeout: float) -> AbstractAsyncContextManager[None]:
        return self._locks.hold(check_key(key), timeout)

    def _saving(self, key: str) -> AbstractAsyncContextManager[None]:
        """A lock separate from the store key's, which the caller may hold."""
        return self._locks.hold(f"{key}.save", _SAVE_TURN)

    def _marker(self, key: str) -> Marker | None:
        return read_marker(self._files.read(marker_name(check_key(key))))

    def _source(self, key: str, marker: Marker | None) -> Literal["keyring", "file", "gone"]:
        """Where to read the value, as far as the choice allows."""
        if marker is not None and marker.holds != "file":
            return "gone" if marker.holds == "keyring" and self._choice == "file" else marker.holds
        return "file" if self._choice != "keyring" and self._files.exists(secret_name(key)) else "gone"

    async def _take_over(self, key: str) -> None:
        """Take over what an earlier version stored elsewhere, if it did."""
        if self._former.has(key):
            async with self._saving(key):
                await self._on_disk(lambda: self._former.take_over(key))

    async def _left_over(self, key: str, marker: Marker) -> bytes | None:
        """A value other than the generation that is missing, if there is one."""
        _logger.debug("the keyring has lost what was stored there last; looking for other copies")
        for generation in reversed(marker.remains):
            if (data := await self._from_keyring(key, generation)) is not None:
                return data
        if self._choice == "keyring":
            return None
        return await self._on_disk(lambda: self._files.read(secret_name(key)))

    async def _from_keyring(self, key: str, generation: str) -> bytes | None:
        try:
            return await self._keyring.load(key, generation)
        except KeyringUnavailable as error:
            raise _explained(error) from None

    async def _save_in_keyring(self, key: str, data: bytes) -> None:
        await self._keyring.ready()
        old = await self._on_disk(lambda: self._marker(key)) or Marker("file")
        if len(old.remains) >= _MANY_REMAINS:
            # Earlier runs ended before they could remove these. They go first, or the list would outgrow the marker.
            left, error = await self._sweep(key, old.remains)
            if isinstance(error, EntryRefused):
                # What earlier Pythons stored may stay there for good, and must not keep new secrets from being stored.
                left = left[-_MANY_REMAINS // 2 :]
            old = Marker(old.holds, old.current, left)
            if len(old.remains) >= _MANY_REMAINS:
                raise KeyringUnavailable("it does not let old copies be removed")
        generation = secrets.token_hex(8)
        await self._mark(key, Marker(old.holds, old.current, (*old.remains, generation)))
        await self._keyring.save(key, generation, data)
        await self._mark(key, Marker("keyring", generation, old.generations))
        # The value is saved now. A failure from here on only leaves old copies behind, which the next save removes.
        with contextlib.suppress(StoreError):
            await self._on_disk(lambda: self._files.delete(secret_name(key)))
            left, _ = await self._sweep(key, old.generations)
            if left != old.generations:
                await self._mark(key, Marker("keyring", generation, left))

    async def _sweep(self, key: str, generations: tuple[str, ...]) -> tuple[tuple[str, ...], KeyringUnavailable | None]:
        """Remove these from the keyring; return those that may be left in part, and why."""
        left, why = [], None
        for generation in generations:
            try:
                await self._keyring.drop(key, generation)
            except KeyringUnavailable as error:
                left.append(generation)
                why = error
        return tuple(left), why

    async def _save_in_file(self, key: str, data: bytes, reason: KeyringUnavailable | None) -> None:
        old = await self._on_disk(lambda: self._marker(key))
        # The user is told when the first secret goes into a file, and when one leaves the keyring.
        known = old is None or old.holds == "file"
        known = known and await self._on_disk(
            lambda: any(name.endswith(secret_name("")) for name in self._files.names())
        )
        await self._on_disk(lambda: self._files.write(secret_name(key), data))
        if old is not None:
            await self._mark(key, Marker("file", remains=old.generations))
        if reason is not None and not known and not self._said:
            self._said = True
            what, path = _noun(key), self._files.path(secret_name(key))
            self._notice(
                f"The system keyring cannot be used ({reason.reason}), so {what} is stored in {path}, which only you "
                f"can read. {reason.hint}".rstrip()
            )

    async def _mark(self, key: str, marker: Marker) -> None:
        await self._on_disk(lambda: self._files.write(marker_name(key), marker.encode()))

    async def _on_disk(self, work: Callable[[], _T]) -> _T:
        try:
            return await self._disk.run(lambda _job: work(), _DISK)
        except TimeoutError:
            raise StoreError(f"The disk did not answer within {_DISK:g} s.", hint="Try again.") from None


def _noun(key: str) -> str:
    """What a store key holds, in a sentence."""
    return "the secret" if key.startswith("secret-") else "the sign-in"


def _explained(error: KeyringUnavailable) -> KeyringUnavailable:
    if isinstance(error, EntryRefused):
        return error
    hint = "Unlock the keyring; or pass --token-store file, which stores tokens in a file that only you can read."
    return KeyringUnavailable(error.reason, hint=f"{error.hint} {hint}".strip())
