"""A value in a keyring, cut into pieces that every platform takes.

Windows holds the least in one entry (the table in `bridge.store.system`): 2,560 bytes, which is 1,280 characters of
UTF-16. So each piece has at most 1,200, in base64url, and lies under a name of its own: store key, generation, number.
The
first begins with how many there are and the SHA-256 of the whole, so that a value with a piece missing or foreign is
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

PIECE = 1200
"""Characters in one keyring entry."""
LIMIT = 60_000
"""Bytes in one value. A keyring is no place for more."""

_HEAD = 80  # The first piece's number and digest, with room to spare.
_MOST = 100  # Pieces; more than `LIMIT` needs.
_GAP = 2  # Names that must be free before the end of a generation is believed.


class KeyringBackend(Protocol):
    """What is used of a backend of the `keyring` package. Each call may raise anything."""

    def get_password(self, service: str, username: str) -> str | None:
        """The entry's text, None where there is none."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Write the entry."""

    def delete_password(self, service: str, username: str) -> None:
        """Remove the entry; raises where there is none."""


class NotKept(Exception):
    """The keyring took a piece without a word and does not give it back."""


def save_chunks(ring: KeyringBackend, key: str, generation: str, data: bytes, check: Callable[[], None]) -> None:
    """Write all pieces, then read them back. `check` raises between two calls when nobody waits any more.

    Some backends swallow a write that failed, so only what was read back counts; raises `NotKept` otherwise.
    """
    pieces = _cut(data)
    for number, piece in enumerate(pieces):
        check()
        ring.set_password(*_names(key, generation, number), piece)
    for number, piece in enumerate(pieces):
        check()
        if ring.get_password(*_names(key, generation, number)) != piece:
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
        piece = ring.get_password(*_names(key, generation, number))
        if piece is None:
            return None
        texts.append(piece)
    try:
        data = base64.b64decode("".join(texts).encode(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    whole = hmac.compare_digest(hashlib.sha256(data).hexdigest().encode(), digest.encode())
    return data if whole else None


def drop_chunks(ring: KeyringBackend, key: str, generation: str, check: Callable[[], None]) -> None:
    """Remove every piece of a generation, the last first; what is not there is fine."""
    there = []
    number = missing = 0
    while missing < _GAP and number < _MOST:
        check()
        names = _names(key, generation, number)
        try:
            is_there = ring.get_password(*names) is not None
        except Exception:
            # macOS lets a newer Python remove what an older one stored, as a rule, but not read it without asking.
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
    """Whether a new entry can be written and read: then the keyring is open, and what failed is about one entry."""
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
    """The service and user name of a piece.

    The service is different for each, for the Windows backend keeps one entry a service and, for a second one,
    moves the first elsewhere in two steps.
    """
    name = f"{key}.{generation}.{number}"
    return f"{PROGRAM}:{name}", name


def _cut(data: bytes) -> list[str]:
    text = base64.urlsafe_b64encode(data).decode()
    first = PIECE - _HEAD
    pieces = [text[:first], *(text[start : start + PIECE] for start in range(first, len(text), PIECE))]
    pieces[0] = f"{len(pieces)} {hashlib.sha256(data).hexdigest()} {pieces[0]}"
    return pieces
