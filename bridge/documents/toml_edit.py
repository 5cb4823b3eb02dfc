"""Changes a member of a TOML text. All else stays byte for byte.

| the new member | where it comes |
|---|---|
| a table | as `[a.b]`, behind the last table of the same parent, or last of all, after an empty line |
| another value | behind the last key of its table; where no line has that table, below a new `[a]` |
| in an inline table | last in it |
| beside dotted keys | a table as above; another value as a dotted key |

A comment right above a table's header belongs to that table. What is removed takes its lines, with the comments in them
and among the keys of a table; other comments stay. So removing what was inserted gives the text from before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from bridge.documents.reading import parse_toml
from bridge.documents.splices import (
    Names,
    RefusedEdit,
    Splice,
    after_newline,
    before_newline,
    end_of_line,
    named,
    newline_of,
    start_of_blanks,
    whole_lines,
)
from bridge.documents.toml_places import TomlStatement, inline_members, statements_of

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPED = re.compile("[\x7f\ud800-\udfff]")


def parsed(text: str) -> object:
    """The tables. Raises `BrokenConfig`, and RecursionError."""
    return parse_toml(text)


def document(text: str, value: object) -> list[Splice]:
    """Not needed: an empty text is a document."""
    raise RefusedEdit("it has no place for a document")


def insertion(text: str, parent: Names, name: str, value: object) -> list[Splice]:
    """Adds a member to the table at `parent`."""
    statements = statements_of(text)
    owner = _inline_owner(text, statements, parent)
    if owner is not None:
        return [_into_inline(text, owner, parent[len(owner.path) :], name, value)]
    if isinstance(value, dict):
        return [_new_table(text, statements, parent, (*parent, name), value)]
    sections = list(_sections(statements))
    dotted = [key for _, keys in sections for key in keys if _is_below(key.path, parent, strictly=True)]
    in_own = [(head, keys) for head, keys in sections if (head.path if head else ()) == parent]
    if in_own or not parent:
        head, keys = in_own[-1] if in_own else (None, [])
        last = keys[-1] if keys else head
        line = f"{_key(name)} = {_inline(value)}"
        return [_new_line(text, last, line)]
    if dotted:
        table = next((head.path for head, keys in sections if dotted[-1] in keys and head is not None), ())
        return [_new_line(text, dotted[-1], f"{_dotted((*parent, name)[len(table) :])} = {_inline(value)}")]
    return [_new_table(text, statements, parent, parent, {name: value})]


def replacement(text: str, path: Names, value: object) -> list[Splice]:
    """Puts another value in the place of the one at `path`."""
    statements = statements_of(text)
    exact = next((one for one in statements if one.path == path and not one.is_header), None)
    if exact is None:
        owner = _inline_owner(text, statements, path[:-1])
        exact = _inline_member(text, owner, path) if owner else None
    if exact is not None:
        return [Splice(exact.value_start, exact.end, _inline(value))]
    tables, keys = _parts_at(text, statements, path)
    if keys:
        first = keys[0]
        table = next((head.path for head, inner in _sections(statements) if first in inner and head is not None), ())
        line = f"{_dotted(path[len(table) :])} = {_inline(value)}"
        others = [*(_line_of(text, one) for one in keys[1:]), *(_block(text, *table) for table in tables)]
        return [Splice(first.start, first.end, line), *others]
    if not isinstance(value, dict):
        raise RefusedEdit(f"{named(path)} is a table, and cannot be replaced by another kind of value")
    (start, end), *rest = tables
    return [Splice(start, end, _table(path, value, newline_of(text))), *(_block(text, *table) for table in rest)]


def removal(text: str, path: Names) -> list[Splice]:
    """Takes out the member at `path`."""
    statements = statements_of(text)
    tables, keys = _parts_at(text, statements, path)
    if tables or keys:
        return [*(_block(text, *table) for table in tables), *(_line_of(text, key) for key in keys)]
    owner = _inline_owner(text, statements, path[:-1])
    if owner is None:
        raise RefusedEdit(f"the place of {named(path)} cannot be found")
    return _out_of_inline(text, owner, path)


def _sections(statements: list[TomlStatement]) -> Iterator[tuple[TomlStatement | None, list[TomlStatement]]]:
    """Each table's header with its keys; the keys before all headers with None."""
    head: TomlStatement | None = None
    keys: list[TomlStatement] = []
    for one in statements:
        if one.is_header:
            if head is not None or keys:
                yield head, keys
            head, keys = one, []
        else:
            keys.append(one)
    if head is not None or keys:
        yield head, keys


def _is_below(path: Names, parent: Names, *, strictly: bool = False) -> bool:
    return path[: len(parent)] == parent and (len(path) > len(parent) or not strictly)


