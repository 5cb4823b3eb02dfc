"""Reads a configuration file, of a host or the user's own: JSON, with or without comments, TOML or YAML.

The error for a broken file names the line, the column and what was expected there. It shows nothing of the file, which
may hold secrets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIMIT = 16_000_000
"""The most bytes that are read of one file; Claude Code's own file holds more than servers."""

_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_STRING_OR_COMMENT = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_STRING_OR_LAST_COMMA = re.compile(r'"(?:[^"\\\n]|\\.)*"|,(?=\s*[}\]])')
_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")

_JSON_WORDS = {
    "Expecting ',' delimiter": "a comma or a closing bracket is missing before it",
    "Expecting ':' delimiter": "a colon is missing before it",
    "Expecting property name enclosed in double quotes": "a name in double quotes was expected",
    "Expecting value": "a value was expected",
    "Unterminated string starting at": "the string that begins there does not end",
    "Invalid control character at": "the string there contains a line break or a tab",
    "Invalid \\escape": "write a backslash in a string twice",
    "Extra data": "there is text after the end",
}

_YAML_WORDS = {
    "found undefined alias": "an alias there has no anchor before it",
    "found character": "a character there begins nothing, such as a tab",
    "could not determine a constructor": "a tag there is unknown",
    "unexpected end of stream": "a string does not end",
    "mapping values are not allowed": "a colon is there where no name may be, or the line is indented too much",
    "expected <block end>": "the line is not indented as its neighbours, or a bracket or quotation mark is missing",
    "expected ',' or": "a comma or a closing bracket is missing before it",
    "could not find expected ':'": "a colon is missing before it",
}


class BrokenConfig(Exception):
    """A file that is not valid; `str()` says why and where, as the end of a sentence.

    Where the place is known, `text` is the text, `line` and `column` count from 1, and `why` is without the place.
    """

    def __init__(self, said: str, *, text: str = "", line: int = 0, column: int = 0, why: str = "") -> None:
        super().__init__(said)
        self.text = text
        self.line = line
        self.column = column
        self.why = why


def read_config(path: Path) -> object:
    """The content of the file; None where it is missing or empty. Raises `BrokenConfig`."""
    text = read_text(path)
    if text is None:
        return None
    try:
        return _PARSERS.get(path.suffix.lower(), parse_json)(text)
    except RecursionError:
        raise BrokenConfig("it is nested too deeply") from None


