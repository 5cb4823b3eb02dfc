"""The forms in which hosts write a server into their files, one row each, and how to read an entry of any form.

| shape | command | arguments | variables | further members |
|---|---|---|---|---|
| `PLAIN` | `command` | `args` | `env` | |
| `STDIO` | the same | | | `type: stdio` |
| `WINDSURF`, `CODEX` | the same | | | other members for a remote server |
| `ZED` | the same | | | `source: custom` |
| `KIMI` | the same | | | `transport: stdio` |
| `COPILOT` | the same | | | `type: local`, `tools: ["*"]` |
| `OPENCODE` | `command`, an array with the arguments | | `environment` | `type: local`, `enabled` |
| `GOOSE` | `cmd` | `args` | `envs` | `name`, `type: stdio`, `enabled`, `timeout` |

The sources are those of the hosts' rows (`host_table`). Reading takes the members of every form, because users copy
entries from one host to another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class Launch:
    """A program that a host starts: its command, arguments and variables. They may hold secrets."""

    command: str
    arguments: tuple[str, ...] = field(default=(), repr=False)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class RemoteServer:
    """A server that the host itself connects to. URL and headers may hold secrets."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class EntryShape(msgspec.Struct, frozen=True):
    """One form of an entry. `arguments` is empty where they follow the command in its array."""

    command: str = "command"
    arguments: str = "args"
    environ: str = "env"
    before: Mapping[str, Any] = {}
    """Members that come first, the same in every entry."""
    after: Mapping[str, Any] = {}
    has_name: bool = False
    """Whether the entry repeats its name."""
    url: str = "url"
    headers: str = "headers"

    def entry_of(self, name: str, launch: Launch) -> dict[str, Any]:
        """The entry for this program, as the host's file holds it. Variables are left out where there are none."""
        entry: dict[str, Any] = {"name": name} if self.has_name else {}
        entry.update(self.before)
        if self.arguments:
            entry |= {self.command: launch.command, self.arguments: [*launch.arguments]}
        else:
            entry[self.command] = [launch.command, *launch.arguments]
        if launch.environ:
            entry[self.environ] = dict(launch.environ)
        entry.update(self.after)
        return entry


PLAIN = EntryShape()
STDIO = EntryShape(before={"type": "stdio"})
WINDSURF = EntryShape(url="serverUrl")
CODEX = EntryShape(headers="http_headers")
ZED = EntryShape(before={"source": "custom"})
KIMI = EntryShape(before={"transport": "stdio"})
COPILOT = EntryShape(before={"type": "local"}, after={"tools": ["*"]})
OPENCODE = EntryShape(arguments="", environ="environment", before={"type": "local"}, after={"enabled": True})
GOOSE = EntryShape(
    command="cmd", environ="envs", before={"type": "stdio"}, after={"enabled": True, "timeout": 300}, has_name=True,
    url="uri",
)  # fmt: skip

_SHAPES = (PLAIN, STDIO, WINDSURF, CODEX, ZED, KIMI, COPILOT, OPENCODE, GOOSE)
_COMMANDS = tuple(dict.fromkeys(shape.command for shape in _SHAPES))
_ARGUMENTS = tuple(dict.fromkeys(shape.arguments for shape in _SHAPES if shape.arguments))
_ENVIRONS = tuple(dict.fromkeys(shape.environ for shape in _SHAPES))
_URLS = (*dict.fromkeys(shape.url for shape in _SHAPES), "httpUrl")  # The last: Gemini CLI and Qwen Code.
_HEADERS = tuple(dict.fromkeys(shape.headers for shape in _SHAPES))


def read_entry(value: object) -> Launch | RemoteServer | None:
    """What an entry is, in whatever form; None where it is neither a program nor a remote server."""
    if not isinstance(value, dict):
        return None
    command = _first(value, _COMMANDS)
    if isinstance(command, dict):  # As older settings of Zed have it.
        value, command = command, command.get("path")
    words = [command] if isinstance(command, str) else command
    if not isinstance(words, list) or not words:
        return _remote(value)
    rest = _first(value, _ARGUMENTS) or []
    if not isinstance(rest, list):
        return None
    words = [*words, *rest]
    environ = _texts(_first(value, _ENVIRONS))
    # No system can start a program with a NUL in a word.
    if not all(isinstance(word, str) and "\0" not in word for word in (*words, *environ, *environ.values())):
        return None
    return Launch(words[0], tuple(words[1:]), environ)


def _remote(value: Mapping[str, Any]) -> RemoteServer | None:
    url = _first(value, _URLS)
    return RemoteServer(url, _texts(_first(value, _HEADERS))) if isinstance(url, str) else None


def _first(value: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((value[key] for key in keys if value.get(key) is not None), None)


def _texts(value: object) -> dict[str, str]:
    items = value.items() if isinstance(value, dict) else ()
    return {name: text for name, text in items if isinstance(name, str) and isinstance(text, str)}


def member_names() -> frozenset[str]:
    """The members that say what an entry runs, in any form; all others are the user's or the host's."""
    fixed = {"type", "transport", "source", "name", "cwd"}
    return frozenset((*_COMMANDS, *_ARGUMENTS, *_ENVIRONS, *_URLS, *_HEADERS, *fixed))


def secret_members() -> frozenset[str]:
    """The members whose values may be secrets: variables and headers, in any form."""
    return frozenset((*_ENVIRONS, *_HEADERS))
