"""How deeply JSON may be nested: as deeply on every Python.

Each interpreter stops a decoder at a depth of its own: about 960 levels on 3.11, 1,500 on 3.12, 10,000 on 3.13, over
100,000 on 3.14. So the limit is set here, below all of them. Other readers of JSON stop sooner still: serde_json (Rust)
at 128 levels, pydantic at 200.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

MAX_NESTING = 500
"""Arrays and objects within one another, the outermost included."""

_BRACKETS = b"[]{}"
_AS_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKET = bytes(set(range(256)) - set(_BRACKETS))
_NO_BRACKET_NOR_QUOTE = bytes(set(_NO_BRACKET) - set(b'"'))
_OPENING = ord("[")
_SHORT = 1 << 13
_BLOCK = 256
_SLICE = 1 << 16


def is_too_deep(text: bytes | bytearray) -> bool:
    """Whether a JSON text is nested more than `MAX_NESTING` deep; of what is no JSON the answer means nothing.

    Almost every message is cleared by its length or by having few brackets, in a fraction of the time decoding takes.
    The others are counted through as if no bracket stood in a string, and only what then seems too deep is read
    closely. So strings that close hundreds of brackets which they do not open can hide as much depth. Then the
    decoder's own limit is all there is, and decoding may raise RecursionError.
    """
    if len(text) <= 2 * MAX_NESTING or not _opens_many(text):
        return False
    return _goes_too_deep(_everywhere(text)) and _goes_too_deep(_outside_strings(text))


def _opens_many(text: bytes | bytearray) -> bool:
    """Whether there are more opening brackets than may be open at once."""
    if len(text) <= _SHORT:
        return text.count(b"{") + text.count(b"[") > MAX_NESTING
    # Counting looks at byte after byte; finding does not, and is 20 times as fast in a long text with few brackets.
    found = 0
    for bracket in (b"{", b"["):
        at = text.find(bracket)
        while at >= 0:
            found += 1
            if found > MAX_NESTING:
                return True
            at = text.find(bracket, at + 1)
    return False


def _everywhere(text: bytes | bytearray) -> Iterator[bytes]:
    """All brackets, piece by piece: whatever is small enough for the processor's cache goes twice as fast."""
    view = memoryview(text)
    for start in range(0, len(view), _SLICE):
        yield bytes(view[start : start + _SLICE]).translate(_AS_SQUARE, _NO_BRACKET)


def _outside_strings(text: bytes | bytearray) -> Iterator[bytes]:
    """The brackets that are JSON's own, piece by piece."""
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    left = bytes(text.translate(_AS_SQUARE, _NO_BRACKET_NOR_QUOTE))
    within = 0
    for start in range(0, len(left), _SLICE):
        parts = left[start : start + _SLICE].split(b'"')
        yield b"".join(parts[within::2])
        within = (within + len(parts) - 1) % 2


def _goes_too_deep(pieces: Iterable[bytes]) -> bool:
    """Whether these brackets, all of them square, are ever too many levels deep. Most blocks need only be counted."""
    depth = 0
    for piece in pieces:
        for start in range(0, len(piece), _BLOCK):
            block = piece[start : start + _BLOCK]
            opened = block.count(b"[")
            if depth + opened <= MAX_NESTING:
                depth = max(0, depth + 2 * opened - len(block))
                continue
            for bracket in block:
                depth += 1 if bracket == _OPENING else -1
                if depth > MAX_NESTING:
                    return True
            depth = max(0, depth)
    return False