def read_text(path: Path) -> str | None:
    """The text of the file; None where it is missing. Raises `BrokenConfig`."""
    try:
        with path.open("rb") as stream:
            data = stream.read(LIMIT + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as problem:
        raise BrokenConfig(problem.strerror or str(problem)) from None
    if len(data) > LIMIT:
        raise BrokenConfig(f"it is larger than {LIMIT // 1_000_000} MB")
    return decoded(data)[0]


def decoded(data: bytes) -> tuple[str, bytes, str]:
    """The text of a file, the byte order mark before it, and its encoding: UTF-8, or UTF-16 with a mark.

    Raises `BrokenConfig`.
    """
    mark, encoding = next((row for row in _MARKS if data.startswith(row[0])), (b"", "utf-8"))
    try:
        return data[len(mark) :].decode(encoding), mark, encoding
    except UnicodeDecodeError as problem:
        name = encoding.upper()[:6].rstrip("-")
        raise BrokenConfig(f"it is not {name} text (at byte {len(mark) + problem.start + 1})") from None


def parse_toml(text: str) -> dict[str, Any]:
    """The tables of TOML. Raises `BrokenConfig`, and RecursionError."""
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        # The attributes `lineno` and `colno` came with Python 3.14; the message has both in every version.
        said = str(problem)
        place = _TOML_PLACE.search(said)
        why = _TOML_PLACE.sub("", said)
        why = _without_excerpt(why)
        if place and place[1]:
            raise _placed("TOML", text, int(place[1]), int(place[2]), why) from None
        raise BrokenConfig(f"it is not valid TOML, at its end: {why}") from None


def parse_yaml(text: str) -> object:
    """The value of YAML 1.2; None for an empty text. Raises `BrokenConfig`, and RecursionError."""
    import warnings

    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    try:
        with warnings.catch_warnings(action="ignore"):
            return YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as problem:
        raise _broken_yaml(text, str(problem.problem), problem.problem_mark) from None
    except RecursionError:
        raise
    except Exception as problem:  # The parser lets through what a value raises, such as TypeError for a list as a name.
        at = getattr(problem, "position", None)  # Of a character that YAML does not allow.
        if at is None:
            raise BrokenConfig("it is not valid YAML: a value in it cannot be read") from None
        line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
        raise _placed("YAML", text, line, column, "a character that is not allowed") from None


def _broken_yaml(text: str, problem: str, mark: Any) -> BrokenConfig:
    # The parser's words may quote what the file holds, such as the value of a name that is there twice.
    if problem.startswith("but found another document"):
        return BrokenConfig("it holds several documents")
    why = next((words for said, words in _YAML_WORDS.items() if said in problem), "something else was expected")
    if problem.startswith("found duplicate key") and mark is not None:
        line = _line_of_twin(text, mark.index)
        why = (
            f"the name there is also in line {line}, in the same mapping"
            if line
            else "it has the value of another name"
        )
    if mark is None:
        return BrokenConfig(f"it is not valid YAML: {why}")
    return _placed("YAML", text, mark.line + 1, mark.column + 1, why)


def _line_of_twin(text: str, index: int) -> int:
    """The line of the first name in the mapping that has the name at `index` again; 0 where that is not found."""
    import warnings

    from ruamel.yaml import YAML

    with warnings.catch_warnings(action="ignore"):
        waiting: list[Any] = [YAML(typ="safe", pure=True).compose(text)]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if not isinstance(node.value, list) or id(node) in seen:
            continue
        seen.add(id(node))
        names = [one[0] for one in node.value if isinstance(one, tuple)]
        again = next((name for name in names if name.start_mark.index == index), None)
        if again is not None:
            return next(
                (name.start_mark.line + 1 for name in names if name.value == again.value and name is not again), 0
            )
        waiting += [one for pair in node.value for one in (pair if isinstance(pair, tuple) else (pair,))]
    return 0


def _placed(form: str, text: str, line: int, column: int, why: str) -> BrokenConfig:
    said = f"it is not valid {form}, line {line}, column {column}: {why}"
    return BrokenConfig(said, text=text, line=line, column=column, why=why)


def parse_json(text: str, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> object:
    """The value of JSON with or without comments; None for an empty text. `pairs` makes each object, by default a dict.

    Raises `BrokenConfig`, and RecursionError.
    """
    try:
        return json.loads(text, object_pairs_hook=pairs) if text.strip() else None
    except ValueError:
        # Configuration files of editors have comments, and commas before a closing bracket.
        import jsonc

        try:
            return jsonc.loads(text, object_pairs_hook=pairs)
        except ValueError as problem:
            raise _broken_json(text, problem) from None


def _broken_json(text: str, problem: ValueError) -> BrokenConfig:
    """Where the JSON is broken. Comments are replaced by spaces, because removing them would move what follows."""
    blanked = _STRING_OR_COMMENT.sub(lambda found: found[0] if found[0][0] == '"' else _blank(found[0]), text)
    blanked = _STRING_OR_LAST_COMMA.sub(lambda found: found[0] if found[0][0] == '"' else " ", blanked)
    try:
        json.loads(blanked)
    except json.JSONDecodeError as found:
        why = next((words for said, words in _JSON_WORDS.items() if found.msg.startswith(said)), found.msg)
        return _placed("JSON", text, found.lineno, found.colno, why)
    except ValueError:
        pass
    return BrokenConfig(f"it is not valid JSON: {type(problem).__name__}")


def _blank(comment: str) -> str:
    return "".join(char if char == "\n" else " " for char in comment)


def _without_excerpt(why: str) -> str:
    # Such as "Illegal character '\n'" or "Unescaped '\' in a string": a single character is no secret, a word may be.
    return re.sub(r"'[^']{4,}'|\"[^\"]{4,}\"", "...", why)


_PARSERS: dict[str, Callable[[str], object]] = {".toml": parse_toml, ".yaml": parse_yaml, ".yml": parse_yaml}
