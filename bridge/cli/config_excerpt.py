"""Shows a mistake in the user's file of servers: its line, and a mark under its place. No secret is shown.

| in the line | is shown |
|---|---|
| names of members and servers, brackets | as they are |
| the value of a member that is known and never secret; the URL, where it has no query and no user name | as it is |
| a reference to a secret | as it is |
| any other value, such as that of a misspelled name; a comment | `...` |
| a line of a file that is not valid JSON | its marks and the words of the file's form; other words as `...` |
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bridge.cli.config_check import PlacedMistake
from bridge.cli.server_values import COMMAND_MEMBER, HEADER_MEMBER, ROWS, URL, is_reference
from bridge.cli.settings import SECRET_MEMBER
from bridge.documents.json_places import JsonPath, comments_of, members_of
from bridge.documents.reading import BrokenConfig
from bridge.inventory.server_file import DEFAULTS, SCHEMA, SERVERS, ServerFile

SECRET_MEMBERS = frozenset(
    (HEADER_MEMBER, COMMAND_MEMBER, SECRET_MEMBER, "authorize_param", "assertion", "idp_id_token")
)
"""The members whose values are never shown."""

_HIDDEN = "..."
_WIDTH = 100
_WORD = re.compile(r'[^\s{}\[\]:,"]+')
_WORDS_SHOWN = frozenset((*ROWS, URL, DEFAULTS, SERVERS, SCHEMA, "true", "false", "null"))


def shown_mistakes(file: ServerFile, mistakes: Sequence[PlacedMistake]) -> list[str]:
    """The lines to print for these mistakes: each with its place, its line and a mark, and what was meant."""
    hidden = _hidden(file.text)
    lines = []
    for one in mistakes:
        lines += [one.said(file.path), *_with_mark(*_masked(file.text, hidden, one.offset))]
        if one.mistake.hint:
            lines.append(f"    {one.mistake.hint}")
    return lines


def shown_break(why: BrokenConfig) -> list[str]:
    """The line at which a file stops being JSON, and a mark; nothing where the place is not known."""
    if not why.line:
        return []
    line = why.text.split("\n")[why.line - 1]
    before, after = line[: why.column - 1], line[why.column - 1 :]
    masked = _without_words(before)
    return _with_mark(masked + _without_words(after), len(masked))


def may_be_shown(path: JsonPath, text: str) -> bool:
    """Whether the value at `path`, of which `text` is the JSON, may be shown."""
    if path == (SCHEMA,):
        return True
    key = path[1] if path[:1] == (DEFAULTS,) and len(path) > 1 else path[2] if len(path) > 2 else None
    if path[:1] not in ((DEFAULTS,), (SERVERS,)) or ":-" in text:  # The default of a variable may be a secret.
        return False
    if key == URL:
        return "@" not in text and "?" not in text
    return key in ROWS and (key not in SECRET_MEMBERS or _is_reference(path, text))


def hidden_secrets(text: str) -> str:
    """A whole file that is valid JSON, with `...` in place of what may be secret."""
    shown, at = "", 0
    for start, end in _hidden(text):
        shown += text[at:start] + _HIDDEN
        at = end
    return shown + text[at:]


def _is_reference(path: JsonPath, text: str) -> bool:
    """Whether a value, of which `text` is the JSON, says where a secret is."""
    value = text.strip('"')
    # A header that is one text has its name before its value.
    if path[-1] == HEADER_MEMBER or isinstance(path[-1], int):
        value = value.partition(":")[2].strip()
    return is_reference(value)


def _hidden(text: str) -> list[tuple[int, int]]:
    """Where what may be secret begins and ends."""
    values = [
        (member.start, member.end)
        for member in members_of(text)
        if not member.is_container and not may_be_shown(member.path, text[member.start : member.end])
    ]
    return sorted([*values, *comments_of(text)])


def _masked(text: str, hidden: Sequence[tuple[int, int]], offset: int) -> tuple[str, int]:
    """The line of this offset with `...` for what is hidden, and where the offset is in it."""
    begin = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    end = len(text) if end < 0 else end
    line, mark, at = "", 0, begin
    for start, stop in (*hidden, (end, end)):
        if stop < begin or start > end:
            continue
        first = min(max(start, at), end)
        if at <= offset <= first:
            mark = len(line) + offset - at
        line += text[at:first]
        if start < end:
            line += _HIDDEN
        at = min(max(stop, at), end)
    return line, mark


def _without_words(text: str) -> str:
    return _WORD.sub(lambda found: found[0] if found[0] in _WORDS_SHOWN else _HIDDEN, text)


def _with_mark(line: str, mark: int) -> list[str]:
    line = "".join(char if char.isprintable() else " " for char in line)
    begin = 0 if len(line) <= _WIDTH else max(0, mark - _WIDTH // 2)
    part = line[begin : begin + _WIDTH]
    return [f"    {part}".rstrip(), f"    {' ' * (mark - begin)}^"]
