"""What the logins of this machine leave on disk for one another: where one is under way, and how the last one went.

| file in `logins/` of the data folder | holds | lives |
|---|---|---|
| `login-<digest>.notice` | where the login process listens, and the key to talk to it | as long as that process |
| `login-<digest>.history` | times and outcomes, no secret | for good |
| `server-<digest>.issuers` | which authorization servers were used, no secret (`issuers_file`) | for good |

A login process that was killed leaves its notice behind. The key in it opens nothing any more, and whoever comes next
finds that nobody answers and writes another.

What a history says where its file is not to be had, and what becomes of it:

| the file | read as | written over |
|---|---|---|
| there is none | what an earlier version kept elsewhere, else nothing happened | yes |
| cannot be read now, or not be trusted | nothing happened | no: it may say that the user signed out, or refused |
| makes no sense | nothing happened | yes: it will never say anything again |
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
    """A login that is, or was, under way. `since` in Unix seconds; `key` (hex) lets one talk to it at `port`."""

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
    """Reads and writes them; quick. What cannot be read counts as not there, but see the table above."""

    def __init__(self, places: StorePaths) -> None:
        self.places = places
        self._folder = places.logins
        self._files = PrivateFiles(places.logins)
        self._former = places.former
        self._unread: set[str] = set()  # Slots whose history could not be read when it was last looked at.

    def notice(self, store_key: str) -> Notice | None:
        """Where the login of this store key may be under way."""
        return self._read(f"{check_key(store_key)}.notice", Notice)

    def notices(self) -> list[Notice]:
        """Every login that may be under way."""
        try:
            names = sorted(path.name for path in self._folder.glob("login-*.notice"))
        except OSError:
            return []
        return [notice for name in names if (notice := self._read(name, Notice)) is not None]

    def put_notice(self, notice: Notice) -> None:
        """Say where a login is. Raises `StoreError`."""
        self._files.write(f"{check_key(notice.store_key)}.notice", msgspec.json.encode(notice))

    def drop_notice(self, notice: Notice) -> None:
        """The login is over. The notice of another, which began where there are no locks, stays."""
        if self.notice(notice.store_key) == notice:
            self._try(lambda: self._files.delete(f"{check_key(notice.store_key)}.notice"))

    def history(self, store_key: str) -> PromptHistory:
        """How sign-ins went, by the table above."""
        name = f"{check_key(store_key)}.history"
        try:
            data = self._files.read(name)
            if data is None and self._former:
                data = newest_of(self._former, self._folder.name, name)
        except StoreError as problem:
            if store_key not in self._unread:
                _logger.warning("how sign-ins went before cannot be read, so it is not written either: %s", problem)
            self._unread.add(store_key)
            return PromptHistory()
        self._unread.discard(store_key)
        return self._decoded(name, data, PromptHistory) or PromptHistory()

    def put_history(self, store_key: str, history: PromptHistory) -> None:
        """Keep how they went, if it can be kept, and if what it was made of could be read.

        Only who holds the login's lock may, or who signs out.
        """
        if store_key in self._unread:
            return
        self._try(lambda: self._files.write(f"{check_key(store_key)}.history", msgspec.json.encode(history)))

    def log_out(self, store_key: str, now: float) -> None:
        """Somebody signed out at `now` (Unix seconds)."""
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
            _logger.debug("%s makes no sense: %s", name, problem)
            return None

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BridgeError as problem:
            _logger.debug("a login's file cannot be changed: %s", problem)
