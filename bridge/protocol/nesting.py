"""How deeply JSON may be nested: the same on every Python.

Each interpreter has a limit of its own for decoders: about 960 levels on 3.11, 1,500 on 3.12, 10,000 on 3.13, over
100,000 on 3.14. The limit here is below all of them. Other JSON readers have lower ones: serde_json (Rust) 128 levels,
pydantic 200.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

MAX_NESTING = 500
"""Levels of arrays and objects, including the outermost."""

_BRACKETS = b"[]{}"
_AS_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKET = bytes(set(range(256)) - set(_BRACKETS))
_NO_BRACKET_NOR_QUOTE = bytes(set(_NO_BRACKET) - set(b'"'))
_OPENING = ord("[")
_SHORT = 1 << 13
_BLOCK = 256
_SLICE = 1 << 16


def is_too_deep(text: bytes | bytearray, most: int = MAX_NESTING) -> bool:
    """Whether a JSON text has more than `most` levels. For what is not JSON the answer has no meaning.

    Most messages are short or have few brackets, and pass in a fraction of the time that decoding takes. In the others
    all brackets are counted first, also those in strings; strings are excluded only where that count is too high. So
    strings with hundreds of closing brackets can hide as many levels. Then only the decoder's own limit applies, and
    decoding may raise RecursionError.
    """
    if len(text) <= 2 * most or not _opens_many(text, most):
        return False
    return _goes_too_deep(_everywhere(text), most) and _goes_too_deep(_outside_strings(text), most)


def _opens_many(text: bytes | bytearray, most: int) -> bool:
    """Whether there are more opening brackets than levels are allowed."""
    if len(text) <= _SHORT:
        return text.count(b"{") + text.count(b"[") > most
    # In a long text with few brackets `find` is 20 times as fast as `count`, which looks at each byte.
    found = 0
    for bracket in (b"{", b"["):
        at = text.find(bracket)
        while at >= 0:
            found += 1
            if found > most:
                return True
            at = text.find(bracket, at + 1)
    return False


def _everywhere(text: bytes | bytearray) -> Iterator[bytes]:
    """All brackets, in pieces that fit into the processor's cache, which is twice as fast."""
    view = memoryview(text)
    for start in range(0, len(view), _SLICE):
        yield bytes(view[start : start + _SLICE]).translate(_AS_SQUARE, _NO_BRACKET)


def _outside_strings(text: bytes | bytearray) -> Iterator[bytes]:
    """The brackets that are not in strings, piece by piece."""
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    left = bytes(text.translate(_AS_SQUARE, _NO_BRACKET_NOR_QUOTE))
    within = 0
    for start in range(0, len(left), _SLICE):
        parts = left[start : start + _SLICE].split(b'"')
        yield b"".join(parts[within::2])
        within = (within + len(parts) - 1) % 2


def _goes_too_deep(pieces: Iterable[bytes], most: int) -> bool:
    """Whether these brackets, all of them square, have too many levels anywhere. Most blocks are only counted."""
    depth = 0
    for piece in pieces:
        for start in range(0, len(piece), _BLOCK):
            block = piece[start : start + _BLOCK]
            opened = block.count(b"[")
            if depth + opened <= most:
                depth = max(0, depth + 2 * opened - len(block))
                continue
            for bracket in block:
                depth += 1 if bracket == _OPENING else -1
                if depth > most:
                    return True
            depth = max(0, depth)
    return False
