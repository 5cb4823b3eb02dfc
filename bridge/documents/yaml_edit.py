"""Changes a member of a YAML text. All else stays byte for byte.

ruamel.yaml tells the places; only the new member's lines are written anew. A new member comes last in its mapping, in
lines of its own that are indented as its neighbours; in a mapping in braces it comes within the braces. What is removed
takes its lines. A comment in another line stays. So removing what was inserted gives the text from before.

Refused is what has its text elsewhere: aliases, members that a merge key brings, several documents in one file.
"""

from __future__ import annotations

import io
import json
import re
import warnings
from typing import Any

from bridge.documents.reading import parse_yaml
from bridge.documents.splices import (
    Names,
    RefusedEdit,
    Splice,
    after_newline,
    appended,
    begins_line,
    end_of_blanks,
    end_of_line,
    indent_at,
    named,
    newline_of,
    start_of_blanks,
    taken_back,
    twice,
    whole_lines,
)

_UNIT = "  "
_YAML_1_1 = re.compile(r"(?i:y|n|yes|no|on|off)|[-+.]?[0-9][0-9a-fA-F_:.,xbo+-]*")
_ALIAS = re.compile(r"\s*:\s*\*[^\s,\]}]+")
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


def parsed(text: str) -> object:
    """The value; None for a text without one. Raises `BrokenConfig`, and RecursionError."""
    return parse_yaml(text)


def document(text: str, value: object) -> list[Splice]:
    """Makes a text without a value one with this value."""
    root = _composed(text)
    if root is not None and root.start_mark.index < root.end_mark.index:
        raise RefusedEdit("its document is null")
    if not isinstance(value, dict):
        raise RefusedEdit("a document has to be a mapping")
    return [appended(text, _block(value, "", _UNIT, newline_of(text)))]


def insertion(text: str, parent: Names, name: str, value: object) -> list[Splice]:
    """Adds a member to the mapping at `parent`. Raises `RefusedEdit`."""
    file = _YamlText(text)
    key, node = file.find(parent)
    member = {name: value}
    if _is_mapping(node) and node.flow_style:
        return [_into_flow(file, node, name, value)]
    at = file.end_of_lines(key, node)
    if not _is_mapping(node):
        if node.start_mark.index < node.end_mark.index:
            raise RefusedEdit(f"{named(parent)} is null")
        indent = indent_at(text, key.start_mark.index) + file.unit
        return [Splice(at, at, file.newline + _block(member, indent, file.unit, file.newline))]
    first = node.value[0][0].start_mark.index
    if not begins_line(text, first):
        raise RefusedEdit(f"{named(parent)} does not begin in a line of its own")
    indent = indent_at(text, first)
    return [Splice(at, at, file.newline + _block(member, indent, file.unit, file.newline))]


def replacement(text: str, path: Names, value: object) -> list[Splice]:
    """Puts another value in the place of the one at `path`. Raises `RefusedEdit`."""
    file = _YamlText(text)
    key, node = file.find(path)
    _, owner = file.find(path[:-1])
    end = file.end(key, node)
    if owner.flow_style or not begins_line(text, key.start_mark.index):
        colon = text.index(":", key.end_mark.index) + 1
        return [Splice(colon, end, f" {_flow(value)}")]
    indent = indent_at(text, key.start_mark.index)
    block = _block({path[-1]: value}, indent, file.unit, file.newline)
    return [Splice(start_of_blanks(text, key.start_mark.index), end, block)]


def removal(text: str, path: Names) -> list[Splice]:
    """Takes out the member at `path`, or the document. Raises `RefusedEdit`."""
    file = _YamlText(text)
    if not path:
        _, root = file.find(())
        return [taken_back(text, root.start_mark.index, end_of_line(text, file.end(None, root)))]
    key, node = file.find(path)
    _, owner = file.find(path[:-1])
    if owner.flow_style:
        return [_out_of_flow(file, owner, key)]
    start, end = key.start_mark.index, end_of_line(text, file.end(key, node))
    if text[:start].endswith("? "):  # As the key of a long name is written.
        start -= 2
    if not begins_line(text, start):
        raise RefusedEdit(f"{named(path)} does not begin in a line of its own")
    at = [one for one, _ in owner.value].index(key)
    if end == len(text) and at and _needs_line_break(text, owner.value[at - 1][1]):
        return [Splice(start_of_blanks(text, start), end)]  # The line break before it belongs to that text.
    return [whole_lines(text, start, end)]


