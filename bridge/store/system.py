"""The system keyring, off the event loop and with a deadline.

What it is on each system:

| system | keyring | one entry holds | closed | source |
|---|---|---|---|---|
| Linux | a Secret Service: GNOME's, KDE's, KeePassXC | no limit is known | it says `Locked`; asked first | [1] |
| Linux with KDE | KWallet, by D-Bus | no limit is known | `isOpen` says no; asked first | `keyring`, `kwallet.py` |
| macOS | the login keychain | no limit is known | an OSStatus, below | [2] |
| Windows | Credential Manager | 2,560 bytes, as UTF-16 | 1312, ERROR_NO_SUCH_LOGON_SESSION | [3] |

[1] freedesktop.org, Secret Service API. [2] Apple, `SecBase.h`; `keyring`, `macOS/api.py`, whose exceptions have the
number as first argument. [3] Microsoft, `wincred.h`: CRED_MAX_CREDENTIAL_BLOB_SIZE, CredRead, CredWrite.

On macOS each entry names the program that made it, by the signature of its file. Another one, and so a Python that was
updated, is let in only after the user was asked. A bridge forbids that in its process, so the call fails instead:

| OSStatus | name | where |
|---|---|---|
| -25308, -25315 | errSecInteractionNotAllowed, -Required | any call, of a locked keychain too |
| -25293 | errSecAuthFailed | reading another program's entry; what one gets differs from release to release |
| -25244 | errSecInvalidOwnerEdit | removing or replacing another program's entry, where that is not allowed |
| -128 | errSecUserCanceled | the user said no, where asking was not forbidden |

What tells one entry from a locked keychain is whether a new entry can be written and read. If so, `EntryRefused` is
raised. Signing in once more helps then, for a save uses new names and never replaces an entry.
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

# Real keyrings fail now and then when several processes use them at once: a Secret Service that lists an entry which
# another client is just removing answers that the entry does not exist.
_PAUSES = (0.05, 0.2)


class _PatientRing:
    """A backend whose calls are tried up to three times."""

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

    Every method raises `KeyringUnavailable`, and nothing else that a keyring might throw. One that does not answer
    in time counts as unavailable; so it stays for as long as that call hangs.
    """

    def __init__(
        self,
        find: Callable[[], KeyringBackend] = find_ring,
        require: Callable[[KeyringBackend], None] = require_open,
        deadline: float = DEADLINE,
    ) -> None:
        """`find` chooses the backend and `require` refuses one that would prompt; both run in the worker."""
        self._find = find
        self._require = require
        self._deadline = deadline
        self._worker = Worker("keyring")
        self._ring: KeyringBackend | None = None

    async def ready(self) -> None:
        """Return if the keyring can be used now."""
        await self._use(lambda _ring, _job: None)

    async def load(self, key: str, generation: str) -> bytes | None:
        """The value, None where the keyring has it no longer or not as a whole."""
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
                f"it gave no answer within {self._deadline:g} s",
                hint="A prompt of the system may be waiting for you.",
            ) from None
        except Exception as error:
            raise KeyringUnavailable(reason_of(error)) from None
