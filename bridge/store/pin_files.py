"""The pinned tools of one server (`features/pins`), in a private file that all bridges on this machine share.

The file is written whole, under the operating system's lock, and read again when it has changed. One that is damaged is
never replaced: what is in it was the user's decision.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator

import msgspec

from bridge.features.pins import Pins, checked, digest_of, is_digest
from bridge.store.errors import StoreBusy, StoreError
from bridge.store.file import LIMIT, PrivateFiles
from bridge.store.paths import StorePaths, make_private, reason_of

_ANEW = "move the file away: then all tools of this server are pinned anew as they are."
_LOCK_SECONDS = 5.0
# What a file system without locks answers.
_NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)


class PinFile:
    """A `features.pins.PinBook`. `store_key` names the sign-in, and so the server and profile (`oauth/record`)."""

    def __init__(self, paths: StorePaths, store_key: str) -> None:
        self._folder = paths.root / "tools"
        self._locks = paths.locks
        self._key = f"tools-{store_key.partition('-')[2]}"
        self._files = PrivateFiles(self._folder)
        self._name = f"{self._key}.json"
        self._read_at: tuple[int, int, int] | None = None
        self._pins = Pins()

    def read(self) -> Pins:
        """See `PinBook`. Raises `StoreError` for a file that cannot be used."""
        path = self._files.path(self._name)
        try:
            found = path.stat()
            stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        except FileNotFoundError:
            self._read_at, self._pins = None, Pins()
            return self._pins
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {reason_of(error)}.") from None
        if stamp != self._read_at:
            try:
                data = self._files.read(self._name) or b""
            except StoreError as error:
                raise StoreError(error.message, hint=f"Mend that, or {_ANEW}") from error
            self._pins = self._decoded(data)
            self._read_at = stamp
        return self._pins

    def change(self, change: Callable[[Pins], Pins]) -> Pins:
        """See `PinBook`. Raises `StoreError`, and `StoreBusy` where another process holds the lock for seconds."""
        with self._locked():
            self._read_at = None
            pins = change(self.read())
            self._write(_encoded(pins))
            self._read_at = None
            return self.read()

    def _write(self, data: bytes) -> None:
        try:
            self._files.write(self._name, data)
        except StoreError as error:
            hint = f"Until {self._folder} can be written to, start this server without --pin-tools to use its tools."
            raise StoreError(error.message, hint=error.hint or hint) from error

    def _decoded(self, data: bytes) -> Pins:
        try:
            pins = checked(msgspec.json.decode(data, type=Pins))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pins = None
        if pins is None:
            raise StoreError(f"{self._files.path(self._name)} is damaged.", hint=f"Mend it, or {_ANEW}")
        return pins

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        # Only a change needs it, and changes are rare.
        from filelock import FileLock, Timeout

        make_private(self._locks)
        path = self._locks / f"{self._key}.lock"
        lock = FileLock(path, mode=0o600, thread_local=False, fallback_to_soft=False, preserve_lock_file=True)
        try:
            lock.acquire(timeout=_LOCK_SECONDS)
        except Timeout:
            raise StoreBusy(f"Another bridge has been changing {path.name} for {_LOCK_SECONDS:g} s.") from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise StoreError(f"The lock file {path} cannot be locked: {reason_of(error)}.") from None
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                lock.release()


def _encoded(pins: Pins) -> bytes:
    """The file's content. Where it would be too large, the longest definitions become digests."""
    data = msgspec.json.encode(pins)
    excess = len(data) - LIMIT
    if excess <= 0:
        return data
    kept = Pins(dict(pins.pinned), dict(pins.changed))
    texts = [(text, name, texts) for texts in (kept.pinned, kept.changed) for name, text in texts.items()]
    for text, name, of in sorted(texts, key=lambda entry: len(entry[0]), reverse=True):
        if excess <= 0 or is_digest(text):
            break
        of[name] = digest_of(text.encode())
        excess -= len(msgspec.json.encode(text)) - len(msgspec.json.encode(of[name]))
    return msgspec.json.encode(kept)
