"""The command of `--header-command`, and what may be in the headers that it prints.

| the user writes | what runs |
|---|---|
| text | the program and its arguments, split as in `config/secret_reference`, without a shell |
| `shell:` and text | the text, by the system's shell |
| an array of strings, in the file of servers | the program and its arguments, as they are |

It prints one of these, with or without a lifetime in seconds:

| form | example |
|---|---|
| a JSON object of headers | `{"Authorization": "Bearer ...", "expires_in": 3600}` |
| a JSON object with `headers` | `{"headers": {"Authorization": "Bearer ..."}, "expires_in": 3600}` |
| lines | `Authorization: Bearer ...` and `expires_in: 3600` |
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from bridge.config.secret_reference import command_words
from bridge.config.settings import Header, check_header_name, checked_header_value
from bridge.errors import UsageError

OPTION = "--header-command"
SHELL = "shell:"
LIFETIME = "expires_in"

_HEADERS = "headers"
_MOST_HEADERS = 50
_LONGEST = 16_000
_LONGEST_LIFETIME = 366 * 86_400.0
_FORM = (
    'Have it print a JSON object such as {"Authorization": "Bearer ..."}, or lines such as Authorization: Bearer ...'
)


class HeaderCommand(msgspec.Struct, frozen=True):
    """A command: its words, or one text for the system's shell."""

    words: tuple[str, ...] = ()
    shell: str = ""

    def __repr__(self) -> str:
        """Without the arguments, which may hold a secret."""
        return f"HeaderCommand({self.program!r})"

    @property
    def program(self) -> str:
        """What is started, to be shown."""
        return self.words[0] if self.words else "a shell"

    @property
    def key(self) -> str:
        """A text that differs for each command."""
        return "\0".join(("words", *self.words) if self.words else ("shell", self.shell))


class PrintedHeaders(msgspec.Struct, frozen=True):
    """Headers that a command printed. `lifetime` is in seconds; None where it printed none."""

    headers: tuple[Header, ...]
    lifetime: float | None = None

    def __repr__(self) -> str:
        """Without the values."""
        return f"PrintedHeaders({[name for name, _ in self.headers]})"


class NotHeaders(Exception):
    """What a command printed are no headers. The text ends a sentence, and holds nothing of what was printed."""

    def __init__(self, what: str, hint: str = _FORM) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


def header_command_in(value: str | tuple[str, ...], platform: str) -> HeaderCommand:
    """The command that a value of the option means, on this `sys.platform`. Raises `UsageError`, without the value."""
    if isinstance(value, str) and value.startswith(SHELL):
        if text := value.removeprefix(SHELL).strip():
            return HeaderCommand(shell=text)
        raise UsageError(f"{OPTION} has {SHELL} without a command after it.")
    try:
        words = tuple(command_words(value, platform)) if isinstance(value, str) else value
    except ValueError:
        words = ()
    if not words or not words[0]:
        raise UsageError(
            f"The command of {OPTION} cannot be split into words.",
            hint=f"Check its quotation marks. If a shell is to read it, begin it with {SHELL}",
        )
    return HeaderCommand(words=words)


def printed_headers(printed: bytes) -> PrintedHeaders:
    """Read what the command printed. Raises `NotHeaders`."""
    try:
        text = printed.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise NotHeaders("printed something that is not UTF-8 text") from None
    if not text:
        raise NotHeaders("printed nothing")
    pairs, lifetime = _of_json(text) if text.startswith(("{", "[")) else _of_lines(text)
    return PrintedHeaders(checked_headers(pairs), lifetime)


def checked_headers(pairs: Iterable[tuple[str, object]]) -> tuple[Header, ...]:
    """The headers, by the rules of `--header`. Raises `NotHeaders`."""
    headers = []
    for name, value in pairs:
        try:
            check_header_name(name)
            if not isinstance(value, str):
                raise NotHeaders(f"printed the header {name} with a value that is not a string")
            headers.append((name, checked_header_value(name, value)))
        except UsageError as error:
            raise NotHeaders(f"printed headers that cannot be sent: {error.message.rstrip('.')}") from None
    if not headers:
        raise NotHeaders("printed no header")
    if len(headers) > _MOST_HEADERS:
        raise NotHeaders(f"printed more than {_MOST_HEADERS} headers")
    if sum(len(name) + len(value) for name, value in headers) > _LONGEST:
        raise NotHeaders(f"printed headers of more than {_LONGEST} characters")
    return tuple(headers)


def secrets_in(printed: str) -> Iterator[str]:
    """What may be a secret in the output of such a command, whatever its form is."""
    for line in printed.splitlines():
        yield line.strip()
        for part in (line.partition(":")[2], *re.findall(r'"((?:[^"\\]|\\.)*)"', line)):
            yield part.strip()
            yield part.strip().partition(" ")[2].strip()


def _of_json(text: str) -> tuple[list[tuple[str, object]], float | None]:
    try:
        content = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        raise NotHeaders("printed something that begins like JSON, and is not valid JSON") from None
    if not isinstance(content, dict):
        raise NotHeaders("printed JSON that is not an object")
    lifetime = _lifetime(content.pop(LIFETIME)) if LIFETIME in content else None
    if isinstance(inner := content.get(_HEADERS), dict):
        if len(content) > 1:
            raise NotHeaders(
                f"printed a JSON object with more members than {_HEADERS} and {LIFETIME}",
                f"Put all headers into {_HEADERS}, and leave out what is no header.",
            )
        content = inner
    return list(content.items()), lifetime


def _of_lines(text: str) -> tuple[list[tuple[str, object]], float | None]:
    pairs: list[tuple[str, object]] = []
    lifetime = None
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise NotHeaders(
                f"printed a line that is no header (line {number})",
                f"{_FORM} Where it prints only a token, put the name before it, as in "
                f"{OPTION} 'shell:token=$(COMMAND) && echo \"Authorization: Bearer $token\"'",
            )
        if name.strip().lower() == LIFETIME:
            lifetime = _lifetime(value.strip())
        else:
            pairs.append((name.strip(), value))
    return pairs, lifetime


def _lifetime(value: Any) -> float:
    try:
        seconds = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if not seconds > 0:
        raise NotHeaders(
            f"printed an {LIFETIME} that is not a number of seconds above 0", f"An example is {LIFETIME}: 3600"
        )
    return min(seconds, _LONGEST_LIFETIME)
