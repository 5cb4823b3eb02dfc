"""The `_meta` of a modern host's requests (MCP 2026-07-28, Base Protocol, Per-request protocol fields).

| in `_meta` | what a legacy server gets |
|---|---|
| `protocolVersion` | nothing: `initialize` settled the session's revision |
| `clientInfo`, `clientCapabilities` | the same, once, in `initialize` |
| `logLevel` | `logging/setLevel`, unless its level is as verbose already |
| anything else | the same |
"""

from __future__ import annotations

from functools import partial

import msgspec
from msgspec import Raw

from bridge import PROGRAM
from bridge.errors import INVALID_PARAMS, METHOD_NOT_FOUND, ErrorKind
from bridge.protocol import mcp
from bridge.protocol.jsonrpc import Request
from bridge.protocol.sanitize import quoted, shown
from bridge.protocol.surrogates import replaced
from bridge.protocol.writing import Members, members
from bridge.translate.translator import TranslatorRefusal

_FIELDS = frozenset((mcp.META_VERSION, mcp.META_CLIENT, mcp.META_CAPABILITIES, mcp.META_LOG_LEVEL))
_ROUND_TRIP = frozenset(("inputResponses", "requestState", "task"))
"""Members of the params of `mcp.NAMED_METHODS` that a legacy server must not get: there, `task` asks for a task."""
_KEPT_CAPABILITIES = ("sampling", "elicitation", "experimental", "extensions")
_UNNAMED = Raw(f'{{"name":"{PROGRAM}","version":"unknown"}}'.encode())
_EMPTY = Raw(b"{}")


class Implementation(msgspec.Struct, frozen=True, gc=False):
    """The members that must be there in `clientInfo` and `serverInfo` (MCP, `Implementation`)."""

    name: str
    version: str


class ModernRequest(msgspec.Struct, frozen=True):
    """A valid request of the host.

    `target` is the tool, prompt or resource that it names. `params` and `meta` are the members of its params and of
    their `_meta` that a legacy server gets. `level` is an index into `mcp.LOG_LEVELS`. `token` is the progress token,
    as JSON; empty for none. `state` and `responses` are the `requestState` and `inputResponses` of a retry.
    """

    request: Request
    target: str
    params: Members
    meta: Members
    level: int | None
    token: Raw
    state: str | None
    responses: Members

    @property
    def method(self) -> str:
        """The method."""
        return self.request.method

    def legacy_params(self, token: bytes = b"", more: Members | None = None) -> bytes:
        """The params for the server, with this progress token instead of the host's, and with more members."""
        meta = {**self.meta, "progressToken": Raw(token)} if token else self.meta
        params = {**self.params, **(more or {})}
        if meta:
            params["_meta"] = Raw(msgspec.json.encode(meta))
        return msgspec.json.encode(params) if params else b""


class RequestMeta(msgspec.Struct, frozen=True):
    """What the `_meta` of a request says, as in `ModernRequest`."""

    meta: Members
    level: int | None
    token: Raw


class RequestMetaReader:
    """Reads the `_meta` of requests. Most are the same as the one before, and are not read again."""

    def __init__(self) -> None:
        self._last = b""
        self._said: RequestMeta | TranslatorRefusal = TranslatorRefusal(INVALID_PARAMS, ErrorKind.INVALID_REQUEST, "")

    def read(self, value: Raw) -> RequestMeta | TranslatorRefusal:
        """What it says, or what is wrong with it."""
        octets = bytes(value)
        if octets != self._last:
            self._last, self._said = octets, _read_meta(value)
        return self._said


def _read_meta(value: Raw) -> RequestMeta | TranslatorRefusal:
    meta = members(value)
    version, level = text(meta.get(mcp.META_VERSION)), text(meta.get(mcp.META_LOG_LEVEL))
    if version is None:
        return _invalid(f"The request must give its protocol version as the string _meta[{mcp.META_VERSION!r}].")
    if version not in mcp.MODERN_VERSIONS:
        supported = ", ".join(mcp.MODERN_VERSIONS)
        return TranslatorRefusal(
            mcp.UNSUPPORTED_VERSION,
            ErrorKind.UNSUPPORTED_VERSION,
            f"Protocol version {quoted(version, 40)} is not supported here; use {supported}.",
            {"supported": list(mcp.MODERN_VERSIONS), "requested": replaced(version[:200])},
        )
    if not is_object(meta.get(mcp.META_CAPABILITIES)):
        return _invalid(f"The request must give its capabilities as the object _meta[{mcp.META_CAPABILITIES!r}].")
    if mcp.META_LOG_LEVEL in meta and level not in mcp.LOG_LEVELS:
        return _invalid(f"The log level must be one of {', '.join(mcp.LOG_LEVELS)}.")
    index = mcp.LOG_LEVELS.index(level) if level is not None else None
    return RequestMeta(_without(meta, _FIELDS), index, meta.get("progressToken", Raw()))


