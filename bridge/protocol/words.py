"""Words that others wrote, made fit to stand in a message: one line, printable, cut."""

from __future__ import annotations


def sentence(text: str) -> str:
    """`text` with a full stop at its end."""
    return text if text.endswith(".") else f"{text}."


def shown(text: str, longest: int) -> str:
    """`text` on one line of at most `longest` characters.

    Whatever cannot be seen, or would move or turn round what stands beside it, counts as a space.
    """
    begin = text[: 4 * longest]
    line = " ".join("".join(char if char.isprintable() else " " for char in begin).split())
    if len(line) > longest:
        return f"{line[: longest - 3].rstrip()}..."
    return line
