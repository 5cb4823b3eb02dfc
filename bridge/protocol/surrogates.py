r"""Lone surrogates: JSON's grammar allows the escape `"\ud83d"` by itself, and it stands for no character.

RFC 8259, section 8.2, calls what a reader makes of it unpredictable; msgspec refuses the whole text. Programs that cut
strings by UTF-16 units send them, so what must be read is read from a text in which each is a replacement character.
"""

from __future__ import annotations

import re

from msgspec import Raw

# One escape at a time, or a backslash that is itself escaped would be taken for the start of one.
_ESCAPE = (
    rb"(?s)\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|.)"
)


def mended(value: bytes | bytearray | Raw) -> Raw:
    r"""The same JSON with `\ufffd` for each escaped lone surrogate: the same length, and every other byte as it was."""
    return Raw(re.sub(_ESCAPE, _whole, bytes(value)))


def replaced(text: str) -> str:
    """The text with U+FFFD for each lone surrogate in it, so that it can be written as UTF-8."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _whole(escape: re.Match[bytes]) -> bytes:
    return escape[0] if escape[1] is None else b"\\ufffd"
