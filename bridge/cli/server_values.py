"""What the members of a server in the user's file mean: the values that the command line would give.

| kind of the option | in the file | example |
|---|---|---|
| text, choice, file | a string | `"client_id": "bridge"` |
| command | a string, or an array of strings: the program and its arguments | `"header_command": ["get-token", "-q"]` |
| lines | a string, or an array of strings; for `header` also an object | `"header": {"X-Team": "blue"}` |
| integer, seconds | a number | `"connect_timeout": 5` |
| flag | true or false | `"allow_http": true` |

`${NAME}` in a string is replaced (`config/placeholders`), but not where the option reads such a reference itself:
`parse_header` does in headers, a command has the variables in its environment, and of the client's secret only
`${NAME}` as a whole is taken, as `env:NAME`. A relative path is relative to the folder of the file. A blank string
counts as not given, as everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from bridge import PROGRAM
from bridge.cli import option_table
from bridge.cli.option_table import CONFIG_OPTION, OPTIONS, Kind, OptionRow
from bridge.cli.settings import SECRET_MEMBER, is_blank, is_url, not_a_url
from bridge.config import REFERENCES, parse_seconds
from bridge.config.placeholders import WHOLE, expand
from bridge.errors import UsageError
from bridge.inventory.server_file import DEFAULTS, SCHEMA, SERVERS, ServerFile
from bridge.process.redact import is_secret_name

if TYPE_CHECKING:
    from bridge.documents.json_places import JsonPath

URL = "url"
HEADER_MEMBER, COMMAND_MEMBER = "header", "header_command"
_FILE_REFERENCE = "file:"
ROWS: Mapping[str, OptionRow] = {row.key: row for row in OPTIONS if row.name != CONFIG_OPTION}
"""The options that a server may have, by the names of their members."""

_JSON_TYPES = {bool: "true or false", int: "a number", float: "a number", str: "a string", list: "an array"}


class Mistake(msgspec.Struct, frozen=True):
    """Something in the file that cannot be used. It is at the value of `path`, or at its name; `offset` is more exact.

    `message` and `hint` hold no value of a member that may be secret.
    """

    path: JsonPath
    message: str
    hint: str = ""
    at_name: bool = False
    offset: int | None = None


class NamedServer(msgspec.Struct, frozen=True):
    """A server of the file: its URL, and the options of its own and of `defaults`, as the command line has them.

    `paths` says where the value of each comes from.
    """

    file: ServerFile
    name: str
    url: str
    options: dict[str, Any]
    paths: dict[str, JsonPath]

    @property
    def has_secrets(self) -> bool:
        """Whether a secret is written in the file itself."""
        headers = (line.partition(":") for line in self.options.get(HEADER_MEMBER, ()))
        secret = self.options.get(SECRET_MEMBER, "")
        return is_literal_secret(SECRET_MEMBER, secret) or any(
            is_literal_secret(name, value) for name, _, value in headers
        )


class _Place(NamedTuple):
    """What a value is read with: where relative paths begin, and the variables."""

    folder: Path
    environ: Mapping[str, str]


class _Refused(Exception):
    """A value that cannot be used. `below` leads from the member to the part that is wrong."""

    def __init__(self, message: str, hint: str = "", below: JsonPath = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.below = below


def server_of(file: ServerFile, name: str, environ: Mapping[str, str]) -> tuple[NamedServer | None, list[Mistake]]:
    """The server of this name, and what is wrong in it and in `defaults`; None where it has no URL."""
    place = _Place(file.path.parent, environ)
    options, paths, mistakes = _values(file.defaults, (DEFAULTS,), place)
    here = (SERVERS, name)
    server = file.servers.get(name)
    if not isinstance(server, dict):
        return None, [*mistakes, Mistake(here, f"A server must be an object, not {json_type(server)}.")]
    own = {key: value for key, value in server.items() if key != URL}
    own_options, own_paths, own_mistakes = _values(own, here, place)
    mistakes += own_mistakes
    if URL not in server:
        mistakes.append(Mistake(here, "The server has no url.", 'Add "url": "https://...".', at_name=True))
        return None, mistakes
    try:
        url = _url(server[URL], place)
    except _Refused as problem:
        return None, [*mistakes, Mistake((*here, URL), problem.message, problem.hint)]
    return NamedServer(file, name, url, options | own_options, paths | own_paths), mistakes


def mistakes_of_form(file: ServerFile) -> list[Mistake]:
    """What is wrong with the file's own members."""
    if not isinstance(file.content, dict):
        return [Mistake((), f"The file must be an object, not {json_type(file.content)}.")]
    found = []
    for key, value in file.content.items():
        if key not in (SCHEMA, DEFAULTS, SERVERS):
            hint = meant(key, [SERVERS, DEFAULTS]) or f"The file has {DEFAULTS} and {SERVERS}."
            found.append(Mistake((key,), f"There is no member {key!r} in this file.", hint, at_name=True))
        elif key != SCHEMA and not isinstance(value, dict):
            found.append(Mistake((key,), f"{key} must be an object, not {json_type(value)}."))
    return found


