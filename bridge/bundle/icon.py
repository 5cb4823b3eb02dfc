"""A bundle's icon: a PNG file, as hosts show it.

The format's own check asks for PNG, and recommends 512 x 512 pixels (`validateIcon` in github.com/anthropics/mcpb).
"""

from __future__ import annotations

import struct
from pathlib import Path

import msgspec

from bridge.errors import UsageError
from bridge.protocol.sanitize import problem_text

LARGEST = 1024 * 1024
"""Bytes."""
WIDEST = 4096
"""Pixels."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">I4sII")  # PNG (third edition), 11.2.1: the length, IHDR, width, height.


class Icon(msgspec.Struct, frozen=True):
    """A PNG image and its size in pixels."""

    content: bytes
    width: int
    height: int


def read_icon(path: Path) -> Icon:
    """Read and check it. Raises `UsageError`."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"The icon {path} cannot be read: {problem_text(error)}.") from None
    if len(content) > LARGEST:
        raise UsageError(f"The icon {path} has more than {LARGEST // 1024} kB.", hint="512 x 512 pixels are enough.")
    if not content.startswith(_SIGNATURE) or len(content) < len(_SIGNATURE) + _HEADER.size:
        raise UsageError(f"The icon {path} is not a PNG file.", hint="Hosts show PNG only: convert it first.")
    _, kind, width, height = _HEADER.unpack_from(content, len(_SIGNATURE))
    if kind != b"IHDR" or not (0 < width <= WIDEST and 0 < height <= WIDEST):
        raise UsageError(
            f"The icon {path} is {width} x {height} pixels, or damaged.", hint="Use a PNG file of 512 x 512 pixels."
        )
    return Icon(content, width, height)
