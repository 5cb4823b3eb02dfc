"""Changes a member of a JSON text, which may have comments and trailing commas. All else stays byte for byte.

A new member comes last in its object, in the style of the file:

| the object | the new member |
|---|---|
| over several lines | in a line of its own, indented as its neighbours |
| in one line | in that line |
| with a comma behind its last member | with a comma |
| with comments behind its last member | behind those; a comma that is missing comes right behind that member |
| `{}` | opens the object over several lines, except in a document of one line |

A member that is removed takes its comma with it. Where its line holds nothing else, that line goes too, with a comment
at its end; comments in other lines stay. So removing what was inserted gives the text from before.
"""

from __future__ import annotations

import json
import re

from bridge.documents.json_places import JsonMember, line_and_column, members_of, tokens_of
from bridge.documents.reading import parse_json
from bridge.documents.splices import (
    Names,
    RefusedEdit,
    Splice,
    after_newline,
    appended,
    before_newline,
    begins_line,
    end_of_blanks,
    end_of_line,
    indent_at,
    named,
    newline_of,
    start_of_blanks,
    taken_back,
    twice,
)

_INDENT = "  "
_WIDTH = 100
_SURROGATE = re.compile("[\ud800-\udfff]")


def parsed(text: str) -> object:
    """The value; None for a text without one. Raises `BrokenConfig`, and RecursionError."""
    if not [True for token in tokens_of(text) if not token["comment"]] and not _has_words(text):
        return None
    return parse_json(text)


def document(text: str, value: object) -> list[Splice]:
    """Makes a text without a value one with this value. Raises `RefusedEdit` where the value is null."""
    if members_of(text):
        raise RefusedEdit("it is not an object, but null")
    return [appended(text, _rendered(value, "", _INDENT, newline_of(text)))]


def insertion(text: str, parent: Names, name: str, value: object) -> list[Splice]:
    """Adds a member to the object at `parent`. Raises `RefusedEdit` where two members of one name lead there."""
    file = _JsonText(text)
    owner = file.member(parent)
    if not owner.is_container:
        raise RefusedEdit(f"{named(parent)} is not an object, but null")
    inner = file.inside(owner)
    behind = inner[-1].end if inner else owner.start + 1
    tokens = tokens_of(text, behind, owner.end - 1)
    if not inner and not tokens:
        return file.into_empty(owner, name, value)
    has_comma = any(token[0] == "," for token in tokens)
    last = tokens[-1].end() if tokens else behind
    if file.has_own_lines(owner, inner):
        indent = file.indent_inside(owner, inner)
        member = file.newline + indent + file.rendered(name, value, indent)
    else:
        member = file.blank + file.one_line(name, value)
    comma = [Splice(behind, behind, ",")] if inner and not has_comma else []
    return [*comma, Splice(last, last, member + ("," if has_comma else ""))]


def replacement(text: str, path: Names, value: object) -> list[Splice]:
    """Puts another value in the place of the one at `path`. Raises `RefusedEdit`."""
    file = _JsonText(text)
    member = file.member(path)
    was_one_line = member.is_container and "\n" not in text[member.start : member.end]
    if was_one_line or not begins_line(text, member.name_at):
        return [Splice(member.start, member.end, file.one_line(None, value))]
    return [Splice(member.start, member.end, file.rendered(None, value, indent_at(text, member.name_at)))]


def removal(text: str, path: Names) -> list[Splice]:
    """Takes out the member at `path`, or the document. Raises `RefusedEdit`."""
    file = _JsonText(text)
    member = file.member(path)
    if not path:
        return [taken_back(text, member.start, member.end)]
    owner = file.member(path[:-1])
    inner = file.inside(owner)
    at = inner.index(member)
    is_last = member is inner[-1]
    limit = owner.end - 1 if is_last else inner[at + 1].name_at
    comma = next((token for token in tokens_of(text, member.end, limit) if token[0] == ","), None)
    end = comma.end() if comma else member.end
    if len(inner) == 1 and not (text[owner.start + 1 : member.name_at] + text[end : owner.end - 1]).strip():
        return [_only_member(text, owner, member, end)]
    splices = []
    if is_last and at and comma is None:
        between = tokens_of(text, inner[at - 1].end, member.name_at)
        splices = [Splice(*token.span()) for token in between if token[0] == ","]
    first = start_of_blanks(text, member.name_at)
    line_end = _end_of_comments(text, end)
    if begins_line(text, member.name_at) and line_end is not None:
        return [*splices, Splice(before_newline(text, first), line_end)]
    if is_last:
        before = tokens_of(text, owner.start, first)[-1][0]
        if not before.startswith("//"):  # The bracket must not come behind a comment to the end of a line.
            first = before_newline(text, first)
        return [*splices, Splice(first, end)]
    return [Splice(member.name_at, end_of_blanks(text, end))]


def _only_member(text: str, owner: JsonMember, member: JsonMember, end: int) -> Splice:
    """Takes out an object's only member and the white space that came with it; see `_JsonText.into_empty`."""
    if not begins_line(text, member.name_at):
        return Splice(member.name_at, owner.end - 1)
    first = before_newline(text, start_of_blanks(text, member.name_at))
    behind = text[end : owner.end - 1]
    if behind.count("\n") > 1:
        return Splice(first, after_newline(text, end_of_line(text, end)))
    return Splice(first, owner.end - 1)


