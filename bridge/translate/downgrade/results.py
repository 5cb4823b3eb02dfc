"""A legacy server's answers, made valid for a modern host.

| the server's answer | the host gets |
|---|---|
| no `resultType` | "complete"; a member of that name has no meaning in the server's revision and is replaced |
| no valid `ttlMs`, `cacheScope` (MCP 2026-07-28, Caching) | 0 and "private" |
| no `serverInfo` in `_meta` | it, where the result is small or has no `_meta` |
| `execution` of a tool | no `execution` |
| a tool's result without `content` | an empty list |
| error -32002, resource not found | -32602 (MCP 2026-07-28, Error Codes) |
| error -32042, URLs must be opened first | a question, where that is possible (`wanted_urls`), else -32603 |
| an error without an integer code, or without a message | one with both |

A result is decoded only where it has one of these names, or may lack one that it must have; otherwise the missing
members are inserted before its last brace. There they also win in a reader that meets a name twice, however the other
one is escaped. Two things are for speed at 10 MB: names are searched from the end (4 times as fast), and the line is
joined, not formatted (20 times).
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw

from bridge.errors import INTERNAL_ERROR, INVALID_PARAMS
from bridge.protocol import mcp
from bridge.protocol.jsonrpc import Octets, Response
from bridge.protocol.writing import Members, members
from bridge.translate import request_meta

_SMALL = 16 * 1024
_EMPTY_OBJECT = re.compile(rb"\{[ \t\r\n]*\}")
_MAX_URLS = 64
_MAX_DIGITS = 15
_NO_MESSAGE = "The server answered with an error that has no message."
_CODES = {mcp.RESOURCE_NOT_FOUND: INVALID_PARAMS, mcp.URL_ELICITATION_REQUIRED: INTERNAL_ERROR}
"""Codes that a modern server must not use, and what takes their place."""

_CONTENT = b'{"content":'
_COMPLETE = Raw(b'"complete"')
_NO_TTL = Raw(b"0")
_PRIVATE = Raw(b'"private"')


class _LegacyError(msgspec.Struct, frozen=True):
    code: int
    message: str


class _Elicitations(msgspec.Struct, frozen=True):
    elicitations: list[Members]


class _UrlsError(msgspec.Struct, frozen=True):
    code: int
    data: _Elicitations


def answer_line(raw_id: bytes, method: str, response: Response, server_info: Raw) -> bytes:
    """The server's answer to a request of this method, as the line that answers the request with `raw_id`."""
    if response.is_error:
        return error_line(raw_id, response.error)
    value = response.result
    if not request_meta.is_object(value):
        return error_line(
            raw_id, Raw(b'{"code":-32603,"message":"The server answered with a result that is not an object."}')
        )
    if _must_be_read(method, response.line, value) and (said := members(value)):
        return _line(raw_id, msgspec.json.encode(_completed(method, said, server_info)))
    missing = _added(method, server_info)
    if _holds(response.line, b'"_meta"'):
        del missing["_meta"]
    if method == mcp.TOOLS_CALL and _holds(response.line, b'"content"'):
        del missing["content"]
    if _EMPTY_OBJECT.fullmatch(value):
        return _line(raw_id, msgspec.json.encode(missing))
    return _line(raw_id, memoryview(value)[:-1], b",", memoryview(msgspec.json.encode(missing))[1:])


def error_line(raw_id: bytes, value: Raw) -> bytes:
    """The line of an error answer, with the codes of the modern revision."""
    try:
        read = msgspec.json.decode(value, type=_LegacyError)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = Raw(msgspec.json.encode(_made_valid(members(value))))
        return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (raw_id, bytes(value))
    if read.code in _CODES:
        value = Raw(msgspec.json.encode({**members(value), "code": _CODES[read.code]}))
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (raw_id, bytes(value))


