"""Stores cacheable answers of MCP servers (MCP 2026-07-28, Caching) on disk, for all copies and later runs.

They are the server's data: they hold no token and no header, and no file name reveals a URL, a header or a user. A file
that is missing or damaged counts as no answer, and a failed write is ignored. `session/response_cache` says which
answers may be stored and when they are fresh.

In the platform's cache folder:

| file | what it is |
|---|---|
| `responses/key` | 32 random bytes, for the digests |
| `responses/server-<digest of the URL>/` | one server's answers |
| `.../public-tools-first-<digest>` | an answer for every sign-in: its kind, and whether it is a list's first page |
| `.../private-read-first-<digest>` | an answer for the sign-in that is in the digest |

A digest covers everything on which an answer depends: the URL, the user's headers, the client's certificate, the
request, and for a private answer the sign-in. It is keyed (HMAC), so that a guess of a header cannot be confirmed.

A file is replaced as a whole. It holds `response 1`, the time of receipt and how long the answer is fresh (both in
milliseconds), the length in bytes, and then the result. Each folder has a limit, and so have all of them together; the
oldest answers are removed first.
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from bridge.errors import BridgeError
from bridge.session.response_cache import LARGEST, LONGEST, STALE_FOR, CachedResult, CacheQuery
from bridge.store import era_cache
from bridge.store.file import PrivateFiles
from bridge.store.migration import forget_caches
from bridge.store.roots import former_roots

SERVER_BYTES = 4 * 1024 * 1024
"""The most that is stored of one server."""

SERVER_FILES = 256
"""The most answers that are stored of one server."""

ALL_BYTES = 32 * 1024 * 1024
"""The most that is stored of all servers."""

_KEY_BYTES = 32
_KEY = "key"
_LEFTOVER_AGE = 3600.0
_HEAD = re.compile(rb"response 1 (\d{1,15}) (\d{1,9}) (\d{1,7})\n")
_LONGEST_HEAD = 64
_NAME = re.compile(r"(public|private)-([a-z]{1,16})-(first|page)-[0-9a-f]{40}")
_FOLDER = re.compile(r"server-[0-9a-f]{40}")

_logger = logging.getLogger("bridge.store")


class Summary(NamedTuple):
    """The stored answers of one server or several: how many, their size, and their times (Unix seconds)."""

    results: int = 0
    bytes: int = 0
    oldest: float | None = None
    newest: float | None = None


def cache_folder() -> Path:
    """The folder of all servers' answers, next to that of their eras."""
    return era_cache.cache_folder().parent / "responses"


class ResponseFiles:
    """The stored answers of the server at `url`; `sent` is what goes with each request and may change the answer.

    Nothing is held in memory between calls, so changes by other copies of the bridge are seen at once. No method fails.
    """

    def __init__(self, url: str, sent: Iterable[bytes] = ()) -> None:
        self._url = url
        self._sent = [url.encode("utf-8", "surrogatepass"), *sent]
        self._folder = folder_of(url)
        self._files = PrivateFiles(self._folder)

    def load(self, question: CacheQuery, signed_in_as: str | None) -> CachedResult | None:
        """The stored answer to `question`; with None for `signed_in_as`, only one that is for every sign-in.

        Quick: it opens at most two small files. Raises nothing.
        """
        try:
            key = _read_key()
            if key is None:
                return None
            data = self._files.read(_name(key, self._sent, question, signed_in_as))
        except (BridgeError, OSError, RuntimeError) as problem:
            _logger.debug("a stored answer cannot be read: %s", problem)
            return None
        return _read(data, is_private=signed_in_as is not None) if data is not None else None

    def has_private(self, kind: str) -> bool:
        """Whether any answer of this kind is for one sign-in only."""
        return _has(self._folder, f"private-{kind}-")

    def save(self, question: CacheQuery, kept: CachedResult | None, signed_in_as: str, *, starts_anew: bool) -> None:
        """Store an answer in place of an earlier one; with None, remove the earlier one. Blocks.

        `starts_anew`: remove the pages that follow this one.
        """
        try:
            key = _read_key()
            if key is None:
                if kept is None:
                    return
                key = _make_key()
            names = {
                True: _name(key, self._sent, question, signed_in_as),
                False: _name(key, self._sent, question, None),
            }
            if kept is not None:
                self._files.write(names[kept.is_private], _text(kept), is_lasting=False)
            for is_private, name in names.items():
                if kept is None or kept.is_private != is_private:
                    _remove(self._folder / name)
            if starts_anew:
                own = set(names.values())
                for name in _names(self._folder):
                    if f"-{question.kind}-page-" in name and name not in own:
                        _remove(self._folder / name)
            if kept is not None:
                _keep_within_limits(self._folder, kept.received_at)
        except (BridgeError, OSError, RuntimeError) as problem:
            _logger.debug("an answer cannot be stored: %s", problem)

    def drop(self, kinds: Iterable[str]) -> None:
        """Remove every answer of these kinds, for all sign-ins. Blocks."""
        wanted = set(kinds)
        for name in _names(self._folder):
            if (found := _NAME.fullmatch(name)) and found[2] in wanted:
                _remove(self._folder / name)


def folder_of(url: str) -> Path:
    """The folder of the answers of the server at `url`."""
    return cache_folder() / era_cache.name_of(url)


