"""What the logins of this machine leave on disk for one another: where one is under way, and how the last one ended.

| file in `logins/` of the data folder | holds | lives |
|---|---|---|
| `login-<digest>.notice` | the port of the login process, and the key for its channel | as long as that process |
| `login-<digest>.history` | times and outcomes, no secret | permanently |
| `server-<digest>.issuers` | which authorization servers were used, no secret (`issuers_file`) | permanently |

A login process that was killed leaves its notice behind. The key in it is of no use any more; the next login gets no
answer at the port, and writes a new notice.

How a history is read where its file is missing or bad, and whether the file is replaced:

| the file | read as | replaced |
|---|---|---|
| is missing | what an earlier version stored elsewhere, else no sign-in so far | yes |
| cannot be read now, or cannot be trusted | no sign-in so far | no: it may say that the user signed out, or refused |
| is damaged | no sign-in so far | yes: its content is lost anyway |
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import msgspec

from bridge.errors import BridgeError
from bridge.oauth.prompt_backoff import PromptHistory
from bridge.store.errors import StoreError
from bridge.store.file import PrivateFiles
from bridge.store.migration import newest_of
from bridge.store.paths import StorePaths, check_key

_logger = logging.getLogger("bridge.authorization")

_T = TypeVar("_T")


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A login that is or was under way. `since` is in Unix seconds; `port` and `key` (hex) are those of its channel."""

    store_key: str
    pid: int
    port: int
    key: str
    server: str
    profile: str
    since: float

    def __repr__(self) -> str:
        """Without the key."""
        return f"Notice({self.store_key!r}, process {self.pid})"


class LoginFiles:
    """Reads and writes these files; quick. A file that cannot be read counts as missing, except in the table above."""

    def __init__(self, paths: StorePaths) -> None:
        self.paths = paths
        self._folder = paths.logins
        self._files = PrivateFiles(paths.logins)
        self._former = paths.former
        self._unread: set[str] = set()  # Slots whose history could not be read when it was last looked at.

    def notice(self, store_key: str) -> Notice | None:
        """The notice of the login of this store key; the login may have ended."""
        return self._read(f"{check_key(store_key)}.notice", Notice)

    def notices(self) -> list[Notice]:
        """The notices of all logins that may be under way."""
        try:
            names = sorted(path.name for path in self._folder.glob("login-*.notice"))
        except OSError:
            return []
        return [notice for name in names if (notice := self._read(name, Notice)) is not None]

    def put_notice(self, notice: Notice) -> None:
        """Write a notice. Raises `StoreError`."""
        self._files.write(f"{check_key(notice.store_key)}.notice", msgspec.json.encode(notice))

    def drop_notice(self, notice: Notice) -> None:
        """Remove the notice of a login that has ended. The notice of another login stays."""
        if self.notice(notice.store_key) == notice:
            self._try(lambda: self._files.delete(f"{check_key(notice.store_key)}.notice"))

    def history(self, store_key: str) -> PromptHistory:
        """How sign-ins ended, by the table above."""
        name = f"{check_key(store_key)}.history"
        try:
            data = self._files.read(name)
            if data is None and self._former:
                data = newest_of(self._former, self._folder.name, name)
        except StoreError as problem:
            if store_key not in self._unread:
                _logger.warning("the history of sign-ins cannot be read, so the bridge does not write it: %s", problem)
            self._unread.add(store_key)
            return PromptHistory()
        self._unread.discard(store_key)
        return self._decoded(name, data, PromptHistory) or PromptHistory()

    def put_history(self, store_key: str, history: PromptHistory) -> None:
        """Write the history, if the earlier one could be read. A failed write is ignored.

        Only the holder of the login's lock may call it, or a sign-out.
        """
        if store_key in self._unread:
            return
        self._try(lambda: self._files.write(f"{check_key(store_key)}.history", msgspec.json.encode(history)))

    def log_out(self, store_key: str, now: float) -> None:
        """Note that the user signed out at `now` (Unix seconds)."""
        self.put_history(store_key, self.history(store_key).logged_out(now))

    def _read(self, name: str, kind: type[_T]) -> _T | None:
        try:
            return self._decoded(name, self._files.read(name), kind)
        except BridgeError as problem:
            _logger.debug("%s cannot be read: %s", name, problem)
            return None

    def _decoded(self, name: str, data: bytes | None, kind: type[_T]) -> _T | None:
        try:
            return msgspec.json.decode(data, type=kind) if data else None
        except (ValueError, RecursionError) as problem:
            _logger.debug("%s is damaged: %s", name, problem)
            return None

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BridgeError as problem:
            _logger.debug("the file of a login cannot be changed: %s", problem)
