"""The few fields of MCP messages that the bridge reads. What cannot be read counts as absent."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import msgspec
from msgspec import Raw

from bridge.protocol.jsonrpc import RequestId, request_id

T = TypeVar("T")


class InitializeResult(msgspec.Struct, frozen=True, gc=False):
    """What the bridge reads in an `initialize` result (MCP 2025-11-25, Lifecycle)."""

    protocol_version: str = msgspec.field(name="protocolVersion")


class _ToolAnnotations(msgspec.Struct, frozen=True, gc=False):
    read_only: bool | None = msgspec.field(name="readOnlyHint", default=None)
    idempotent: bool | None = msgspec.field(name="idempotentHint", default=None)


class _Tool(msgspec.Struct, frozen=True, gc=False):
    name: str
    annotations: _ToolAnnotations | None = None


class _ToolsListResult(msgspec.Struct, frozen=True, gc=False):
    tools: list[_Tool] = []


class _AnyMeta(msgspec.Struct, frozen=True, gc=False):
    progress_token: Raw = msgspec.field(name="progressToken", default=Raw())


class _AnyParams(msgspec.Struct, frozen=True, gc=False):
    """Every member that the bridge reads in any params."""

    name: str | None = None
    uri: str | None = None
    request_id: Raw = msgspec.field(name="requestId", default=Raw())
    progress_token: Raw = msgspec.field(name="progressToken", default=Raw())
    meta: _AnyMeta | None = msgspec.field(name="_meta", default=None)


class _DiscoverResult(msgspec.Struct, frozen=True, gc=False):
    supported: list[str] = msgspec.field(name="supportedVersions")


class _ResultType(msgspec.Struct, frozen=True, gc=False):
    value: Raw = msgspec.field(name="resultType", default=Raw())


class _VersionsData(msgspec.Struct, frozen=True, gc=False):
    supported: list[str] = []


class _VersionsError(msgspec.Struct, frozen=True, gc=False):
    data: _VersionsData | None = None


_decode_initialize = msgspec.json.Decoder(InitializeResult).decode
_decode_tools = msgspec.json.Decoder(_ToolsListResult).decode
_decode_params = msgspec.json.Decoder(_AnyParams).decode
# These are rare, and a decoder costs time at the start.
_decode_discover = partial(msgspec.json.decode, type=_DiscoverResult)
_decode_result_type = partial(msgspec.json.decode, type=_ResultType)
_decode_versions_error = partial(msgspec.json.decode, type=_VersionsError)
_NO_PARAMS = _AnyParams()


def initialize_result(result: Raw) -> InitializeResult | None:
    """Read an `initialize` result, or None where it is not one."""
    return decoded(_decode_initialize, result)


def repeatable_tools(result: Raw) -> dict[str, bool]:
    """For each tool of a `tools/list` result, whether it says that calling it twice does no harm.

    That is `readOnlyHint` or `idempotentHint` (MCP 2025-03-26, Tools, ToolAnnotations).
    """
    return {
        tool.name: bool(tool.annotations and (tool.annotations.read_only or tool.annotations.idempotent))
        for tool in _tools(result)
    }


def tool_count(result: Raw) -> int:
    """How many tools a `tools/list` result has, on this page of it."""
    return len(_tools(result))


def named(params: Raw) -> str:
    """The `name` in params: the tool or prompt that is meant; empty where there is none."""
    return _params(params).name or ""


def resource_uri(params: Raw) -> str:
    """The `uri` in params; empty where there is none."""
    return _params(params).uri or ""


def cancelled_request(params: Raw) -> RequestId | None:
    """The request that `notifications/cancelled` names (MCP 2025-11-25, Cancellation)."""
    raw_id = bytes(_params(params).request_id)
    try:
        return request_id(raw_id) if raw_id else None
    except ValueError:
        return None


def supported_versions(error: Raw) -> list[str]:
    """The versions that `UnsupportedProtocolVersion` names (MCP 2026-07-28, Versioning); empty for any other error."""
    said = decoded(_decode_versions_error, error)
    return said.data.supported if said and said.data else []


def discovered_versions(result: Raw) -> list[str] | None:
    """The versions in a `server/discover` result; None where it is not one."""
    said = decoded(_decode_discover, result)
    return said.supported if said else None


def has_result_type(result: Raw) -> bool:
    """Whether a result has a `resultType`, as all have since 2026-07-28, and none had before."""
    said = decoded(_decode_result_type, result)
    return said is not None and len(said.value) > 0


def asked_progress_token(params: Raw) -> bytes:
    """The token under which a request asks for progress (MCP, Progress), as sent; empty where it has none."""
    meta = _params(params).meta
    return bytes(meta.progress_token) if meta else b""


def told_progress_token(params: Raw) -> bytes:
    """The token that `notifications/progress` carries, as sent."""
    return bytes(_params(params).progress_token)


def _tools(result: Raw) -> list[_Tool]:
    said = decoded(_decode_tools, result)
    return said.tools if said else []


def _params(params: Raw) -> _AnyParams:
    """Read the params of a message. Not by `decoded`, because this is done for every call."""
    try:
        return _decode_params(params) if len(params) else _NO_PARAMS
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _NO_PARAMS


def decoded(decode: Callable[[Raw], T], value: Raw) -> T | None:
    """What `decode` reads in a value; None where it is absent or cannot be read."""
    try:
        return decode(value) if len(value) else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
