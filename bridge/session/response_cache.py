"""Which answers are cached, for whom and for how long, and when the host gets one (MCP 2026-07-28, Caching).

| what | rule |
|---|---|
| methods | `server/discover`, the lists, `resources/read` |
| a request with `inputResponses` or `requestState` | never cached, never answered from the cache |
| a result that is not `complete`, an error | not cached |
| `ttlMs` | fresh for this time, at most a day; 0, negative, not a whole number or missing: not cached |
| `cacheScope` | `public`: for every sign-in; anything else: only for the sign-in that got it |
| an answer larger than `LARGEST` | not cached |
| a newer answer, even one that must not be cached | removes the one before |
| a fresh answer | the host gets it, with what is left of `ttlMs` |
| a stale answer, one from the future, one from before a change | the request is sent to the server |
| a stale answer, and the server is unreachable or fails (5xx) | the host gets it, with a `ttlMs` of 0 |

A change is: `notifications/.../list_changed`; `notifications/resources/updated`, which may be about a part of a
resource and so counts for every `resources/read`; and a tool call that is refused as unknown or malformed, which counts
for the tools. The answer to a request that was in progress when the change came is not cached.

Each page of a list is cached by itself, under its cursor. If a page has changed, the pages after it are removed; if the
server refuses a cursor, all pages are.

**Two requests are the same** if method and params are equal, in any order of their members. All of `_meta` counts,
apart from what cannot change a result: the progress token, the log level and the trace context. `clientInfo` counts:
servers "SHOULD NOT" act on it, but some do, and all bridges of one host still share their answers.
`clientCapabilities` count: a list may depend on them.

Answers of servers of earlier revisions are not cached, because they have no caching hints.
"""

from __future__ import annotations

import math

import msgspec
from msgspec import Raw

from bridge.errors import INVALID_PARAMS, METHOD_NOT_FOUND, ErrorKind
from bridge.protocol import jsonrpc, mcp, writing
from bridge.protocol.jsonrpc import Notification, Request, Response
from bridge.session.faults import Fault

LARGEST = 900_000
"""Bytes of the largest result that is cached."""

LONGEST = 24 * 3600.0
"""Seconds for which an answer is fresh at most, even if the server allows more."""

STALE_FOR = 7 * 24 * 3600.0
"""Seconds after which an answer is not used any more, even if the server cannot be reached."""

KINDS = {
    mcp.DISCOVER: "discover",
    mcp.TOOLS_LIST: "tools",
    mcp.PROMPTS_LIST: "prompts",
    mcp.RESOURCES_LIST: "resources",
    mcp.TEMPLATES_LIST: "templates",
    mcp.RESOURCES_READ: "read",
}
"""A short name for each method whose results are cached."""

TOOLS = ("tools",)

_CHANGES = {
    mcp.TOOLS_CHANGED: TOOLS,
    mcp.PROMPTS_CHANGED: ("prompts",),
    mcp.RESOURCES_CHANGED: ("resources", "templates"),
    mcp.RESOURCES_UPDATED: ("read",),
}

_LONGEST_QUESTION = 64 * 1024
_SKEW = 1.0
_UNKNOWN_TOOL = frozenset({METHOD_NOT_FOUND, INVALID_PARAMS})
_OF_NO_ACCOUNT = ("progressToken", mcp.META_LOG_LEVEL, "traceparent", "tracestate", "baggage")
_RETRIED = {"inputResponses", "requestState"}
_MAY_PASS = frozenset({ErrorKind.UNREACHABLE, ErrorKind.NO_ANSWER, ErrorKind.TIMEOUT})


class CacheQuery(msgspec.Struct, frozen=True):
    """What a request asks for, of a `kind` as in `KINDS`. Equal requests have an equal `key`.

    `is_page`: it asks for a later page of a list, not the first.
    """

    kind: str
    is_page: bool
    key: bytes


class CachedResult(msgspec.Struct, frozen=True):
    """A result as the server sent it, `received_at` in Unix seconds, fresh for `ttl` seconds from then."""

    result: bytes
    received_at: float
    ttl: float
    is_private: bool


class Hints(msgspec.Struct, frozen=True):
    """How long a result is fresh, in seconds, and whether only for the account that asked."""

    ttl: float
    is_private: bool


class _Said(msgspec.Struct):
    result_type: Raw = msgspec.field(name="resultType", default=Raw())
    ttl: Raw = msgspec.field(name="ttlMs", default=Raw())
    scope: Raw = msgspec.field(name="cacheScope", default=Raw())


