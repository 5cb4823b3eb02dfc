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
        return _PARSERS.get(path.suffix, parse_json)(text)
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
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise BrokenConfig(f"it is not UTF-8 text (at byte {problem.start + 1})") from None


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
            line, column = int(place[1]), int(place[2])
            said = f"it is not valid TOML, line {line}, column {column}: {why}"
            raise BrokenConfig(said, text=text, line=line, column=column, why=why) from None
        raise BrokenConfig(f"it is not valid TOML, at its end: {why}") from None


def parse_yaml(text: str) -> object:
    """The value of YAML; None for an empty text. Raises `BrokenConfig`, and RecursionError."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as problem:
        if problem.problem == "but found another document":
            raise BrokenConfig("it holds several documents") from None
        why = _without_excerpt(str(problem.problem or problem.context or type(problem).__name__))
        mark = problem.problem_mark or problem.context_mark
        if mark is None:
            raise BrokenConfig(f"it is not valid YAML: {why}") from None
        line, column = mark.line + 1, mark.column + 1
        said = f"it is not valid YAML, line {line}, column {column}: {why}"
        raise BrokenConfig(said, text=text, line=line, column=column, why=why) from None
    except (YAMLError, ValueError) as problem:
        raise BrokenConfig(f"it is not valid YAML: {type(problem).__name__}") from None


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
        said = f"it is not valid JSON, line {found.lineno}, column {found.colno}: {why}"
        return BrokenConfig(said, text=text, line=found.lineno, column=found.colno, why=why)
    except ValueError:
        pass
    return BrokenConfig(f"it is not valid JSON: {type(problem).__name__}")


def _blank(comment: str) -> str:
    return "".join(char if char == "\n" else " " for char in comment)


def _without_excerpt(why: str) -> str:
    # Such as "Illegal character '\n'" or "Unescaped '\' in a string": a single character is no secret, a word may be.
    return re.sub(r"'[^']{4,}'|\"[^\"]{4,}\"", "...", why)


_PARSERS: dict[str, Callable[[str], object]] = {".toml": parse_toml, ".yaml": parse_yaml, ".yml": parse_yaml}
