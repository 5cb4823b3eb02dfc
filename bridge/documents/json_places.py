"""Where each member of a JSON text is: its name, its value. The text may have comments and trailing commas.

This is a scanner, not a parser: `reading` has read the text before, so it is known to be valid. A parser loses the
places, and of two members with one name it keeps the last; here both are found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

JsonPath = tuple[str | int, ...]
"""The names and indexes that lead to a value; empty for the whole document."""

_TOKEN = re.compile(
    r'(?P<string>"(?:[^"\\]|\\.)*")|(?P<comment>//(?:[^\r\n]|\r(?!\n))*|/\*.*?\*/)|(?P<mark>[{}\[\]:,])|(?P<other>[^\s{}\[\]:,"/]+)',
    re.DOTALL,
)


class JsonMember(NamedTuple):
    """A value and its place, as offsets in the text: it begins at `start` and ends before `end`.

    `name_at` is where its name begins; for a value of an array, and for the document, that is `start`. `within` is
    where the object or array begins that it is in, -1 for the document. `is_container`: it is one itself.
    """

    path: JsonPath
    name_at: int
    start: int
    end: int
    within: int
    is_container: bool


@dataclass(slots=True)
class _Open:
    """An object or array that is not closed yet. `name` is that of the member whose value comes next."""

    path: JsonPath
    name_at: int
    start: int
    within: int
    is_object: bool
    name: str | int | None = None
    next_name_at: int = field(default=0)


def members_of(text: str) -> list[JsonMember]:
    """Every value of a valid document, in the order of their beginnings."""
    return sorted(_members(text), key=lambda member: (member.start, -member.end))


def comments_of(text: str) -> list[tuple[int, int]]:
    """Where each comment begins and ends."""
    return [found.span() for found in _TOKEN.finditer(text) if found["comment"]]


def tokens_of(text: str, start: int = 0, end: int | None = None) -> list[re.Match[str]]:
    """The strings, comments, marks and other words from `start` to `end`, each in the group of its kind."""
    return list(_TOKEN.finditer(text, start, len(text) if end is None else end))


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """The line and the column of a place, both from 1. A column is a character."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _members(text: str) -> Iterator[JsonMember]:
    import json

    opened: list[_Open] = []
    for found in _TOKEN.finditer(text):
        piece, at = found[0], found.start()
        if found["comment"] or piece in (":", ","):
            continue
        within = opened[-1] if opened else None
        if piece in ("}", "]"):
            if within is None:
                continue
            opened.pop()
            end = found.end()
            yield JsonMember(within.path, within.name_at, within.start, end, within.within, is_container=True)
            continue
        if within is not None and within.is_object and within.name is None:
            within.name, within.next_name_at = str(json.loads(piece, strict=False)), at
            continue
        path, name_at = _take_place(within, at)
        outer = -1 if within is None else within.start
        if piece in ("{", "["):
            is_object = piece == "{"
            opened.append(_Open(path, name_at, at, outer, is_object, None if is_object else 0))
        else:
            yield JsonMember(path, name_at, at, found.end(), outer, is_container=False)


def _take_place(within: _Open | None, at: int) -> tuple[JsonPath, int]:
    """The path of the value that begins, and where its name is; the next value is another's."""
    if within is None or within.name is None:
        return (), at
    path = (*within.path, within.name)
    if within.is_object:
        within.name = None
        return path, within.next_name_at
    within.name = int(within.name) + 1
    return path, at
