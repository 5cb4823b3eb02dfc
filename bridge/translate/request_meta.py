"""What each request of a modern host says of itself (MCP 2026-07-28, Base Protocol, Per-request protocol fields).

| in `_meta` | what a legacy server gets of it |
|---|---|
| `protocolVersion` | nothing: its version was settled with `initialize` |
| `clientInfo`, `clientCapabilities` | once, with `initialize` |
| `logLevel` | `logging/setLevel`, if it is not as verbose already |
| anything else | that |
"""

from __future__ import annotations

from functools import partial

import msgspec
from msgspec import Raw

from bridge.errors import INVALID_PARAMS, METHOD_NOT_FOUND
from bridge.protocol import mcp
from bridge.protocol.jsonrpc import Request
from bridge.protocol.sanitize import quoted, shown
from bridge.protocol.surrogates import replaced
from bridge.protocol.writing import Members, members
from bridge.translate.translator import TranslatorRefusal

_FIELDS = frozenset((mcp.META_VERSION, mcp.META_CLIENT, mcp.META_CAPABILITIES, mcp.META_LOG_LEVEL))
_ROUND_TRIP = frozenset(("inputResponses", "requestState", "task"))
"""Members of the params of `mcp.NAMED_METHODS` that a legacy server is not to see; to it, `task` is a wish."""
_KEPT_CAPABILITIES = ("sampling", "elicitation", "experimental", "extensions")
_UNNAMED = Raw(b'{"name":"mcp-remote-bridge","version":"unknown"}')
_EMPTY = Raw(b"{}")


class Implementation(msgspec.Struct, frozen=True, gc=False):
    """What names a program: the members that must be there (MCP, `Implementation`)."""

    name: str
    version: str


class ModernRequest(msgspec.Struct, frozen=True):
    """A request of the host's that is in order.

    `target` is the tool, prompt or resource it names; `params` what of its params is for a legacy server, without
    `_meta`, of which `meta` is what is left. `level` is an index into `mcp.LOG_LEVELS`. `token` is the progress token,
    as JSON, empty without one. `state` and `responses` are what a retry brings back.
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
        """The params for the server: with this progress token instead of the host's, and with more members."""
        meta = {**self.meta, "progressToken": Raw(token)} if token else self.meta
        params = {**self.params, **(more or {})}
        if meta:
            params["_meta"] = Raw(msgspec.json.encode(meta))
        return msgspec.json.encode(params) if params else b""


class RequestMeta(msgspec.Struct, frozen=True):
    """What the `_meta` of a request says; the members are those of `ModernRequest`."""

    meta: Members
    level: int | None
    token: Raw


class RequestMetaReader:
    """Reads the `_meta` of requests. Most are like the one before, and are not read again."""

    def __init__(self) -> None:
        self._last = b""
        self._said: RequestMeta | TranslatorRefusal = TranslatorRefusal(INVALID_PARAMS, "invalid-request", "")

    def read(self, value: Raw) -> RequestMeta | TranslatorRefusal:
        """What it says, or what is wrong with it."""
        looks = bytes(value)
        if looks != self._last:
            self._last, self._said = looks, _stamp(value)
        return self._said


def _stamp(value: Raw) -> RequestMeta | TranslatorRefusal:
    meta = members(value)
    version, level = text(meta.get(mcp.META_VERSION)), text(meta.get(mcp.META_LOG_LEVEL))
    if version is None:
        return _invalid(f"The request must name its protocol version, a string, as _meta[{mcp.META_VERSION!r}].")
    if version not in mcp.MODERN_VERSIONS:
        supported = ", ".join(mcp.MODERN_VERSIONS)
        return TranslatorRefusal(
            mcp.UNSUPPORTED_VERSION,
            "unsupported-version",
            f"Protocol version {quoted(version, 40)} is not supported here; use {supported}.",
            {"supported": list(mcp.MODERN_VERSIONS), "requested": replaced(version[:200])},
        )
    if not is_object(meta.get(mcp.META_CAPABILITIES)):
        return _invalid(f"The request must carry its capabilities, an object, as _meta[{mcp.META_CAPABILITIES!r}].")
    if mcp.META_LOG_LEVEL in meta and level not in mcp.LOG_LEVELS:
        return _invalid(f"The log level must be one of {', '.join(mcp.LOG_LEVELS)}.")
    index = mcp.LOG_LEVELS.index(level) if level is not None else None
    return RequestMeta(_without(meta, _FIELDS), index, meta.get("progressToken", Raw()))


def read(request: Request, stamps: RequestMetaReader) -> ModernRequest | TranslatorRefusal:
    """Check a request and read it, or say what is wrong with it."""
    method = request.method
    if method in mcp.LEGACY_METHODS or method.startswith("tasks/") or not method.isprintable():
        what = f"{shown(method)} is not a method of MCP {mcp.LATEST_MODERN}."
        return TranslatorRefusal(METHOD_NOT_FOUND, "unknown-method", what)
    params = members(request.params)
    stamp = stamps.read(params.pop("_meta", _EMPTY))
    if isinstance(stamp, TranslatorRefusal):
        return stamp
    named = mcp.NAMED_METHODS.get(method)
    if named and "requestState" in params and text(params["requestState"]) is None:
        return _invalid("The requestState must be the string that came with what was asked.")
    given, params = params, params if named is None else _without(params, _ROUND_TRIP)
    return ModernRequest(
        request=request,
        target=(text(params.get(named)) or "") if named else "",
        params=params,
        meta=stamp.meta,
        level=stamp.level,
        token=stamp.token,
        state=text(given.get("requestState")) if named else None,
        responses=members(given.get("inputResponses", Raw())) if named else {},
    )


def legacy_client(meta: Members) -> Members:
    """The `capabilities` and `clientInfo` for `initialize`, from the `_meta` of a modern request.

    `roots` loses what it may hold: it can only be `listChanged`, of which a modern host tells nothing.
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
    """What a legacy server would see of a client with this `_meta`, as a dictionary key.

    Two requests of the same key can share a session: order of members and white space do not count.
    """
    client = legacy_client(meta)
    return b"%b %b" % (_canonical(client["capabilities"]), _canonical(client["clientInfo"]))


def without_tasks_extension(capabilities: Members) -> None:
    """Take back what nobody between a modern and a legacy peer can keep: the tasks of the two are not alike."""
    extensions = members(capabilities.get("extensions", Raw()))
    if extensions.pop(mcp.TASKS_EXTENSION, None) is not None:
        capabilities["extensions"] = Raw(msgspec.json.encode(extensions))


def is_implementation(value: Raw) -> bool:
    """Whether it names a program as the standard wants it."""
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
    """The string it is; None where it is none, or not there."""
    try:
        return msgspec.json.decode(value, type=str) if value is not None else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _invalid(message: str) -> TranslatorRefusal:
    return TranslatorRefusal(INVALID_PARAMS, "invalid-request", message)


def _without(values: Members, names: frozenset[str]) -> Members:
    return {name: value for name, value in values.items() if name not in names}


def _canonical(value: Raw) -> bytes:
    try:
        return msgspec.json.encode(msgspec.json.decode(value), order="sorted")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass  # For a number that is too large, most likely, or half a character.
    import json

    number = partial(str.__add__, "\0")  # Here a number counts as it is written.
    try:
        read_ = json.loads(bytes(value), parse_int=number, parse_float=number, parse_constant=number)
        return json.dumps(read_, sort_keys=True, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return bytes(value)