def read(request: Request, reader: RequestMetaReader) -> ModernRequest | TranslatorRefusal:
    """Check a request and read it, or say what is wrong with it."""
    method = request.method
    if method in mcp.LEGACY_METHODS or method.startswith("tasks/") or not method.isprintable():
        what = f"{shown(method)} is not a method of MCP {mcp.LATEST_MODERN}."
        return TranslatorRefusal(METHOD_NOT_FOUND, ErrorKind.UNKNOWN_METHOD, what)
    params = members(request.params)
    said = reader.read(params.pop("_meta", _EMPTY))
    if isinstance(said, TranslatorRefusal):
        return said
    named = mcp.NAMED_METHODS.get(method)
    if named and "requestState" in params and text(params["requestState"]) is None:
        return _invalid("The requestState must be the string that the server sent with its questions.")
    given, params = params, params if named is None else _without(params, _ROUND_TRIP)
    return ModernRequest(
        request=request,
        target=(text(params.get(named)) or "") if named else "",
        params=params,
        meta=said.meta,
        level=said.level,
        token=said.token,
        state=text(given.get("requestState")) if named else None,
        responses=members(given.get("inputResponses", Raw())) if named else {},
    )


def legacy_client(meta: Members) -> Members:
    """The `capabilities` and `clientInfo` for `initialize`, from the `_meta` of a modern request.

    `roots` becomes empty: its one member is `listChanged`, and a modern host sends no such notification.
    """
    declared = members(meta.get(mcp.META_CAPABILITIES, Raw()))
    capabilities = {name: declared[name] for name in _KEPT_CAPABILITIES if is_object(declared.get(name))}
    if is_object(declared.get("roots")):
        capabilities["roots"] = _EMPTY
    without_tasks_extension(capabilities)
    info = meta.get(mcp.META_CLIENT, Raw())
    return {
        "capabilities": Raw(msgspec.json.encode(capabilities)),
        "clientInfo": info if is_implementation(info) else _UNNAMED,
    }


def session_key(meta: Members) -> bytes:
    """What a legacy server would know of a client with this `_meta`, as a dictionary key.

    Two requests with the same key can share a session. The order of members and white space do not matter.
    """
    client = legacy_client(meta)
    return b"%b %b" % (_canonical(client["capabilities"]), _canonical(client["clientInfo"]))


def without_tasks_extension(capabilities: Members) -> None:
    """Remove the tasks extension from capabilities of the other era, whose tasks are different."""
    extensions = members(capabilities.get("extensions", Raw()))
    if extensions.pop(mcp.TASKS_EXTENSION, None) is not None:
        capabilities["extensions"] = Raw(msgspec.json.encode(extensions))


def is_implementation(value: Raw) -> bool:
    """Whether it is a valid `Implementation`."""
    try:
        msgspec.json.decode(value, type=Implementation)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def is_object(value: Raw | None) -> bool:
    """Whether it is a JSON object."""
    return value is not None and bytes(memoryview(value)[:1]) == b"{"


def is_string(value: Raw | None) -> bool:
    """Whether it is a JSON string."""
    return value is not None and bytes(memoryview(value)[:1]) == b'"'


def text(value: Raw | None) -> str | None:
    """The text of a JSON string; None where it is not a string, or absent."""
    try:
        return msgspec.json.decode(value, type=str) if value is not None else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _invalid(message: str) -> TranslatorRefusal:
    return TranslatorRefusal(INVALID_PARAMS, ErrorKind.INVALID_REQUEST, message)


def _without(values: Members, names: frozenset[str]) -> Members:
    return {name: value for name, value in values.items() if name not in names}


def _canonical(value: Raw) -> bytes:
    try:
        return msgspec.json.encode(msgspec.json.decode(value), order="sorted")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass  # Most likely a number is too large, or a surrogate is alone.
    import json

    number = partial(str.__add__, "\0")  # Numbers are compared as they are written.
    try:
        read_ = json.loads(bytes(value), parse_int=number, parse_float=number, parse_constant=number)
        return json.dumps(read_, sort_keys=True, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return bytes(value)
