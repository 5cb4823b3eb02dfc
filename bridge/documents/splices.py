"""Changes to a text as places in it and what comes there; all else stays as it is, byte for byte."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from bridge.protocol.sanitize import shown

Names = tuple[str, ...]
"""The names that lead to a member, from the document down; empty for the document itself."""


class Splice(NamedTuple):
    """The text from `start` to before `end` is replaced by `new`."""

    start: int
    end: int
    new: str = ""


class RefusedEdit(Exception):
    """A change that cannot be made safely; `str()` says why, as the end of a sentence. `hint` says what to do."""

    def __init__(self, said: str, hint: str = "Make this change in an editor.") -> None:
        super().__init__(said)
        self.hint = hint


def twice(name: str, lines: Iterable[int]) -> RefusedEdit:
    """What to raise where an object has several members of one name, in these lines."""
    where = " and ".join(map(str, lines))
    said = f'the name "{shown(name)}" is more than once in one object, in lines {where}'
    return RefusedEdit(said, "Remove all but one of them, and run the command again.")


def named(path: Names) -> str:
    """The member at this path, for a sentence."""
    return f"its member {shown('.'.join(path))}" if path else "it"


def applied(text: str, splices: Iterable[Splice]) -> str:
    """The text after these changes, which do not overlap. Of two at one place the first given comes first."""
    pieces, at = [], 0
    for splice in sorted(splices, key=lambda one: one.start):
        pieces += [text[at : splice.start], splice.new]
        at = splice.end
    return "".join([*pieces, text[at:]])


def newline_of(text: str) -> str:
    """How the lines of the text end, by the first of them."""
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


def indent_at(text: str, offset: int) -> str:
    """The white space that begins the line of this offset."""
    start = text.rfind("\n", 0, offset) + 1
    return text[start : end_of_blanks(text, start)]


def end_of_blanks(text: str, offset: int) -> int:
    """The end of the spaces and tabs that begin at `offset`."""
    while offset < len(text) and text[offset] in " \t":
        offset += 1
    return offset


def start_of_blanks(text: str, offset: int) -> int:
    """The start of the spaces and tabs that end at `offset`."""
    while offset > 0 and text[offset - 1] in " \t":
        offset -= 1
    return offset


def begins_line(text: str, offset: int) -> bool:
    """Whether only spaces and tabs are before `offset` in its line."""
    start = start_of_blanks(text, offset)
    return start == 0 or text[start - 1] == "\n"


def before_newline(text: str, offset: int) -> int:
    """Where the line break begins that ends right before `offset`; `offset` where there is none."""
    if offset == 0 or text[offset - 1] != "\n":
        return offset
    return offset - 2 if text[:offset].endswith("\r\n") else offset - 1


def after_newline(text: str, offset: int) -> int:
    """Where the line break ends that begins at `offset`; `offset` where there is none."""
    if text.startswith("\r\n", offset):
        return offset + 2
    return offset + 1 if text.startswith("\n", offset) else offset


def end_of_line(text: str, offset: int) -> int:
    """Where the line of this offset ends, before its line break."""
    end = text.find("\n", offset)
    if end < 0:
        return len(text)
    return end - 1 if end > offset and text[end - 1] == "\r" else end


def whole_lines(text: str, start: int, end: int) -> Splice:
    """Takes out the lines from `start` to `end`, and the line break before them, or behind them in the first line."""
    first = text.rfind("\n", 0, start) + 1
    if first == 0:
        return Splice(0, after_newline(text, end))
    return Splice(before_newline(text, first), end)


def appended(text: str, block: str) -> Splice:
    """Adds lines behind a text without content. Its last line stays without a line break where it had none."""
    newline = newline_of(text)
    if text and not text.endswith(("\n", "\r")):
        return Splice(len(text), len(text), newline + block)
    return Splice(len(text), len(text), block + newline)


def taken_back(text: str, start: int, end: int) -> Splice:
    """Undoes `appended`: takes out the block from `start` to `end` and its line break."""
    behind = after_newline(text, end)
    return Splice(start, behind) if behind > end else Splice(before_newline(text, start), end)
