"""What MCP names: methods, protocol versions, HTTP headers, and the few fields of messages that a bridge must read."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from bridge.protocol.jsonrpc import RequestId, request_id
from bridge.protocol.surrogates import mended

INITIALIZE = "initialize"
INITIALIZED = "notifications/initialized"
CANCELLED = "notifications/cancelled"
PROGRESS = "notifications/progress"
TOOLS_CALL = "tools/call"
TOOLS_LIST = "tools/list"
PROMPTS_LIST = "prompts/list"
RESOURCES_LIST = "resources/list"
TEMPLATES_LIST = "resources/templates/list"
SET_LEVEL = "logging/setLevel"
SUBSCRIBE = "resources/subscribe"
UNSUBSCRIBE = "resources/unsubscribe"
RESOURCES_UPDATED = "notifications/resources/updated"
PING = "ping"

DISCOVER = "server/discover"
LISTEN = "subscriptions/listen"
ACKNOWLEDGED = "notifications/subscriptions/acknowledged"

SAMPLING = "sampling/createMessage"
ELICITATION = "elicitation/create"
ELICITATION_COMPLETE = "notifications/elicitation/complete"
"""2025-11-25 only."""
ROOTS_LIST = "roots/list"

TASKS_EXTENSION = "io.modelcontextprotocol/tasks"
"""The extension of 2026-07-28 (SEP-2663); 2025-11-25 has tasks of its own, which are not alike."""
TASKS_GET = "tasks/get"
TASKS_UPDATE = "tasks/update"
"""The extension's only."""
TASKS_CANCEL = "tasks/cancel"
TASKS_RESULT = "tasks/result"
"""2025-11-25 only."""

