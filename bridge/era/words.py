"""Others' words, made fit for a sentence of the bridge's own."""

from __future__ import annotations

_LENGTH = 120


def excerpt(text: str) -> str:
    """The beginning of a text, as one line without control characters."""
    shown = "".join(char if char.isprintable() else " " for char in text[: _LENGTH * 4])
    line = " ".join(shown.split())
    return line if len(line) <= _LENGTH else line[: _LENGTH - 3] + "..."