def defaults_of(file: ServerFile, environ: Mapping[str, str]) -> list[Mistake]:
    """What is wrong in `defaults`."""
    return _values(file.defaults, (DEFAULTS,), _Place(file.path.parent, environ))[2]


def is_server_name(name: str) -> bool:
    """Whether a server can have this name."""
    return not is_blank(name) and not is_url(name) and not name.startswith("-")


def is_reference(text: str) -> bool:
    """Whether a text says where a secret is, and holds none itself: a reference, or the name of a variable."""
    return text.startswith(REFERENCES) or re.fullmatch(WHOLE, text) is not None


def is_literal_secret(name: str, value: str) -> bool:
    """Whether the value of the member or header `name` looks like a secret, and is not a reference to one."""
    value = value.strip()
    return is_secret_name(name) and bool(value) and "${" not in value and not value.startswith(REFERENCES)


def json_type(value: object) -> str:
    """The JSON type of a value, in words."""
    return "null" if value is None else _JSON_TYPES.get(type(value), "an object")


def meant(word: str, words: Sequence[str]) -> str:
    """`Did you mean ...?`, or nothing."""
    import difflib

    near = difflib.get_close_matches(word, words, n=1)
    return f"Did you mean {near[0]}?" if near else ""


def _values(
    members: Mapping[str, Any], here: JsonPath, place: _Place
) -> tuple[dict[str, Any], dict[str, JsonPath], list[Mistake]]:
    options: dict[str, Any] = {}
    paths: dict[str, JsonPath] = {}
    mistakes = []
    for key, value in members.items():
        path = (*here, key)
        row = ROWS.get(key)
        if row is None:
            mistakes.append(_unknown(key, path))
            continue
        try:
            found = _READERS[row.kind](row, value, place)
        except _Refused as problem:
            mistakes.append(Mistake((*path, *problem.below), problem.message, problem.hint))
            continue
        except UsageError as problem:
            mistakes.append(Mistake(path, problem.message, problem.hint))
            continue
        if not _is_absent(row, found):
            options[key], paths[key] = found, path
    return options, paths, mistakes


def _is_absent(row: OptionRow, found: object) -> bool:
    """Whether a value counts as not given: a blank text. No limit (`SECONDS_OR_NEVER`) is a value."""
    return found in (None, ()) and row.kind != option_table.SECONDS_OR_NEVER


def _unknown(key: str, path: JsonPath) -> Mistake:
    if key == URL:
        return Mistake(path, "url cannot be in defaults, because each server has its own.", at_name=True)
    near = meant(key.lower().replace("-", "_"), [URL, *ROWS])
    hint = near or f"A setting is an option's name with _ for -; {PROGRAM} run --help lists them."
    return Mistake(path, f"There is no setting {key!r}.", hint, at_name=True)


def _url(value: object, place: _Place) -> str:
    url = _string(URL, value)
    try:
        url = expand(url, place.environ)
    except UsageError as problem:
        raise _Refused(problem.message, problem.hint) from None
    if not is_url(url):
        wrong = not_a_url(url, URL)
        raise _Refused(wrong.message, wrong.hint)
    return url


def _string(key: str, value: object, below: JsonPath = ()) -> str:
    if not isinstance(value, str):
        raise _Refused(f"{key} must be a string, not {json_type(value)}.", below=below)
    if re.search("[\0\ud800-\udfff]", value):  # JSON can write them, and no system takes them in a path.
        raise _Refused(f"{key} has a character that is not allowed there.", below=below)
    return value


