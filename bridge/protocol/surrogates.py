r"""Lone surrogates: JSON's grammar allows the escape `"\ud83d"` by itself, although it is not a character.

RFC 8259, section 8.2, calls the result in a reader unpredictable; msgspec rejects the whole text. Programs that cut
strings by UTF-16 units send them. So the bridge reads a text in which each has become a replacement character.
"""

from __future__ import annotations

import re

from msgspec import Raw

# One escape at a time, so that an escaped backslash does not count as the start of one.
_ESCAPE = (
    rb"(?s)\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|.)"
)


def mended(value: bytes | bytearray | Raw) -> Raw:
    r"""The same JSON with `\ufffd` for each escaped lone surrogate: the same length, and every other byte as it was."""
    return Raw(re.sub(_ESCAPE, _whole, bytes(value)))


def replaced(text: str) -> str:
    """The text with U+FFFD for each lone surrogate, so that it can be encoded as UTF-8."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _whole(escape: re.Match[bytes]) -> bytes:
    return escape[0] if escape[1] is None else b"\\ufffd"
