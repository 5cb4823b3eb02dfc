"""A modern server's answers, made valid for a legacy host.

| the server's answer has | the host gets |
|---|---|
| `resultType`, `ttlMs`, `cacheScope` | none of them |
| a tool's `outputSchema` whose `type` is not "object" | no `outputSchema` (MCP 2026-07-28, Changelog, 10) |
| `true` and `false` as schemas in `properties` | `{}` and `{"not":{}}` |
| `structuredContent` that is not an object | no `structuredContent`; it is in `content` as text, unless that says it |
| content that the host's revision does not have | see `content` |
| a tool's result without `content` | `structuredContent` as text in `content` |
| a tool without `taskSupport` | "optional", if the host is offered tasks (MCP 2025-11-25, Tasks) |
| -32602 of `resources/read` whose data names the URI | -32002 (Changelog, Minor changes, 6) |

Everything else is valid in both eras. Only what is in this table is decoded, so a large result is read once and copied
once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec
from msgspec import Raw

from bridge.errors import INTERNAL_ERROR, INVALID_PARAMS, ErrorKind
from bridge.protocol import mcp, writing
from bridge.protocol.headers import string
from bridge.protocol.jsonrpc import Request, Response
from bridge.protocol.mcp import Features
from bridge.protocol.sanitize import quoted, shown
from bridge.protocol.writing import Members, members
from bridge.translate import request_meta
from bridge.translate.translator import TranslatorRefusal
from bridge.translate.upgrade import content as older_content

COMPLETE = "complete"
INPUT_REQUIRED = "input_required"
TASK = "task"
"""Of SEP-2663, for `tools/call`."""

_MODERN_MEMBERS = ("resultType", "ttlMs", "cacheScope")
_BOOLEAN_SCHEMAS = {b"true": Raw(b"{}"), b"false": Raw(b'{"not":{}}')}


class _ErrorData(msgspec.Struct, frozen=True):
    uri: str


class _NotFound(msgspec.Struct, frozen=True):
    code: int
    data: _ErrorData


def result_type(result: Raw, said: Members) -> str | None:
    """The `resultType`; a result without it is complete (MCP 2026-07-28, ResultType).

    None where the result is not an object, or `resultType` is not a string.
    """
    if not request_meta.is_object(result):
        return None
    return string(said["resultType"]) if "resultType" in said else COMPLETE


def complete(request: Request, said: Members, can: Features, *, offers_tasks: bool = False) -> Response:
    """The answer to a request, from the members of a complete result, for a host whose revision can do this.

    `offers_tasks`: tools may run as tasks.
    """
    if request.method == mcp.TOOLS_CALL:
        return writing.result(request.raw_id, tool_result(said, can))
    older_content.lower(request.method, said, can)
    for name in _MODERN_MEMBERS:
        said.pop(name, None)
    if request.method == mcp.TOOLS_LIST and "tools" in said:
        said["tools"] = _each(said["tools"], partial(_legacy_tool, offers_tasks=offers_tasks))
    return writing.result(request.raw_id, msgspec.json.encode(said))


def tool_result(said: Members, can: Features, meta: Members | None = None) -> bytes:
    """The result of a tool, from the members of a complete result; `meta` is added to its `_meta`."""
    older_content.lower(mcp.TOOLS_CALL, said, can)
    for name in _MODERN_MEMBERS:
        said.pop(name, None)
    _complete_content(said)
    if meta:
        said["_meta"] = Raw(msgspec.json.encode({**members(said.get("_meta", Raw())), **meta}))
    return msgspec.json.encode(said)


def error(request: Request, value: Raw) -> Response:
    """The answer to a request, from the server's error."""
    if request.method == mcp.RESOURCES_READ:
        try:
            is_missing = msgspec.json.decode(value, type=_NotFound).code == INVALID_PARAMS
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            is_missing = False
        if is_missing:
            found = {**members(value), "code": mcp.RESOURCE_NOT_FOUND}
            return writing.error(request.raw_id, msgspec.json.encode(found))
    return writing.error(request.raw_id, value)


def unknown(request: Request, kind: str | None) -> TranslatorRefusal:
    """Why a result is not passed on (MCP 2026-07-28, ResultType). `kind`: its `resultType`."""
    named = "without a valid resultType" if kind is None else f"of type {quoted(kind, 60)}"
    what = f"The server answered {shown(request.method)} with a result {named}, which MCP does not allow."
    return TranslatorRefusal(INTERNAL_ERROR, ErrorKind.WRONG_ANSWER, what)


def sampling_params(params: Raw) -> Raw:
    """The params of `sampling/createMessage`, whose messages may have tool results."""
    if b'"structuredContent"' not in bytes(params):
        return params
    said = members(params)
    said["messages"] = _each(said.get("messages", Raw()), _legacy_message)
    return Raw(msgspec.json.encode(said))


def _complete_content(said: Members) -> None:
    """Give a tool's result the `content` that it must have, and no `structuredContent` that is not an object."""
    structured = said.get("structuredContent")
    if structured is not None and not request_meta.is_object(structured):
        del said["structuredContent"]
        if _is_empty_array(said.get("content")):
            del said["content"]
    if "content" not in said:
        text = [] if structured is None else [{"type": "text", "text": bytes(structured).decode("utf-8", "replace")}]
        said["content"] = Raw(msgspec.json.encode(text))


def _tool_result(block: Raw) -> Raw:
    said = members(block)
    if "structuredContent" not in said or request_meta.is_object(said["structuredContent"]):
        return block
    _complete_content(said)
    return Raw(msgspec.json.encode(said))


def _legacy_message(message: Raw) -> Raw:
    said = members(message)
    content = said.get("content")
    if content is None:
        return message
    said["content"] = _tool_result(content) if request_meta.is_object(content) else _each(content, _tool_result)
    return Raw(msgspec.json.encode(said))


def _legacy_tool(tool: Raw, *, offers_tasks: bool) -> Raw:
    said = members(tool)
    given = dict(said)
    if offers_tasks and said and "taskSupport" not in (execution := members(said.get("execution", Raw()))):
        said["execution"] = Raw(msgspec.json.encode({**execution, "taskSupport": "optional"}))
    if "outputSchema" in said and string(members(said["outputSchema"]).get("type", Raw())) != "object":
        del said["outputSchema"]
    for name in ("inputSchema", "outputSchema"):
        if name in said:
            said[name] = _legacy_schema(said[name])
    is_same = len(said) == len(given) and all(said[name] is given.get(name) for name in said)
    return tool if is_same else Raw(msgspec.json.encode(said))


def _legacy_schema(schema: Raw) -> Raw:
    """A schema in which each of `properties` is an object (MCP 2025-11-25, `Tool`)."""
    said = members(schema)
    given = members(said.get("properties", Raw()))
    properties = {name: _BOOLEAN_SCHEMAS.get(bytes(value), value) for name, value in given.items()}
    if all(properties[name] is given[name] for name in given):
        return schema
    said["properties"] = Raw(msgspec.json.encode(properties))
    return Raw(msgspec.json.encode(said))


def _each(array: Raw, change: Callable[[Raw], Raw]) -> Raw:
    """An array with each of its values changed; the same object where it is not an array, or nothing changed."""
    try:
        values = msgspec.json.decode(array, type=list[Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return array
    changed = [change(value) for value in values]
    is_same = all(one is other for one, other in zip(changed, values, strict=True))
    return array if is_same else Raw(msgspec.json.encode(changed))


def _is_empty_array(value: Raw | None) -> bool:
    try:
        return value is not None and msgspec.json.decode(value, type=list[Raw]) == []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