def _text(row: OptionRow, value: object, place: _Place) -> str | None:
    text = _string(row.key, value)
    text = _secret(text, place) if row.key == SECRET_MEMBER else expand(text, place.environ)
    return None if is_blank(text) else text


def _secret(text: str, place: _Place) -> str:
    if whole := re.fullmatch(WHOLE, text):
        return f"env:{whole['name']}"
    return _reference(text, place)


def _reference(text: str, place: _Place) -> str:
    """The text; where it refers to a file, with the path as a whole."""
    path = text.removeprefix(_FILE_REFERENCE)
    return text if path == text or is_blank(path) else f"{_FILE_REFERENCE}{_below(path.strip(), place)}"


def _lines(row: OptionRow, value: object, place: _Place) -> tuple[str, ...]:
    is_header = row.key == HEADER_MEMBER
    if is_header and isinstance(value, dict):
        return tuple(_header(name, text, place) for name, text in value.items())
    if isinstance(value, list):
        texts = [_string(row.key, text, (index,)) for index, text in enumerate(value)]
    elif isinstance(value, str):
        texts = [value]
    else:
        forms = "a string, an array of strings, or an object" if is_header else "a string or an array of strings"
        raise _Refused(f"{row.key} must be {forms}, not {json_type(value)}.")
    read = _header_line if is_header else _expanded
    return tuple(read(text, place) for text in texts if not is_blank(text))


def _expanded(text: str, place: _Place) -> str:
    return expand(text, place.environ)


def _header_line(text: str, place: _Place) -> str:
    name, colon, value = text.partition(":")
    return f"{name}{colon} {_reference(value.strip(), place)}" if colon else text


def _header(name: str, value: object, place: _Place) -> str:
    if not name.strip() or ":" in name:
        raise _Refused("The name of a header is empty or has a colon.", below=(name,))
    return f"{name}: {_reference(_string('The value of a header', value, (name,)).strip(), place)}"


def _command(row: OptionRow, value: object, _: _Place) -> str | tuple[str, ...] | None:
    if isinstance(value, list):
        return tuple(_string(row.key, word, (index,)) for index, word in enumerate(value))
    if not isinstance(value, str):
        raise _Refused(f"{row.key} must be a string or an array of strings, not {json_type(value)}.")
    text = _string(row.key, value)
    return None if is_blank(text) else text


def _file(row: OptionRow, value: object, place: _Place) -> Path | None:
    text = expand(_string(row.key, value), place.environ)
    return None if is_blank(text) else _below(text, place)


def _below(text: str, place: _Place) -> Path:
    try:
        return place.folder / Path(text).expanduser()
    except RuntimeError:
        raise _Refused("The path names a home folder that does not exist.") from None


def _integer(row: OptionRow, value: object, _: _Place) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Refused(f"{row.key} must be a number, not {json_type(value)}.")
    if isinstance(value, float) and not value.is_integer():
        raise _Refused(f"{row.key} must be a whole number.")
    return int(value)


def _choice(row: OptionRow, value: object, place: _Place) -> str | None:
    text = expand(_string(row.key, value), place.environ)
    if is_blank(text):
        return None
    if text not in row.choices:
        raise _Refused(f"{row.key} must be {' or '.join(row.choices)}.", meant(text.lower(), row.choices))
    return text


def _seconds(row: OptionRow, value: object, _: _Place) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Refused(f"{row.key} must be a number, not {json_type(value)}.")
    return parse_seconds(str(value), row.key, zero_is_none=row.kind == option_table.SECONDS_OR_NEVER)


def _flag(row: OptionRow, value: object, _: _Place) -> bool:
    if not isinstance(value, bool):
        raise _Refused(f"{row.key} must be true or false, not {json_type(value)}.")
    return value


_READERS: Mapping[Kind, Callable[[OptionRow, object, _Place], Any]] = {
    option_table.TEXT: _text,
    option_table.LINES: _lines,
    option_table.COMMAND: _command,
    option_table.FILE: _file,
    option_table.INTEGER: _integer,
    option_table.CHOICE: _choice,
    option_table.SECONDS: _seconds,
    option_table.SECONDS_OR_NEVER: _seconds,
    option_table.FLAG: _flag,
}