def wanted_urls(value: Raw) -> list[Members]:
    """The URLs that an error says must be opened first (MCP 2025-11-25, Elicitation, URL Elicitation Required Error).

    Empty for any other error.
    """
    try:
        read = msgspec.json.decode(value, type=_UrlsError)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    listed = read.data.elicitations if read.code == mcp.URL_ELICITATION_REQUIRED else []
    return [
        said
        for said in listed[:_MAX_URLS]
        if request_meta.is_string(said.get("url")) and request_meta.is_string(said.get("message"))
    ]


def _must_be_read(method: str, line: Octets, value: Raw) -> bool:
    if _holds(line, b'"resultType"'):
        return True
    if len(value) <= _SMALL:
        is_plain = method != mcp.TOOLS_CALL or bytes(memoryview(value)[: len(_CONTENT)]) == _CONTENT
        if not is_plain or _holds(line, b'"_meta"'):
            return True
    if method in mcp.CACHED_METHODS and (_holds(line, b'"ttlMs"') or _holds(line, b'"cacheScope"')):
        return True
    return method == mcp.TOOLS_LIST and _holds(line, b'"execution"')


def _holds(line: Octets, name: bytes) -> bool:
    return line.rfind(name) >= 0


def _line(raw_id: bytes, *result: bytes | memoryview) -> bytes:
    return b"".join((b'{"jsonrpc":"2.0","id":', raw_id, b',"result":', *result, b"}"))


def _added(method: str, server_info: Raw) -> Members:
    added = {"resultType": _COMPLETE, "_meta": _named(server_info)}
    if method in mcp.CACHED_METHODS:
        added |= {"ttlMs": _NO_TTL, "cacheScope": _PRIVATE}
    if method == mcp.TOOLS_CALL:
        added["content"] = Raw(b"[]")
    return added


def _completed(method: str, said: Members, server_info: Raw) -> Members:
    """The result with the missing members; the others stay in their places."""
    added = _added(method, server_info)
    for name, is_valid in _VALID.items():
        if name in added and is_valid(said.get(name)):
            del added[name]
    if method == mcp.TOOLS_CALL and "content" in said:
        del added["content"]
    if "_meta" in said:
        meta = members(said["_meta"])
        if mcp.META_SERVER in meta or not request_meta.is_object(said["_meta"]):
            del added["_meta"]
        else:
            added["_meta"] = Raw(msgspec.json.encode({**meta, mcp.META_SERVER: server_info}))
    if method == mcp.TOOLS_LIST and "tools" in said:
        said = {**said, "tools": _without_execution(said["tools"])}
    return {**said, **added}


def _without_execution(tools: Raw) -> Raw:
    """The tools without `execution`, which only says whether they can run as tasks (MCP 2025-11-25, Tasks)."""
    try:
        listed = msgspec.json.decode(tools, type=list[Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return tools
    found = False
    for place, tool in enumerate(listed):
        said = members(tool) if b'"execution"' in bytes(tool) else {}
        if said.pop("execution", None) is not None:
            found = True
            listed[place] = Raw(msgspec.json.encode(said))
    return Raw(msgspec.json.encode(listed)) if found else tools


def _named(server_info: Raw) -> Raw:
    return Raw(msgspec.json.encode({mcp.META_SERVER: server_info}))


def _made_valid(said: Members) -> dict[str, object]:
    """A valid error object, from what the server sent in its place."""
    try:
        code = msgspec.json.decode(said.get("code", Raw(b"null")), type=int)
    except (msgspec.DecodeError, UnicodeDecodeError):
        code = INTERNAL_ERROR
    message = said.get("message")
    told: dict[str, object] = {
        "code": _CODES.get(code, code),
        "message": message if request_meta.is_string(message) else _NO_MESSAGE,
    }
    return {**told, "data": said["data"]} if "data" in said else told


def _is_duration(value: Raw | None) -> bool:
    return value is not None and len(value) <= _MAX_DIGITS and bytes(value).isdigit()


def _is_scope(value: Raw | None) -> bool:
    return value is not None and bytes(value) in (b'"public"', b'"private"')


_VALID = {"ttlMs": _is_duration, "cacheScope": _is_scope}
