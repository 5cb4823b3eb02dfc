"""The system keyring, used off the event loop and with a deadline.

It is this on each system:

| system | keyring | size of an entry | how it tells that it is locked | source |
|---|---|---|---|---|
| Linux | a Secret Service: GNOME's, KDE's, KeePassXC | no known limit | `Locked`, which is read first | [1] |
| Linux with KDE | KWallet, by D-Bus | no known limit | `isOpen`, which is called first | `keyring`, `kwallet.py` |
| macOS | the login keychain | no known limit | an OSStatus, below | [2] |
| Windows | Credential Manager | 2,560 bytes, as UTF-16 | 1312, ERROR_NO_SUCH_LOGON_SESSION | [3] |

[1] freedesktop.org, Secret Service API. [2] Apple, `SecBase.h`; `keyring`, `macOS/api.py`, whose exceptions have the
number as first argument. [3] Microsoft, `wincred.h`: CRED_MAX_CREDENTIAL_BLOB_SIZE, CredRead, CredWrite.

On macOS each entry names the program that made it, by the signature of its file. macOS asks the user before it gives
the entry to another program, and an updated Python is one. The bridge forbids prompts in its process, so the call
fails:

| OSStatus | name | where |
|---|---|---|
| -25308, -25315 | errSecInteractionNotAllowed, -Required | any call, also where the keychain is locked |
| -25293 | errSecAuthFailed | reading another program's entry; releases of macOS differ in this |
| -25244 | errSecInvalidOwnerEdit | removing or replacing another program's entry, where that is not allowed |
| -128 | errSecUserCanceled | the user refused, where prompts were not forbidden |

If a new entry can be written and read, the keychain is not locked, and `EntryRefused` is raised. Signing in again helps
then, because a save uses new names and never replaces an entry.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from bridge.store.backend import find_ring, is_passing, reason_of, require_open, would_ask
from bridge.store.chunks import LIMIT, KeyringBackend, drop_chunks, load_chunks, save_chunks, takes_new
from bridge.store.errors import EntryRefused, KeyringUnavailable
from bridge.store.worker import Job, Worker

DEADLINE = 10.0
"""Seconds that one use of the keyring may take."""

_T = TypeVar("_T")

# Keyrings sometimes fail when several processes use them at once: a Secret Service lists an entry that another client
# is removing, and then answers that the entry does not exist.
_PAUSES = (0.05, 0.2)


class _PatientRing:
    """A backend that tries each call up to three times."""

    def __init__(self, ring: KeyringBackend, check: Callable[[], None]) -> None:
        self._ring = ring
        self._check = check

    def get_password(self, service: str, username: str) -> str | None:
        return self._try(lambda: self._ring.get_password(service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._try(lambda: self._ring.set_password(service, username, password))

    def delete_password(self, service: str, username: str) -> None:
        self._try(lambda: self._ring.delete_password(service, username))

    def _try(self, call: Callable[[], _T]) -> _T:
        for pause in _PAUSES:
            try:
                return call()
            except Exception as error:
                if not is_passing(error):
                    raise
            time.sleep(pause)
            self._check()
        return call()


class KeyringEntries:
    """Values in the system keyring by store key and generation.

    Every method raises `KeyringUnavailable`, and no other exception of a keyring. A keyring that does not answer in
    time counts as unavailable for as long as that call hangs.
    """

    def __init__(
        self,
        find: Callable[[], KeyringBackend] = find_ring,
        require: Callable[[KeyringBackend], None] = require_open,
        deadline: float = DEADLINE,
    ) -> None:
        """`find` chooses the backend, and `require` refuses one that would prompt; both run in the worker."""
        self._find = find
        self._require = require
        self._deadline = deadline
        self._worker = Worker("keyring")
        self._ring: KeyringBackend | None = None

    async def ready(self) -> None:
        """Return where the keyring can be used now; raise otherwise."""
        await self._use(lambda _ring, _job: None)

    async def load(self, key: str, generation: str) -> bytes | None:
        """The value; None where the keyring does not have all of it."""
        return await self._use(lambda ring, job: load_chunks(ring, key, generation, job.check))

    async def save(self, key: str, generation: str, data: bytes) -> None:
        """Write the value and make sure that it can be read."""
        if len(data) > LIMIT:
            raise KeyringUnavailable("the value is too large for it")
        await self._use(lambda ring, job: save_chunks(ring, key, generation, data, job.check))

    async def drop(self, key: str, generation: str) -> None:
        """Remove the value."""
        await self._use(lambda ring, job: drop_chunks(ring, key, generation, job.check))

    async def _use(self, what: Callable[[KeyringBackend, Job], _T]) -> _T:
        def work(job: Job) -> _T:
            if self._ring is None:
                self._ring = self._find()
            job.check()
            self._require(self._ring)
            job.check()
            ring = _PatientRing(self._ring, job.check)
            try:
                return what(ring, job)
            except Exception as error:
                if would_ask(error) and takes_new(ring, job.check):
                    raise EntryRefused from None
                raise

        try:
            return await self._worker.run(work, self._deadline)
        except KeyringUnavailable:
            raise
        except TimeoutError:
            raise KeyringUnavailable(
                f"it did not answer within {self._deadline:g} s",
                hint="Check whether the system shows a prompt that waits for you.",
            ) from None
        except Exception as error:
            raise KeyringUnavailable(reason_of(error)) from None