MODERN_VERSIONS = ("2026-07-28",)
"""Revisions that say it all in each request (MCP 2026-07-28, Versioning, Terminology), newest first."""
LEGACY_VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""Revisions that open with `initialize`, newest first."""

META_VERSION = "io.modelcontextprotocol/protocolVersion"
META_CLIENT = "io.modelcontextprotocol/clientInfo"
META_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
META_LOG_LEVEL = "io.modelcontextprotocol/logLevel"
META_SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
META_SERVER = "io.modelcontextprotocol/serverInfo"
META_TASK = "io.modelcontextprotocol/related-task"
"""2025-11-25 only (Tasks, Related Task Metadata)."""

HEADER_MISMATCH = -32020
MISSING_CAPABILITY = -32021
UNSUPPORTED_VERSION = -32022
MODERN_ERRORS = frozenset({HEADER_MISMATCH, MISSING_CAPABILITY, UNSUPPORTED_VERSION})
"""Codes by which a modern server is known (MCP 2026-07-28, Error Codes)."""
RESOURCE_NOT_FOUND = -32002
"""Until 2025-11-25; -32602 since (MCP 2026-07-28, Error Codes)."""
URL_ELICITATION_REQUIRED = -32042
"""2025-11-25 only."""

NAMED_METHODS = {TOOLS_CALL: "name", "prompts/get": "name", "resources/read": "uri"}
"""Methods that have a target, and may ask back with `input_required` (Multi Round-Trip Requests, Supported Requests);
the member of the params that says which."""

HEADED_METHODS = {**NAMED_METHODS, TASKS_GET: "taskId", TASKS_UPDATE: "taskId", TASKS_CANCEL: "taskId"}
"""Methods whose target a header names (Streamable HTTP, Standard Request Headers; SEP-2663, Routing Headers)."""

CACHED_METHODS = frozenset({DISCOVER, TOOLS_LIST, PROMPTS_LIST, RESOURCES_LIST, TEMPLATES_LIST, "resources/read"})
"""Methods whose results say how long they hold (MCP 2026-07-28, Caching)."""

LIST_METHODS = frozenset({TOOLS_LIST, PROMPTS_LIST, RESOURCES_LIST, TEMPLATES_LIST})
"""Methods of both eras that only look at what the server has."""

LOG_LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
"""From the least severe (Logging)."""

IDEMPOTENT_METHODS = frozenset(
    {
        INITIALIZE,
        PING,
        TOOLS_LIST,
        PROMPTS_LIST,
        "prompts/get",
        RESOURCES_LIST,
        TEMPLATES_LIST,
        "resources/read",
        SUBSCRIBE,
        UNSUBSCRIBE,
        "completion/complete",
        SET_LEVEL,
        TASKS_GET,
        "tasks/list",
        TASKS_RESULT,
        TASKS_UPDATE,
        DISCOVER,
    }
)
"""Methods that a server may run twice with the effect of once."""

SESSION_ID = b"mcp-session-id"
PROTOCOL_VERSION = b"mcp-protocol-version"
LAST_EVENT_ID = b"last-event-id"
METHOD = b"mcp-method"
NAME = b"mcp-name"
PARAM_PREFIX = b"mcp-param-"

JSON = b"application/json"
EVENT_STREAM = b"text/event-stream"


class InitializeResult(msgspec.Struct, frozen=True, gc=False):
    """What of an `initialize` result the transport needs (MCP, Lifecycle)."""

    protocol_version: str = msgspec.field(name="protocolVersion")


class _ToolAnnotations(msgspec.Struct, frozen=True, gc=False):
    read_only: bool | None = msgspec.field(name="readOnlyHint", default=None)
    idempotent: bool | None = msgspec.field(name="idempotentHint", default=None)


class _Tool(msgspec.Struct, frozen=True, gc=False):
    name: str
    annotations: _ToolAnnotations | None = None


class _ToolsListResult(msgspec.Struct, frozen=True, gc=False):
    tools: list[_Tool] = []


class _ClientInfo(msgspec.Struct, frozen=True, gc=False):
    title: str | None = None
    name: str = ""


class _InitializeParams(msgspec.Struct, frozen=True, gc=False):
    client: _ClientInfo | None = msgspec.field(name="clientInfo", default=None)


class _AnyMeta(msgspec.Struct, frozen=True, gc=False):
    progress_token: Raw = msgspec.field(name="progressToken", default=Raw())


class _AnyParams(msgspec.Struct, frozen=True, gc=False):
    """Every member that the bridge reads in any params."""

    name: str | None = None
    uri: str | None = None
    request_id: Raw = msgspec.field(name="requestId", default=Raw())
    progress_token: Raw = msgspec.field(name="progressToken", default=Raw())
    meta: _AnyMeta | None = msgspec.field(name="_meta", default=None)


class _RequestMeta(msgspec.Struct, frozen=True, gc=False):
    version: Raw = msgspec.field(name=META_VERSION, default=Raw())


class _Signature(msgspec.Struct, frozen=True, gc=False):
    client: _ClientInfo | None = msgspec.field(name=META_CLIENT, default=None)


class _Carried(msgspec.Struct, frozen=True, gc=False):
    state: Raw = msgspec.field(name="requestState", default=Raw())
    meta: Raw = msgspec.field(name="_meta", default=Raw())


class _DiscoverResult(msgspec.Struct, frozen=True, gc=False):
    supported: list[str] = msgspec.field(name="supportedVersions")


class _Kind(msgspec.Struct, frozen=True, gc=False):
    kind: Raw = msgspec.field(name="resultType", default=Raw())


class _VersionsData(msgspec.Struct, frozen=True, gc=False):
    supported: list[str] = []


class _VersionsError(msgspec.Struct, frozen=True, gc=False):
    data: _VersionsData | None = None


_decode_initialize = msgspec.json.Decoder(InitializeResult).decode
_decode_tools = msgspec.json.Decoder(_ToolsListResult).decode
_decode_carried = msgspec.json.Decoder(_Carried).decode
_decode_stamp = msgspec.json.Decoder(_RequestMeta).decode
_decode_params = msgspec.json.Decoder(_AnyParams).decode
_NO_PARAMS = _AnyParams()


def initialize_result(result: Raw) -> InitializeResult | None:
    """Read an `initialize` result, or None where it is not one."""
    try:
        return _decode_initialize(result)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def client_name(params: Raw) -> str:
    """What the host calls itself in the params of `initialize`; empty where it does not say."""
    return _shown(_client(params))


def client_program(params: Raw) -> str:
    """The `name` of `clientInfo` in the params of `initialize`, by which a program knows the host; or empty."""
    client = _client(params)
    return client.name if client else ""


def _client(params: Raw) -> _ClientInfo | None:
    try:
        return msgspec.json.decode(params, type=_InitializeParams).client
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _shown(client: _ClientInfo | None) -> str:
    return (client.title or client.name) if client else ""


def repeatable_tools(result: Raw) -> dict[str, bool]:
    """For each tool of a `tools/list` result, whether it says that calling it twice does no harm.

    That is `readOnlyHint` or `idempotentHint` (MCP 2025-03-26, Tools, ToolAnnotations).
    """
    try:
        tools = _decode_tools(result).tools
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return {
        tool.name: bool(tool.annotations and (tool.annotations.read_only or tool.annotations.idempotent))
        for tool in tools
    }


def tool_count(result: Raw) -> int:
    """How many tools a `tools/list` result has, on this page of it."""
    try:
        return len(_decode_tools(result).tools)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0


def named(params: Raw) -> str:
    """The `name` in params: the tool or prompt that is meant; empty where there is none."""
    return _read(params).name or ""


def resource_uri(params: Raw) -> str:
    """The `uri` in params; empty where there is none."""
    return _read(params).uri or ""


def cancelled_request(params: Raw) -> RequestId | None:
    """The request that `notifications/cancelled` names (MCP, Cancellation)."""
    raw_id = bytes(_read(params).request_id)
    try:
        return request_id(raw_id) if raw_id else None
    except ValueError:
        return None


def meta_version(params: Raw) -> str | None:
    """The revision that a request of a modern client names in its `_meta`; None where it names none."""
    version = _version(params)
    try:
        return msgspec.json.decode(version, type=str) if len(version) else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def has_request_meta(params: Raw) -> bool:
    """Whether a request speaks of its revision, however well, as only those of modern clients do."""
    return len(_version(params)) > 0


def _version(params: Raw) -> Raw:
    _, meta = add_request_meta(params)
    try:
        return _decode_stamp(meta).version if len(meta) else Raw()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Raw()


def supported_versions(error: Raw) -> list[str]:
    """The versions that `UnsupportedProtocolVersion` names (MCP 2026-07-28, Versioning); empty for any other error."""
    try:
        data = msgspec.json.decode(error, type=_VersionsError).data if len(error) else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    return data.supported if data else []


def add_request_meta(params: Raw) -> tuple[Raw, Raw]:
    """The `requestState` and the `_meta` of a modern request, empty where it has none."""
    try:
        carried = _decode_carried(params) if len(params) else _Carried()
    except (msgspec.ValidationError, RecursionError):
        carried = _Carried()
    except (msgspec.DecodeError, UnicodeDecodeError):
        carried = _decode_mended(params)
    return carried.state, carried.meta


def _decode_mended(params: Raw) -> _Carried:
    try:
        return _decode_carried(mended(params))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Carried()


def meta_client_name(params: Raw) -> str:
    """What a modern host calls itself in the `_meta` of a request; empty where it does not say."""
    return _shown(_stamped_client(params))


def meta_client_program(params: Raw) -> str:
    """The `name` of `clientInfo` in the `_meta` of a request; or empty."""
    client = _stamped_client(params)
    return client.name if client else ""


def _stamped_client(params: Raw) -> _ClientInfo | None:
    _, meta = add_request_meta(params)
    try:
        return msgspec.json.decode(meta, type=_Signature).client if len(meta) else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def asking_program(method: str, params: Raw) -> str:
    """The `clientInfo.name` that a request itself bears: `initialize`, or any of a modern host; else empty."""
    return client_program(params) if method == INITIALIZE else meta_client_program(params)


def discovered_versions(result: Raw) -> list[str] | None:
    """The versions in a `server/discover` result; None where it is not one."""
    try:
        return msgspec.json.decode(result, type=_DiscoverResult).supported
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def says_kind(result: Raw) -> bool:
    """Whether a result has a `resultType`, as each has since 2026-07-28, and none before."""
    try:
        return len(msgspec.json.decode(result, type=_Kind).kind) > 0
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def asked_progress_token(params: Raw) -> bytes:
    """The token under which a request asks for progress (MCP, Progress), as sent; empty where there is none."""
    meta = _read(params).meta
    return bytes(meta.progress_token) if meta else b""


def told_progress_token(params: Raw) -> bytes:
    """The token that `notifications/progress` carries, as sent."""
    return bytes(_read(params).progress_token)


def _read(params: Raw) -> _AnyParams:
    try:
        return _decode_params(params) if len(params) else _NO_PARAMS
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _NO_PARAMS
