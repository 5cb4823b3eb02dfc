"""Answers of MCP servers that may be kept (MCP 2026-07-28, Caching): on disk, for all copies and later runs.

They are the server's data: no token and no header is in them, and no name of a file tells a URL, a header or a user.
What is missing, damaged or strange counts as not kept, and what cannot be kept is not kept. `session/response_cache`
says what may be kept, and when it is fresh.

In the platform's cache folder:

| file | what it is |
|---|---|
| `response_files/key` | 32 random bytes, for the digests |
| `response_files/server-<digest of the URL>/` | one server's answers |
| `.../public-tools-first-<digest>` | an answer for every sign-in: its kind, whether the list goes on here |
| `.../private-read-first-<digest>` | an answer for the sign-in that is in the digest |

A digest is of all that makes an answer what it is: the URL, the user's headers, the client's certificate, the request,
and for a private one the sign-in. It is keyed (HMAC), so that a header which can be guessed cannot be confirmed.

A file is replaced as a whole. Its text: `response 1`, when it was received and for how long it is fresh in
milliseconds, its length in bytes; then the result. Each folder has a limit, and so have all together: the oldest go.
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
"""The most that is kept of one server."""

SERVER_FILES = 256
"""The most answers that are kept of one server."""

ALL_BYTES = 32 * 1024 * 1024
"""The most that is kept of all servers."""

_KEY_BYTES = 32
_KEY = "key"
_LEFTOVER_AGE = 3600.0
_HEAD = re.compile(rb"response 1 (\d{1,15}) (\d{1,9}) (\d{1,7})\n")
_LONGEST_HEAD = 64
_NAME = re.compile(r"(public|private)-([a-z]{1,16})-(first|page)-[0-9a-f]{40}")
_FOLDER = re.compile(r"server-[0-9a-f]{40}")

_logger = logging.getLogger("bridge.store")


class Summary(NamedTuple):
    """What is kept of one server, or of several: how many answers, their size, and when (Unix seconds)."""

    results: int = 0
    bytes: int = 0
    oldest: float | None = None
    newest: float | None = None


def cache_folder() -> Path:
    """The folder of all servers' answers, beside that of their eras."""
    return era_cache.cache_folder().parent / "responses"


class ResponseFiles:
    """The kept answers of the server at `url`; `sent` is what else goes with each request and may change the answer.

    Nothing is kept between calls, so what another copy keeps or forgets is seen at once. No method fails.
    """

    def __init__(self, url: str, sent: Iterable[bytes] = ()) -> None:
        self._url = url
        self._sent = [url.encode("utf-8", "surrogatepass"), *sent]
        self._folder = folder_of(url)
        self._files = PrivateFiles(self._folder)

    def load(self, question: CacheQuery, signed_in_as: str | None) -> CachedResult | None:
        """What is kept of the answer to `question`; None for `signed_in_as`: among those for every sign-in.

        Quick: two small files are opened at most. Raises nothing.
        """
        try:
            key = _read_key()
            if key is None:
                return None
            data = self._files.read(_name(key, self._sent, question, signed_in_as))
        except (BridgeError, OSError, RuntimeError) as problem:
            _logger.debug("a kept answer cannot be read: %s", problem)
            return None
        return _read(data, is_private=signed_in_as is not None) if data is not None else None

    def has_private(self, kind: str) -> bool:
        """Whether there is any answer of this kind that is for one sign-in only."""
        return _has(self._folder, f"private-{kind}-")

    def save(self, question: CacheQuery, kept: CachedResult | None, signed_in_as: str, *, starts_anew: bool) -> None:
        """Keep an answer in place of any before, or keep none any more. Blocks.

        `starts_anew`: forget the pages that follow, but not this.
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
            _logger.debug("an answer cannot be kept: %s", problem)

    def drop(self, kinds: Iterable[str]) -> None:
        """Forget every answer of these kinds, whoever it is for. Blocks."""
        wanted = set(kinds)
        for name in _names(self._folder):
            if (found := _NAME.fullmatch(name)) and found[2] in wanted:
                _remove(self._folder / name)


def folder_of(url: str) -> Path:
    """Where the answers of the server at `url` are."""
    return cache_folder() / era_cache.name_of(url)


def forget(url: str) -> None:
    """Forget all that is kept of a server. Blocks; raises nothing."""
    with contextlib.suppress(RuntimeError):
        _empty(folder_of(url), "")


def forget_private(url: str | None) -> str:
    """Forget what is kept of a server for one sign-in only, whosever; None: of every server.

    Blocks, and raises nothing: returns what went wrong, in words, or nothing.
    """
    try:
        for folder in _folders() if url is None else [folder_of(url)]:
            _empty(folder, "private-")
    except RuntimeError:
        return ""  # Without a home folder nothing was ever kept.
    if not forget_caches(former_roots()):
        return "Answers of the server that an earlier version of the bridge kept could not all be removed."
    left = [folder for folder in (_folders() if url is None else [folder_of(url)]) if _has(folder, "private-")]
    return f"Answers of the server that were kept in {left[0]} could not all be removed." if left else ""


def summary_of(url: str) -> Summary:
    """What is kept of one server."""
    try:
        return _summary(_entries(folder_of(url)))
    except (OSError, RuntimeError):
        return Summary()


def summary_of_others(urls: Iterable[str]) -> tuple[int, Summary]:
    """How many other servers something is kept of, and what."""
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
    return files.read(_KEY) or b""  # Another copy may have made one at the same time: the last one counts.


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
    """Remove the oldest answers until no limit is passed, and what is too old or was left half written."""
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
                one.rmdir()  # Only one that is empty can be removed.


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
