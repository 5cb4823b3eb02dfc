"""Where each statement of a TOML text is, and each member of an inline table.

This is a scanner, not a parser: `tomllib` has read the text before, so it is known to be valid. A parser loses the
places.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import NamedTuple

from bridge.documents.splices import Names

_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_BLANKS = re.compile(r"[ \t]*")
_SKIPPED = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*|[\[\]{},\n]|[^\s"\'#\[\]{},]+',
    re.DOTALL,
)


class TomlStatement(NamedTuple):
    """A table's header, or a key with its value. `path` leads to it from the document.

    It begins at `start` and ends before `end`; a value begins at `value_start`, which for a header is -1.
    """

    path: Names
    start: int
    value_start: int
    end: int

    @property
    def is_header(self) -> bool:
        """Whether it begins a table."""
        return self.value_start < 0


def statements_of(text: str) -> list[TomlStatement]:
    """All statements of a valid document, in their order."""
    return list(_statements(text))


def inline_members(text: str, table: TomlStatement) -> list[TomlStatement]:
    """The members of the inline table that is the value of `table`, in their order."""
    found = []
    at = _skipped(text, table.value_start + 1)
    while text[at] != "}":
        names, value_at = _key(text, at)
        value_at = _skipped(text, value_at + 1)
        end = _value_end(text, value_at, ",}")
        found.append(TomlStatement((*table.path, *names), at, value_at, end))
        at = _skipped(text, end)
        if text[at] == ",":
            at = _skipped(text, at + 1)
    return found


def comma_between(text: str, start: int, end: int) -> int:
    """Where the comma between two members of an inline table is; -1 where there is none."""
    return next((found.start() for found in _TOKEN.finditer(text, start, end) if found[0] == ","), -1)


def _statements(text: str) -> Iterator[TomlStatement]:
    table: Names = ()
    at = _skipped(text, 0)
    while at < len(text):
        if text[at] == "[":
            brackets = 2 if text.startswith("[[", at) else 1
            table, end = _key(text, _blanks(text, at + brackets))
            end += brackets
            yield TomlStatement(table, at, -1, end)
        else:
            names, equals = _key(text, at)
            value_at = _blanks(text, equals + 1)
            end = _value_end(text, value_at, "\n")
            yield TomlStatement((*table, *names), at, value_at, end)
        at = _skipped(text, end)


def _key(text: str, at: int) -> tuple[Names, int]:
    """A key's names, and where the mark behind it is."""
    names: list[str] = []
    while True:
        found = _KEY.match(text, at)
        if found is None:
            raise ValueError(f"no key at {at}")
        piece = found[0]
        names.append(str(tomllib.loads(f"k = {piece}")["k"]) if piece[0] in "\"'" else piece)
        at = _blanks(text, found.end())
        if text[at] != ".":
            return tuple(names), at
        at = _blanks(text, at + 1)


def _value_end(text: str, at: int, marks: str) -> int:
    """Where the value ends that begins at `at`: before one of `marks`, a comment or the end of the text."""
    depth, end = 0, at
    for found in _TOKEN.finditer(text, at):
        piece = found[0]
        if depth == 0 and (piece in marks or piece[0] == "#"):
            break
        depth += (piece in ("[", "{")) - (piece in ("]", "}"))
        if piece != "\n" and piece[0] != "#":
            end = found.end()
    return end


def _blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


def _skipped(text: str, at: int) -> int:
    found = _SKIPPED.match(text, at)
    return found.end() if found else at