class _YamlText:
    """A text with its nodes, and its style."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.root = _composed(text)
        self.newline = newline_of(text)
        self.unit = self._unit(self.root, set()) or _UNIT

    def _unit(self, node: Any, seen: set[int]) -> str:
        """By how much the first mapping within another is indented more."""
        if not _is_mapping(node) or node.flow_style or id(node) in seen:
            return ""
        seen.add(id(node))
        for key, value in node.value:
            if _is_mapping(value) and value.value and not value.flow_style:
                inner = value.value[0][0].start_mark
                if inner.line > key.start_mark.line and inner.column > key.start_mark.column:
                    return " " * int(inner.column - key.start_mark.column)
            found = self._unit(value, seen)
            if found:
                return found
        return ""

    def find(self, path: Names) -> tuple[Any, Any]:
        """The nodes of the name and of the value at `path`. Raises `RefusedEdit`."""
        key, node = None, self.root
        for depth, name in enumerate(path):
            if not _is_mapping(node):
                raise RefusedEdit(f"{named(path[:depth])} is not a mapping")
            found = [(one, value) for one, value in node.value if _is_text(one, name)]
            if not found:
                raise RefusedEdit(f"{named(path[: depth + 1])} comes from another place of it, by a merge key")
            if len(found) > 1:
                raise twice(name, (one.start_mark.line + 1 for one, _ in found))
            key, node = found[0]
            if node.start_mark.index < key.end_mark.index:
                raise RefusedEdit(f"{named(path[: depth + 1])} is an alias of another place in it")
        return key, node

    def end(self, key: Any, node: Any) -> int:
        """Where the text of this value ends, of which `key` is the name, without what only stands behind it.

        The parser's own marks of a block reach up to the next token, and a value that is missing is at that token.
        """
        if key is not None and node.start_mark.index < key.end_mark.index:
            found = _ALIAS.match(self.text, key.end_mark.index)
            return found.end() if found else int(key.end_mark.index)
        if isinstance(node.value, list) and node.value and not node.flow_style:
            last = node.value[-1]
            return self.end(*last) if isinstance(last, tuple) else self.end(None, last)
        start, end = int(node.start_mark.index), int(node.end_mark.index)
        if start == end and key is not None:
            colon = self.text.find(":", key.end_mark.index, start)
            return colon + 1 if colon >= 0 else int(key.end_mark.index)
        return start + len(self.text[start:end].rstrip()) if start < end else len(self.text[:start].rstrip())

    def end_of_lines(self, key: Any, node: Any) -> int:
        """Where the last line of a block ends, with the comments below that are indented as its members."""
        at = end_of_line(self.text, self.end(key, node))
        column = node.value[0][0].start_mark.column if _is_mapping(node) and node.value else 0
        while column and at < len(self.text):
            start = after_newline(self.text, at)
            comment = end_of_blanks(self.text, start)
            if comment - start < column or not self.text.startswith("#", comment):
                break
            at = end_of_line(self.text, comment)
        return at


def _composed(text: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        with warnings.catch_warnings(action="ignore"):
            return YAML(typ="safe", pure=True).compose(text)
    except YAMLError as problem:
        raise RefusedEdit(f"it cannot be read ({type(problem).__name__})") from None


def _is_mapping(node: Any) -> bool:
    return node is not None and node.id == "mapping"


def _needs_line_break(text: str, node: Any) -> bool:
    """Whether a value ends in a block scalar (`|` or `>`) that holds its last line break, as those with `-` do not."""
    while isinstance(node.value, list) and node.value and not node.flow_style:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    head = text[node.start_mark.index : end_of_line(text, node.start_mark.index)]
    return getattr(node, "style", None) in ("|", ">") and "-" not in head.partition("#")[0]


def _is_text(node: Any, name: str) -> bool:
    return node.id == "scalar" and node.value == name and str(node.tag) == "tag:yaml.org,2002:str"


def _block(members: dict[str, Any], indent: str, unit: str, newline: str) -> str:
    """The lines of these members, without a line break at the end."""
    from ruamel.yaml import YAML

    writer = YAML(pure=True)
    writer.width = 1_000_000
    writer.indent(mapping=len(unit), sequence=len(_UNIT), offset=0)
    stream = io.StringIO()
    writer.dump(_quoted(members), stream)
    lines = stream.getvalue().rstrip("\n").split("\n")
    return newline.join(indent + line if line else line for line in lines)


def _quoted(value: Any) -> Any:
    """The value with quotation marks for texts that YAML 1.1, which some hosts still read, takes for other values."""
    from ruamel.yaml.scalarstring import SingleQuotedScalarString

    if isinstance(value, dict):
        return {_quoted(name): _quoted(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_quoted(one) for one in value]
    return SingleQuotedScalarString(value) if isinstance(value, str) and _YAML_1_1.fullmatch(value) else value


def _flow(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return _ESCAPED.sub(lambda char: f"\\u{ord(char[0]):04x}", text)


def _into_flow(file: _YamlText, node: Any, name: str, value: object) -> Splice:
    line = f"{_flow(name)}: {_flow(value)}"
    if not node.value:
        at = file.text.index("{", node.start_mark.index) + 1
        return Splice(at, at, line)
    at = file.end(*node.value[-1])
    return Splice(at, at, f", {line}")


def _out_of_flow(file: _YamlText, owner: Any, key: Any) -> Splice:
    keys = [one for one, _ in owner.value]
    at = keys.index(key)
    end = file.end(*owner.value[at])
    if at:
        return Splice(file.end(*owner.value[at - 1]), end)
    return Splice(key.start_mark.index, keys[1].start_mark.index if len(keys) > 1 else end)