def _parts_at(
    text: str, statements: list[TomlStatement], path: Names
) -> tuple[list[tuple[int, int]], list[TomlStatement]]:
    """What makes up the member at `path`: the places of tables, neighbours as one, and keys in other tables."""
    tables: list[tuple[int, int]] = []
    keys = []
    for head, inner in _sections(statements):
        if head is None or not _is_below(head.path, path):
            keys += [key for key in inner if _is_below(key.path, path)]
            continue
        end = end_of_line(text, (inner[-1] if inner else head).end)
        if tables and not text[tables[-1][1] : head.start].strip():
            tables[-1] = (tables[-1][0], end)
        else:
            tables.append((head.start, end))
    return tables, keys


def _new_line(text: str, last: TomlStatement | None, line: str) -> Splice:
    if last is None:
        return Splice(0, 0, line + newline_of(text))
    at = end_of_line(text, last.end)
    return Splice(at, at, newline_of(text) + line)


def _new_table(
    text: str, statements: list[TomlStatement], parent: Names, path: Names, value: dict[str, object]
) -> Splice:
    newline = newline_of(text)
    heads = [one for one in statements if one.is_header]
    related = [one for one in heads if parent and _is_below(one.path, parent)]
    following = next((one for one in heads if related and one.start > related[-1].start), None)
    at = _end_of_content(text, following)
    block = _table(path, value, newline)
    return Splice(at, at, newline * 2 + block) if at else Splice(0, 0, block + newline)


def _end_of_content(text: str, following: TomlStatement | None) -> int:
    """Where the last line ends that is not empty, before this header and the comments right above it."""
    limit = len(text)
    if following is not None:
        limit = text.rfind("\n", 0, following.start) + 1
        while limit > 0:
            above = text.rfind("\n", 0, limit - 1) + 1
            if not text[above:limit].lstrip().startswith("#"):
                break
            limit = above
    end = len(text[:limit].rstrip())
    return end_of_line(text, end) if end else 0


def _block(text: str, start: int, end: int) -> Splice:
    """Takes out a table's lines, and one empty line before them; at the head of the text the line break behind them."""
    first = start_of_blanks(text, start)
    if not text[:first].strip():
        return Splice(first, after_newline(text, end))
    above = before_newline(text, first)
    blank = start_of_blanks(text, above)
    return Splice(before_newline(text, blank), end)


def _line_of(text: str, key: TomlStatement) -> Splice:
    return whole_lines(text, key.start, end_of_line(text, key.end))


def _inline_owner(text: str, statements: list[TomlStatement], path: Names) -> TomlStatement | None:
    """The outermost inline table that `path` leads to or through."""
    for one in statements:
        if not one.is_header and _is_below(path, one.path) and text.startswith("{", one.value_start):
            return one
    return None


def _innermost(text: str, owner: TomlStatement, path: Names) -> TomlStatement:
    """The innermost inline table within `owner` that `path` leads to or through."""
    for one in inline_members(text, owner):
        if _is_below(path, one.path) and text.startswith("{", one.value_start):
            return _innermost(text, one, path)
    return owner


def _inline_member(text: str, owner: TomlStatement, path: Names) -> TomlStatement | None:
    members = inline_members(text, _innermost(text, owner, path[:-1]))
    return next((one for one in members if one.path == path), None)


def _into_inline(text: str, owner: TomlStatement, rest: Names, name: str, value: object) -> Splice:
    path = (*owner.path, *rest)
    owner = _innermost(text, owner, path)
    line = f"{_dotted((*path, name)[len(owner.path) :])} = {_inline(value)}"
    members = inline_members(text, owner)
    if members:
        return Splice(members[-1].end, members[-1].end, f", {line}")
    return Splice(owner.value_start + 1, owner.value_start + 1, line)


def _out_of_inline(text: str, owner: TomlStatement, path: Names) -> list[Splice]:
    members = inline_members(text, _innermost(text, owner, path[:-1]))
    splices = []
    for at, one in enumerate(members):
        if not _is_below(one.path, path):
            continue
        if at:
            splices.append(Splice(members[at - 1].end, one.end))
        elif len(members) > 1:
            splices.append(Splice(one.start, members[1].start))
        else:
            splices.append(Splice(one.start, one.end))
    return splices


def _table(path: Names, value: dict[str, object], newline: str) -> str:
    """The table with its header, then the tables within it."""
    tables = {name: one for name, one in value.items() if isinstance(one, dict) and one}
    lines = [f"{_key(name)} = {_inline(one)}" for name, one in value.items() if name not in tables]
    # A table that holds only tables needs no header.
    blocks = [newline.join([f"[{_dotted(path)}]", *lines])] if lines or not tables else []
    blocks += [_table((*path, name), one, newline) for name, one in tables.items()]
    return (newline * 2).join(blocks)


def _inline(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    if isinstance(value, dict):
        inner = ", ".join(f"{_key(str(name))} = {_inline(one)}" for name, one in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    raise RefusedEdit("TOML has no way to write one of the values")


def _text(value: str) -> str:
    # JSON's escapes are TOML's too. DEL is one that JSON does not write as such; half of a pair has no bytes in UTF-8.
    return _ESCAPED.sub(lambda char: f"\\u{ord(char[0]):04x}", json.dumps(value, ensure_ascii=False))


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _dotted(path: Names) -> str:
    return ".".join(map(_key, path))
