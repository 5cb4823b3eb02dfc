"""The marker: a small file beside a store key that says where its secret is. It holds no secret itself.

A save takes effect at the moment in which the marker is replaced. So however a save is interrupted, either the old
secret or the new one is there as a whole. A store key whose secret is in a file and never was in the keyring needs no
marker.

Each save into the keyring uses new names, a generation. Keyrings cannot list what they hold, so the marker names each
generation before its first chunk is stored, and until its last chunk is removed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

MOST_REMAINS = 64
"""Generations that a marker has room for, besides the current one."""

_TEXT = re.compile(rf"(keyring|file|gone)(?: ([0-9a-f]{{16}}))?\n((?:[0-9a-f]{{16}}\n){{0,{MOST_REMAINS}}})")


@dataclass(frozen=True, slots=True)
class Marker:
    """Where a store key's secret is.

    `current` is the generation to read where `holds` is `keyring`. `remains` are other generations of which the
    keyring may still have chunks.
    """

    holds: Literal["keyring", "file", "gone"]
    current: str = ""
    remains: tuple[str, ...] = ()

    @property
    def generations(self) -> tuple[str, ...]:
        """Every generation of which the keyring may have chunks."""
        return (*self.remains, self.current) if self.current else self.remains

    def encode(self) -> bytes:
        """The marker as the content of its file."""
        first = f"{self.holds} {self.current}".rstrip()
        return "".join(f"{line}\n" for line in (first, *self.remains)).encode()


def read_marker(data: bytes | None) -> Marker | None:
    """The marker in a file's bytes; None where there is no file, or its content is not a marker."""
    found = _TEXT.fullmatch((data or b"").decode("ascii", "replace"))
    if found is None:
        return None
    holds, current, remains = found[1], found[2] or "", tuple(found[3].split())
    if holds == "keyring":
        return Marker("keyring", current, remains) if current else None
    return Marker("file" if holds == "file" else "gone", "", (*remains, current) if current else remains)