def _end_of_comments(text: str, offset: int) -> int | None:
    """Where the line ends, if only comments are in it from `offset` on; else None."""
    for token in tokens_of(text, offset):
        if "\n" in text[offset : token.end()] or not token["comment"]:
            break
        offset = token.end()
    at = end_of_blanks(text, offset)
    return start_of_blanks(text, at) if after_newline(text, at) > at else None


class _JsonText:
    """A text with the places of its members, and its style."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.members = members_of(text)
        self.newline = newline_of(text)
        colon = next((token.end() for token in tokens_of(text) if token[0] == ":"), None)
        self.blank = "" if colon is not None and not text[colon : colon + 1].isspace() else " "
        self.unit = self._unit()

    def _unit(self) -> str:
        """By how much a member is indented more than the line in which its object begins."""
        for member in self.members:
            if member.within >= 0 and begins_line(self.text, member.name_at):
                outer, inner = indent_at(self.text, member.within), indent_at(self.text, member.name_at)
                if inner.startswith(outer) and inner != outer:
                    return inner[len(outer) :]
        return _INDENT

    def member(self, path: Names) -> JsonMember:
        """The member at this path. Raises `RefusedEdit` where the file has two of one name on the way."""
        for length in range(len(path) + 1):
            found = [member for member in self.members if member.path == path[:length]]
            if len(found) > 1:
                raise twice(path[length - 1], (line_and_column(self.text, one.name_at)[0] for one in found))
        return found[0]

    def inside(self, owner: JsonMember) -> list[JsonMember]:
        """The members of this object, in their order."""
        return [member for member in self.members if member.within == owner.start]

    def has_own_lines(self, owner: JsonMember, inner: list[JsonMember]) -> bool:
        """Whether there is a line break between an object's members, or between them and its brackets."""
        edges = [owner.start + 1, *(at for member in inner for at in (member.name_at, member.end)), owner.end - 1]
        return any("\n" in self.text[edges[at] : edges[at + 1]] for at in range(0, len(edges), 2))

    def indent_inside(self, owner: JsonMember, inner: list[JsonMember]) -> str:
        """How a member of this object is indented."""
        own = [member.name_at for member in inner if begins_line(self.text, member.name_at)]
        return indent_at(self.text, own[-1]) if own else indent_at(self.text, owner.start) + self.unit

    def into_empty(self, owner: JsonMember, name: str, value: object) -> list[Splice]:
        """The first member of an object that holds white space at most, so placed that its removal restores that.

        White space without a line break stays before the member. With one, it stays behind the member's line.
        """
        text, start, end = self.text, owner.start + 1, owner.end - 1
        inside, outer = text[start:end], indent_at(text, owner.start)
        root = self.members[0]
        if "\n" not in inside and owner is not root and "\n" not in text[root.start : root.end]:
            return [Splice(end, end, self.one_line(name, value) + inside)]
        indent = outer + self.unit
        lines = self.newline + indent + self.rendered(name, value, indent)
        if "\n" in inside:
            return [Splice(start, start, lines + self.newline)]
        return [Splice(end, end, lines + self.newline + outer)]

    def rendered(self, name: str | None, value: object, indent: str) -> str:
        """A member, or a value without a name, over several lines; the first one is not indented."""
        shown = _rendered(value, indent, self.unit, self.newline, self.blank)
        return shown if name is None else f"{_scalar(name)}:{self.blank}{shown}"

    def one_line(self, name: str | None, value: object) -> str:
        """The same in one line."""
        shown = _one_line(value, self.blank)
        return shown if name is None else f"{_scalar(name)}:{self.blank}{shown}"


def _rendered(value: object, indent: str, unit: str, newline: str, blank: str = " ") -> str:
    inner = newline + indent + unit
    if isinstance(value, dict) and value:
        pieces = [
            f"{_scalar(str(k))}:{blank}{_rendered(v, indent + unit, unit, newline, blank)}" for k, v in value.items()
        ]
        return "{" + inner + f",{inner}".join(pieces) + newline + indent + "}"
    if isinstance(value, list) and value:
        short = _one_line(value, blank)
        if len(short) <= _WIDTH and not any(isinstance(one, dict | list) for one in value):
            return short
        pieces = [_rendered(one, indent + unit, unit, newline, blank) for one in value]
        return "[" + inner + f",{inner}".join(pieces) + newline + indent + "]"
    return _scalar(value)


def _one_line(value: object, blank: str) -> str:
    return _scalar(value, ("," + blank, ":" + blank))


def _scalar(value: object, separators: tuple[str, str] | None = None) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=separators)
    # UTF-8 has no bytes for half a pair of surrogates, so it is written as an escape.
    return _SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def _has_words(text: str) -> bool:
    at = 0
    for token in tokens_of(text):
        if text[at : token.start()].strip():
            return True
        at = token.end()
    return bool(text[at:].strip())