class ResponseCache:
    """What all machines of a run know of the cached answers: what has changed, and when (monotonic seconds)."""

    def __init__(self) -> None:
        self.has_looked_ahead = False
        self._has_warned = False
        self._changed_at: dict[str, float] = {}

    def changed(self, kinds: tuple[str, ...], now: float) -> None:
        """Answers of these kinds that were received until now are out of date."""
        for kind in kinds:
            self._changed_at[kind] = now

    def has_changed_since(self, kind: str, since: float) -> bool:
        """Whether answers of this kind to requests from the time `since` may be out of date."""
        return self._changed_at.get(kind, -math.inf) >= since

    def freshness(self, kind: str, kept: CachedResult, time: float, now: float) -> float:
        """For how many more seconds an answer is fresh; 0: it is stale. `time` is `now` in Unix seconds."""
        age = time - kept.received_at
        if not -_SKEW <= age < kept.ttl or self.has_changed_since(kind, now - max(age, 0.0)):
            return 0.0
        return kept.ttl - max(age, 0.0)

    def level(self) -> str:
        """The level at which the use of a stale answer is logged: a warning the first time in a run."""
        level, self._has_warned = "debug" if self._has_warned else "warning", True
        return level


def cache_query_of(request: Request) -> CacheQuery | None:
    """What a request asks for; None if its answer must not be cached."""
    kind = KINDS.get(request.method)
    if kind is None or len(request.params) > _LONGEST_QUESTION:
        return None
    try:
        params = msgspec.json.decode(request.params) if len(request.params) else {}
        if not isinstance(params, dict) or not params.keys().isdisjoint(_RETRIED):
            return None
        if isinstance(meta := params.get("_meta"), dict):
            for name in _OF_NO_ACCOUNT:
                meta.pop(name, None)
        key = msgspec.json.encode([request.method, params], order="deterministic")
    except (msgspec.MsgspecError, UnicodeError, RecursionError, OverflowError, ValueError):
        return None
    return CacheQuery(kind, params.get("cursor") is not None, key)


def hints_of(result: Raw) -> Hints | None:
    """How long a result may be cached; None if it must not be."""
    if len(result) > LARGEST:
        return None
    try:
        said = msgspec.json.decode(result, type=_Said)
        # Without its members it could not be given with another `ttlMs` later.
        msgspec.json.decode(result, type=dict[str, Raw])
        ttl = msgspec.json.decode(said.ttl, type=int | float) if len(said.ttl) else 0
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    if bytes(said.result_type) != b'"complete"' or not (ttl >= 1 and math.isfinite(ttl) and ttl == int(ttl)):
        return None
    return Hints(min(ttl / 1000, LONGEST), bytes(said.scope) != b'"public"')


def answer_from(kept: CachedResult, raw_id: bytes, seconds: float) -> Response | None:
    """The answer to the request with this id, fresh for this many more seconds; None if the cached result is damaged.

    A host counts `ttlMs` from when it gets the answer, so it gets what is left of it. Everything else is as it came.
    """
    try:
        members = msgspec.json.decode(kept.result, type=dict[str, Raw])
        members["ttlMs"] = Raw(b"%d" % int(seconds * 1000))
        answer = writing.result(raw_id, msgspec.json.encode(members))
        if b"\n" in answer.line or b"\r" in answer.line:
            return None
        jsonrpc.parse(answer.line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return answer


def is_same_list(kept: CachedResult, result: Raw) -> bool:
    """Whether a page is unchanged, apart from its caching hints."""
    before, after = writing.members(kept.result), writing.members(result)
    names = (before.keys() | after.keys()) - {"ttlMs", "cacheScope", "_meta"}
    return all(bytes(before.get(name, Raw())) == bytes(after.get(name, Raw())) for name in names)


def changed_kinds(note: Notification) -> tuple[str, ...]:
    """The kinds of cached answers that this notification makes out of date."""
    return _CHANGES.get(note.method, ())


def speaks_of_unknown_tool(request: Request, code: int | None) -> bool:
    """Whether an error may mean that the tools have changed since they were listed (Caching, Freshness)."""
    return request.method == mcp.TOOLS_CALL and code in _UNKNOWN_TOOL


def may_pass(fault: Fault) -> bool:
    """Whether a stale answer is better than this fault: the server is unreachable or fails (Caching, Freshness)."""
    return fault.status >= 500 if fault.status is not None else fault.kind in _MAY_PASS
