"""Others' words, made fit for a sentence of the bridge's own."""

from __future__ import annotations

from bridge.protocol.sanitize import shown

_LENGTH = 120


def excerpt(text: str) -> str:
    """The beginning of a text, as one line without control characters."""
    return shown(text, _LENGTH)