def forget(url: str) -> None:
    """Remove all answers of a server. Blocks; raises nothing."""
    with contextlib.suppress(RuntimeError):
        _empty(folder_of(url), "")


def forget_private(url: str | None) -> str:
    """Remove the answers of a server that are for one sign-in only; with None, those of every server.

    Blocks, and raises nothing. Returns a sentence where it failed, else an empty text.
    """
    try:
        for folder in _folders() if url is None else [folder_of(url)]:
            _empty(folder, "private-")
    except RuntimeError:
        return ""  # Without a home folder, nothing was ever stored.
    if not forget_caches(former_roots()):
        return "Some answers of the server that an earlier version of the bridge stored could not be removed."
    left = [folder for folder in (_folders() if url is None else [folder_of(url)]) if _has(folder, "private-")]
    return f"Some stored answers of the server could not be removed from {left[0]}." if left else ""


def summary_of(url: str) -> Summary:
    """The stored answers of one server."""
    try:
        return _summary(_entries(folder_of(url)))
    except (OSError, RuntimeError):
        return Summary()


def summary_of_others(urls: Iterable[str]) -> tuple[int, Summary]:
    """How many other servers have stored answers, and a summary of them."""
    try:
        known = {folder_of(url) for url in urls}
        found = [entries for folder in _folders() if folder not in known and (entries := _entries(folder))]
    except (OSError, RuntimeError):
        return 0, Summary()
    return len(found), _summary([entry for entries in found for entry in entries])


# -- names and texts


def _name(key: bytes, sent: list[bytes], question: CacheQuery, signed_in_as: str | None) -> str:
    mac = hmac.new(key, digestmod="sha256")
    parts = [*sent, question.key, *([] if signed_in_as is None else [signed_in_as.encode()])]
    for part in (b"%d" % len(parts), *parts):
        mac.update(b"%d:" % len(part) + part)
    scope = "public" if signed_in_as is None else "private"
    return f"{scope}-{question.kind}-{'page' if question.is_page else 'first'}-{mac.hexdigest()[:40]}"


def _read_key() -> bytes | None:
    key = PrivateFiles(cache_folder()).read(_KEY)
    return key if key is not None and len(key) == _KEY_BYTES else None


def _make_key() -> bytes:
    files = PrivateFiles(cache_folder())
    files.write(_KEY, secrets.token_bytes(_KEY_BYTES))
    return files.read(_KEY) or b""  # Another copy may have made one at the same time; the last one counts.


def _text(kept: CachedResult) -> bytes:
    head = b"response 1 %d %d %d\n" % (kept.received_at * 1000, kept.ttl * 1000, len(kept.result))
    return head + kept.result


def _read(data: bytes, *, is_private: bool) -> CachedResult | None:
    head = _HEAD.match(data[:_LONGEST_HEAD])
    if head is None or len(data) - head.end() != int(head[3]) or int(head[3]) > LARGEST:
        return None
    received_at, ttl = int(head[1]) / 1000, min(int(head[2]) / 1000, LONGEST)
    return CachedResult(data[head.end() :], received_at, ttl, is_private)


# -- folders


class _Entry(NamedTuple):
    path: str
    bytes: int
    at: float


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:
        return []


def _folders() -> Iterator[Path]:
    root = cache_folder()
    return (root / name for name in _names(root) if _FOLDER.fullmatch(name))


def _entries(folder: Path, *, leftovers: bool = False) -> list[_Entry]:
    found = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if _NAME.fullmatch(entry.name) or (leftovers and entry.name.endswith(".tmp")):
                    at = entry.stat(follow_symlinks=False)
                    found.append(_Entry(entry.path, at.st_size, at.st_mtime))
    return found


def _summary(entries: list[_Entry]) -> Summary:
    times = [entry.at for entry in entries]
    return Summary(
        len(entries), sum(entry.bytes for entry in entries), min(times, default=None), max(times, default=None)
    )


def _keep_within_limits(folder: Path, now: float) -> None:
    """Remove the oldest answers until no limit is exceeded, and answers that are too old or were half written."""
    forget_caches(former_roots())
    _trim(_entries(folder), SERVER_BYTES, SERVER_FILES)
    everything = [entry for one in _folders() for entry in _entries(one, leftovers=True)]
    for entry in everything:
        age = STALE_FOR if _NAME.fullmatch(Path(entry.path).name) else _LEFTOVER_AGE
        if now - entry.at > age:
            _remove(Path(entry.path))
    _trim([entry for entry in everything if now - entry.at <= STALE_FOR], ALL_BYTES, None)
    for one in _folders():
        if one != folder:
            with contextlib.suppress(OSError):
                one.rmdir()  # It fails for a folder that is not empty.


def _trim(entries: list[_Entry], most_bytes: int, most: int | None) -> None:
    entries.sort(key=lambda entry: entry.at)
    size, count = sum(entry.bytes for entry in entries), len(entries)
    for entry in entries:
        if size <= most_bytes and (most is None or count <= most):
            return
        _remove(Path(entry.path))
        size -= entry.bytes
        count -= 1


def _empty(folder: Path, prefix: str) -> None:
    for name in _names(folder):
        if name.startswith(prefix):
            _remove(folder / name)


def _has(folder: Path, prefix: str) -> bool:
    return any(name.startswith(prefix) for name in _names(folder))


def _remove(path: Path) -> None:
    with contextlib.suppress(BridgeError):
        PrivateFiles(path.parent).delete(path.name)
