"""What MCP names: revisions and what each can do, methods, members of `_meta`, error codes, HTTP headers."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace


class Features(msgspec.Struct, frozen=True):
    """What a revision can do, as far as that differs and the bridge has to know it.

    | member | what it means | source |
    |---|---|---|
    | `is_modern` | each request carries its revision and capabilities; no `initialize` | 2026-07-28, Versioning |
    | `has_audio` | content of type `audio` | 2025-03-26, Tools, Audio Content |
    | `has_resource_links` | content of type `resource_link` | 2025-06-18, Tools, Resource Links |
    | `has_content_lists` | a message to be sampled may have a list of content | 2025-11-25, Sampling |
    | `has_url_elicitation` | the client may be asked to open a URL | 2025-11-25, Elicitation, URL Mode |
    | `has_elicitation_complete` | and is told when that is done | 2025-11-25, Elicitation, Completion Notifications |
    | `has_tasks` | tasks without an extension | 2025-11-25, Tasks |
    """

    is_modern: bool = False
    has_audio: bool = False
    has_resource_links: bool = False
    has_content_lists: bool = False
    has_url_elicitation: bool = False
    has_elicitation_complete: bool = False
    has_tasks: bool = False


_2024_11_05 = Features()
_2025_03_26 = replace(_2024_11_05, has_audio=True)
_2025_06_18 = replace(_2025_03_26, has_resource_links=True)
_2025_11_25 = replace(
    _2025_06_18, has_content_lists=True, has_url_elicitation=True, has_elicitation_complete=True, has_tasks=True
)
_2026_07_28 = replace(_2025_11_25, is_modern=True, has_elicitation_complete=False, has_tasks=False)
_REVISIONS = {
    "2026-07-28": _2026_07_28,
    "2025-11-25": _2025_11_25,
    "2025-06-18": _2025_06_18,
    "2025-03-26": _2025_03_26,
    "2024-11-05": _2024_11_05,
}
MODERN_VERSIONS = tuple(version for version, can in _REVISIONS.items() if can.is_modern)
"""Revisions in which each request is complete by itself (MCP 2026-07-28, Versioning, Terminology), newest first."""
LEGACY_VERSIONS = tuple(version for version, can in _REVISIONS.items() if not can.is_modern)
"""Revisions that open a session with `initialize`, newest first."""
LATEST_MODERN = MODERN_VERSIONS[0]
LATEST_LEGACY = LEGACY_VERSIONS[0]


def features(version: str) -> Features:
    """What a revision can do; an unknown one counts as the oldest."""
    return _REVISIONS.get(version, _2024_11_05)


INITIALIZE = "initialize"
INITIALIZED = "notifications/initialized"
CANCELLED = "notifications/cancelled"
PROGRESS = "notifications/progress"
TOOLS_CALL = "tools/call"
TOOLS_LIST = "tools/list"
PROMPTS_LIST = "prompts/list"
PROMPTS_GET = "prompts/get"
RESOURCES_LIST = "resources/list"
RESOURCES_READ = "resources/read"
TEMPLATES_LIST = "resources/templates/list"
SET_LEVEL = "logging/setLevel"
SUBSCRIBE = "resources/subscribe"
UNSUBSCRIBE = "resources/unsubscribe"
COMPLETE = "completion/complete"
RESOURCES_UPDATED = "notifications/resources/updated"
TOOLS_CHANGED = "notifications/tools/list_changed"
PROMPTS_CHANGED = "notifications/prompts/list_changed"
RESOURCES_CHANGED = "notifications/resources/list_changed"
LOG_MESSAGE = "notifications/message"
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
"""The extension of 2026-07-28 (SEP-2663); the tasks of 2025-11-25 are different."""
TASKS_GET = "tasks/get"
TASKS_UPDATE = "tasks/update"
"""Only in the extension."""
TASKS_CANCEL = "tasks/cancel"
TASKS_RESULT = "tasks/result"
"""2025-11-25 only."""
TASK_STATUS = "notifications/tasks/status"
"""2025-11-25 only."""

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
"""Codes that only modern servers use (MCP 2026-07-28, Error Codes)."""
RESOURCE_NOT_FOUND = -32002
"""Up to 2025-11-25; later revisions use -32602 (MCP 2026-07-28, Error Codes)."""
URL_ELICITATION_REQUIRED = -32042
"""2025-11-25 only."""

NAMED_METHODS = {TOOLS_CALL: "name", PROMPTS_GET: "name", RESOURCES_READ: "uri"}
"""Methods that have a target, with the member of the params that names it. The same methods may be answered with
`input_required` (MCP 2026-07-28, Multi Round-Trip Requests, Supported Requests)."""

HEADED_METHODS = {**NAMED_METHODS, TASKS_GET: "taskId", TASKS_UPDATE: "taskId", TASKS_CANCEL: "taskId"}
"""Methods whose target a header names (Streamable HTTP, Standard Request Headers; SEP-2663, Routing Headers)."""

LEGACY_METHODS = frozenset({INITIALIZE, PING, SET_LEVEL, SUBSCRIBE, UNSUBSCRIBE})
"""Requests that no modern revision has (MCP 2026-07-28, Changelog)."""
MODERN_METHODS = frozenset({DISCOVER, LISTEN})
"""Requests that no legacy revision has."""

LIST_CHANGES = {
    TOOLS_CHANGED: ("tools", "toolsListChanged"),
    PROMPTS_CHANGED: ("prompts", "promptsListChanged"),
    RESOURCES_CHANGED: ("resources", "resourcesListChanged"),
}
"""The notifications of changed lists. For each the capability whose `listChanged` announces it, and the member of a
subscription's filter that asks for it (MCP 2026-07-28, Subscriptions, Notification Filter)."""

CACHED_METHODS = frozenset({DISCOVER, TOOLS_LIST, PROMPTS_LIST, RESOURCES_LIST, TEMPLATES_LIST, RESOURCES_READ})
"""Methods whose results say how long they may be cached (MCP 2026-07-28, Caching)."""

LIST_METHODS = frozenset({TOOLS_LIST, PROMPTS_LIST, RESOURCES_LIST, TEMPLATES_LIST})
"""Methods of both eras that list what the server has."""
USE_METHODS = frozenset({TOOLS_CALL, PROMPTS_GET, RESOURCES_READ, SUBSCRIBE, UNSUBSCRIBE, COMPLETE})
"""The requests that use what a list named."""
FEATURE_METHODS = LIST_METHODS | USE_METHODS | {LISTEN}
"""The requests about a server's features: its tools, prompts and resources."""

LOG_LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
"""From the least severe (Logging)."""

IDEMPOTENT_METHODS = frozenset(
    {
        INITIALIZE,
        PING,
        TOOLS_LIST,
        PROMPTS_LIST,
        PROMPTS_GET,
        RESOURCES_LIST,
        TEMPLATES_LIST,
        RESOURCES_READ,
        SUBSCRIBE,
        UNSUBSCRIBE,
        COMPLETE,
        SET_LEVEL,
        TASKS_GET,
        "tasks/list",
        TASKS_RESULT,
        TASKS_UPDATE,
        DISCOVER,
    }
)
"""Methods whose effect is the same when the server runs them twice."""

SESSION_ID = b"mcp-session-id"
PROTOCOL_VERSION = b"mcp-protocol-version"
LAST_EVENT_ID = b"last-event-id"
METHOD = b"mcp-method"
NAME = b"mcp-name"
PARAM_PREFIX = b"mcp-param-"

JSON = b"application/json"
EVENT_STREAM = b"text/event-stream"
