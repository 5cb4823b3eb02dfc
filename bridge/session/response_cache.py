"""Which answers are kept, for whom and for how long, and when the host gets one (MCP 2026-07-28, Caching).

| what | rule |
|---|---|
| methods | `server/discover`, the lists, `resources/read` |
| a request with `inputResponses` or `requestState` | never kept, never answered from what is kept |
| a result that is not `complete`, an error | not kept |
| `ttlMs` | fresh for so long, at most a day; 0, negative, no whole number or missing: not kept at all |
| `cacheScope` | `public`: for every sign-in; anything else: for the sign-in that got it, and no other |
| an answer larger than `LARGEST` | not kept |
| a newer answer, also one that is not to be kept | takes the place of the one before |
| fresh | answers the host, with what is left of `ttlMs` |
| stale, of the future, from before a change | the server is asked |
| stale, and the server cannot be reached or fails (5xx) | answers the host, with a `ttlMs` of 0 |

A change is `notifications/.../list_changed`; `notifications/resources/updated`, which may be about a part of what was
read, and so counts for every `resources/read`; and a tool call refused as unknown or malformed, which counts for the
tools. An answer to a request that was under way when the change came is not kept.

A page of a list is kept by itself, under its cursor. When the first page turns out to have changed, or a later one, the
pages that follow are forgotten; so are all of them when the server refuses a cursor.

**What makes two requests the same**: the method and the params, whatever the order of their members. Of `_meta` all
counts but what cannot change a result: the progress token, the log level and the trace context. `clientInfo` counts,
though servers "SHOULD NOT" act by it: not all keep to that, and the copies of one host share all the same.
`clientCapabilities` count: a list may depend on them.

Answers of servers of earlier revisions are not kept: those have no such hints.
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
"""Bytes of the largest result that is kept."""

LONGEST = 24 * 3600.0
"""Seconds for which an answer is fresh at most, whatever the server says."""

STALE_FOR = 7 * 24 * 3600.0
"""Seconds after which an answer is of no use any more, not even where the server cannot be reached."""

KINDS = {
    mcp.DISCOVER: "discover",
    mcp.TOOLS_LIST: "tools",
    mcp.PROMPTS_LIST: "prompts",
    mcp.RESOURCES_LIST: "resources",
    mcp.TEMPLATES_LIST: "templates",
    mcp.RESOURCES_READ: "read",
}
"""A short name for each method whose results are kept."""

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

    `is_page`: it is for a page of a list that goes on there, and not for its first.
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
    """How long a result is fresh, in seconds, and whether only for whoever asked."""

    ttl: float
    is_private: bool


class _Said(msgspec.Struct):
    result_type: Raw = msgspec.field(name="resultType", default=Raw())
    ttl: Raw = msgspec.field(name="ttlMs", default=Raw())
    scope: Raw = msgspec.field(name="cacheScope", default=Raw())


class ResponseCache:
    """What all machines of a run know of the kept answers: what has changed since, and when (monotonic seconds)."""

    def __init__(self) -> None:
        self.has_looked_ahead = False
        self._has_warned = False
        self._changed_at: dict[str, float] = {}

    def changed(self, kinds: tuple[str, ...], now: float) -> None:
        """What was received until now of these kinds is out of date."""
        for kind in kinds:
            self._changed_at[kind] = now

    def has_changed_since(self, kind: str, since: float) -> bool:
        """Whether answers of this kind that were asked for at `since` may be out of date."""
        return self._changed_at.get(kind, -math.inf) >= since

    def freshness(self, kind: str, kept: CachedResult, time: float, now: float) -> float:
        """For how many seconds more an answer is fresh; 0: it is stale. `time` in Unix seconds is `now`, monotonic."""
        age = time - kept.received_at
        if not -_SKEW <= age < kept.ttl or self.has_changed_since(kind, now - max(age, 0.0)):
            return 0.0
        return kept.ttl - max(age, 0.0)

    def level(self) -> str:
        """How loudly the log is told that a stale answer is used: once in a run."""
        level, self._has_warned = "debug" if self._has_warned else "warning", True
        return level


def cache_query_of(request: Request) -> CacheQuery | None:
    """What a request asks for; None where no answer to it may be kept."""
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
    """What a result says of its keeping; None where it is not to be kept."""
    if len(result) > LARGEST:
        return None
    try:
        said = msgspec.json.decode(result, type=_Said)
        # What cannot be read member by member cannot be given again with another `ttlMs`.
        msgspec.json.decode(result, type=dict[str, Raw])
        ttl = msgspec.json.decode(said.ttl, type=int | float) if len(said.ttl) else 0
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    if bytes(said.result_type) != b'"complete"' or not (ttl >= 1 and math.isfinite(ttl) and ttl == int(ttl)):
        return None
    return Hints(min(ttl / 1000, LONGEST), bytes(said.scope) != b'"public"')


def answer_from(kept: CachedResult, raw_id: bytes, seconds: float) -> Response | None:
    """The answer to the request with this id, fresh for so many seconds more; None where what was kept is damaged.

    A host counts `ttlMs` from when it gets the answer, so it is told what is left of it; all else is as it came.
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
    """Whether a page is as it was, but for its hints."""
    before, after = writing.members(kept.result), writing.members(result)
    names = (before.keys() | after.keys()) - {"ttlMs", "cacheScope", "_meta"}
    return all(bytes(before.get(name, Raw())) == bytes(after.get(name, Raw())) for name in names)


def changed_kinds(note: Notification) -> tuple[str, ...]:
    """Of which kinds the kept answers are out of date, by what the server tells."""
    return _CHANGES.get(note.method, ())


def speaks_of_unknown_tool(request: Request, code: int | None) -> bool:
    """Whether an error may mean that the tools are others than those that were listed (Caching, Freshness)."""
    return request.method == mcp.TOOLS_CALL and code in _UNKNOWN_TOOL


def may_pass(fault: Fault) -> bool:
    """Whether a stale answer is better than this: the server cannot be reached, or fails (Caching, Freshness)."""
    return fault.status >= 500 if fault.status is not None else fault.kind in _MAY_PASS
