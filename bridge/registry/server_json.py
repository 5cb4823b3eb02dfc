"""Reads a `server.json`: the addresses of the server, and what each user has to give (schema 2025-12-11).

| in the document | is read as |
|---|---|
| `remotes[]` of type `streamable-http` or `sse` | `RemoteAddress`; others are left out |
| `remotes[].variables`, `headers[].variables` | `PublishedInput`, by name |
| `headers[]` | `PublishedHeader` |
| a response of a registry, `{"server": ..., "_meta": ...}` | its server, and a warning where it is deprecated |

Nobody vouches for the document. Texts are cut and made printable, numbers of things are limited, and a value that the
bridge would take for a reference to a secret or a variable of the user's is refused: a publisher could otherwise have
the bridge send the user's secrets, or run a command.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from bridge.config import parse_header
from bridge.config.secret_reference import reference_in
from bridge.errors import BridgeError, UsageError
from bridge.protocol import sanitize

LONGEST_TEXT = 4096
MOST_THINGS = 50
"""How many remotes, headers, variables or choices one list may have."""

_NAME = r"[a-zA-Z0-9.-]{1,200}/[a-zA-Z0-9._-]{1,200}"
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_.-]{0,99}"
_TRANSPORTS: dict[str, Literal["http", "sse"]] = {"streamable-http": "http", "sse": "sse"}
_OFFICIAL = "io.modelcontextprotocol.registry/official"


class PublishedInput(msgspec.Struct, frozen=True):
    """A value that the document fixes (`value`) or that the user gives."""

    name: str
    description: str = ""
    value: str | None = None
    default: str | None = None
    placeholder: str = ""
    choices: tuple[str, ...] = ()
    is_required: bool = False
    is_secret: bool = False


class PublishedHeader(msgspec.Struct, frozen=True):
    """A header of every request. Its value may have `{name}` of `variables`."""

    input: PublishedInput
    variables: dict[str, PublishedInput]


class RemoteAddress(msgspec.Struct, frozen=True):
    """One address of the server; `url` may have `{name}` of `variables`."""

    transport: Literal["http", "sse"]
    url: str
    variables: dict[str, PublishedInput]
    headers: tuple[PublishedHeader, ...]


class PublishedServer(msgspec.Struct, frozen=True):
    """What a `server.json` says. `warnings` are sentences for the user."""

    name: str
    title: str
    description: str
    version: str
    remotes: tuple[RemoteAddress, ...]
    is_package: bool
    warnings: tuple[str, ...] = ()


class BadServerJson(BridgeError):
    """A `server.json` that cannot be used."""


def read_server(body: bytes, source: str) -> PublishedServer:
    """Read a document or a registry's response. `source` is where it came from. Raises `BadServerJson`."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise _bad(source, "is not JSON") from None
    return _Reader(source).server(document)


def _bad(source: str, problem: str) -> BadServerJson:
    return BadServerJson(
        f"The server.json of {source} {problem}.", hint="Only its publisher can mend it; use the server's URL instead."
    )


class _Reader:
    """Reads one document, and names it in each error."""

    def __init__(self, source: str) -> None:
        self._source = source

    def server(self, document: object) -> PublishedServer:
        response = self._object(document, "it")
        meta: Any = response.get("_meta")
        official = meta.get(_OFFICIAL) if isinstance(meta, dict) and "server" in response else None
        server = self._object(response.get("server", response), "server")
        name = self._text(server, "name", "")
        if not re.fullmatch(_NAME, name):
            raise _bad(self._source, "has no name of the form io.github.owner/server")
        remotes = [self._object(one, "remotes") for one in self._list(server, "remotes")]
        return PublishedServer(
            name=name,
            title=self._shown(server, "title"),
            description=self._shown(server, "description"),
            version=self._shown(server, "version"),
            remotes=tuple(self._remote(one) for one in remotes if one.get("type") in _TRANSPORTS),
            is_package=bool(self._list(server, "packages")),
            warnings=self._status(name, official),
        )

    def _status(self, name: str, official: object) -> tuple[str, ...]:
        status = official.get("status") if isinstance(official, dict) else None
        said = official.get("statusMessage") if isinstance(official, dict) else None
        why = f" {sanitize.quoted(said)}" if isinstance(said, str) and said.strip() else ""
        if status == "deleted":
            raise BadServerJson(f"{name} was deleted from the registry.{why}", hint="Use the server's URL instead.")
        return (f"{name} is marked as deprecated in the registry.{why}",) if status == "deprecated" else ()

    def _remote(self, remote: Mapping[str, Any]) -> RemoteAddress:
        headers = [self._object(one, "headers") for one in self._list(remote, "headers")]
        return RemoteAddress(
            transport=_TRANSPORTS[remote["type"]],
            url=self._text(remote, "url", ""),
            variables=self._variables(remote),
            headers=tuple(self._header(one) for one in headers),
        )

    def _header(self, header: Mapping[str, Any]) -> PublishedHeader:
        name = self._text(header, "name", "")
        try:
            parse_header(f"{name}: x", {})
        except UsageError as problem:
            raise _bad(self._source, f"names a header that cannot be set ({problem.message.rstrip('.')})") from None
        return PublishedHeader(self._input(name, header), self._variables(header))

    def _variables(self, owner: Mapping[str, Any]) -> dict[str, PublishedInput]:
        found = owner.get("variables") or {}
        if len(variables := self._object(found, "variables")) > MOST_THINGS:
            raise _bad(self._source, f"has more than {MOST_THINGS} variables")
        if any(not re.fullmatch(_VARIABLE, name) for name in variables):
            raise _bad(self._source, "has a variable whose name cannot be used")
        return {name: self._input(name, self._object(one, "variables")) for name, one in variables.items()}

    def _input(self, name: str, found: Mapping[str, Any]) -> PublishedInput:
        choices = self._list(found, "choices")
        made = PublishedInput(
            name=name,
            description=self._shown(found, "description"),
            value=self._text(found, "value", None),
            default=self._text(found, "default", None),
            placeholder=self._shown(found, "placeholder"),
            choices=tuple(self._text({"choices": one}, "choices", "") for one in choices),
            is_required=found.get("isRequired") is True,
            is_secret=found.get("isSecret") is True,
        )
        for text in (made.value, made.default, *made.choices):
            if text is not None and ("${" in text or reference_in(text.strip()) is not None):
                raise _bad(self._source, f"has a value for {name} that would read secrets or variables of yours")
        return made

    def _object(self, found: object, what: str) -> dict[str, Any]:
        if not isinstance(found, dict):
            raise _bad(self._source, f"is not in the form of a server.json: {what} is not an object")
        return found

    def _list(self, owner: Mapping[str, Any], key: str) -> list[Any]:
        found = owner.get(key) or []
        if not isinstance(found, list) or len(found) > MOST_THINGS:
            raise _bad(self._source, f"is not in the form of a server.json: {key} is not a list of up to {MOST_THINGS}")
        return found

    def _shown(self, owner: Mapping[str, Any], key: str) -> str:
        return sanitize.shown(self._text(owner, key, ""), sanitize.WORDS)

    def _text(self, owner: Mapping[str, Any], key: str, default: Any) -> Any:
        """A text without control characters; `default` where there is none."""
        found = owner.get(key)
        if found is None:
            return default
        if not isinstance(found, str) or len(found) > LONGEST_TEXT:
            raise _bad(self._source, f"is not in the form of a server.json: {key} is not a text of usual length")
        if key not in ("title", "description", "version", "placeholder") and not found.isprintable():
            raise _bad(self._source, f"has a character in {key} that cannot be shown")
        return found
