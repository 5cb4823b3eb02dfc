"""A value in a keyring, cut into chunks that every platform accepts.

Windows holds the least in one entry (the table in `bridge.store.system`): 2,560 bytes, which is 1,280 characters of
UTF-16. So each chunk has at most 1,200, in base64url, and lies under a name of its own: store key, generation, number.
The
first begins with how many there are and the SHA-256 of the whole, so that a value with a chunk missing or foreign is
known for what it is.

A generation is never written twice. An old value stays whole until the marker points to the new one.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Protocol

from bridge import PROGRAM

CHUNK = 1200
"""Characters in one keyring entry."""
LIMIT = 60_000
"""The most bytes in one value. A keyring is not meant for more."""

_HEAD = 80  # The first chunk's number and digest, with room to spare.
_MOST = 100  # Chunks; more than `LIMIT` needs.
_GAP = 2  # So many names in a row must be free to mark the end of a generation.


class KeyringBackend(Protocol):
    """The part of a backend of the `keyring` package that is used here. Each call may raise any exception."""

    def get_password(self, service: str, username: str) -> str | None:
        """The entry's text, None where there is none."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Write the entry."""

    def delete_password(self, service: str, username: str) -> None:
        """Remove the entry; raises where there is none."""


class NotKept(Exception):
    """The keyring accepted a chunk, but does not return it."""


def save_chunks(ring: KeyringBackend, key: str, generation: str, data: bytes, check: Callable[[], None]) -> None:
    """Write all chunks, then read them back. `check`, called between two calls, raises when the caller has given up.

    Some backends hide that a write failed, so only what can be read back counts. Raises `NotKept` otherwise.
    """
    chunks = _cut(data)
    for number, chunk in enumerate(chunks):
        check()
        ring.set_password(*_names(key, generation, number), chunk)
    for number, chunk in enumerate(chunks):
        check()
        if ring.get_password(*_names(key, generation, number)) != chunk:
            raise NotKept


def load_chunks(ring: KeyringBackend, key: str, generation: str, check: Callable[[], None]) -> bytes | None:
    """The value of a generation, None where any of it is missing or foreign."""
    first = ring.get_password(*_names(key, generation, 0)) or ""
    count, _, rest = first.partition(" ")
    digest, _, text = rest.partition(" ")
    if not (count.isdecimal() and count.isascii() and 1 <= int(count[:6]) <= _MOST):
        return None
    texts = [text]
    for number in range(1, int(count)):
        check()
        chunk = ring.get_password(*_names(key, generation, number))
        if chunk is None:
            return None
        texts.append(chunk)
    try:
        data = base64.b64decode("".join(texts).encode(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    whole = hmac.compare_digest(hashlib.sha256(data).hexdigest().encode(), digest.encode())
    return data if whole else None


def drop_chunks(ring: KeyringBackend, key: str, generation: str, check: Callable[[], None]) -> None:
    """Remove every chunk of a generation that exists, the last one first."""
    there = []
    number = missing = 0
    while missing < _GAP and number < _MOST:
        check()
        names = _names(key, generation, number)
        try:
            is_there = ring.get_password(*names) is not None
        except Exception:
            # macOS usually lets a newer Python remove what an older one stored, but does not let it read that silently.
            ring.delete_password(*names)
            missing = 0
        else:
            missing = 0 if is_there else missing + 1
            there += [number] if is_there else []
        number += 1
    for found in reversed(there):
        check()
        ring.delete_password(*_names(key, generation, found))


def takes_new(ring: KeyringBackend, check: Callable[[], None]) -> bool:
    """Whether a new entry can be written and read. If so, the keyring is open, and only one entry was refused."""
    name = f"probe.{secrets.token_hex(8)}"
    names = (f"{PROGRAM}:{name}", name)
    try:
        check()
        ring.set_password(*names, name)
    except Exception:
        return False
    try:
        check()
        return ring.get_password(*names) == name
    except Exception:
        return False
    finally:
        with contextlib.suppress(Exception):
            ring.delete_password(*names)


def _names(key: str, generation: str, number: int) -> tuple[str, str]:
    """The service and user name of a chunk.

    The service is different for each, for the Windows backend keeps one entry a service and, for a second one,
    moves the first elsewhere in two steps.
    """
    name = f"{key}.{generation}.{number}"
    return f"{PROGRAM}:{name}", name


def _cut(data: bytes) -> list[str]:
    text = base64.urlsafe_b64encode(data).decode()
    first = CHUNK - _HEAD
    chunks = [text[:first], *(text[start : start + CHUNK] for start in range(first, len(text), CHUNK))]
    chunks[0] = f"{len(chunks)} {hashlib.sha256(data).hexdigest()} {chunks[0]}"
    return chunks
