"""Whether each message between one client and one server is valid in one revision, by the reference package's types.

`Wire` is shown every message in order. It checks, and keeps what later messages refer to:

| message | what must hold |
|---|---|
| any | JSON without a member twice; a JSON-RPC 2.0 envelope of one kind; a batch only at 2025-03-26 |
| request, notification | its method is one that this side may send in this revision, and its params are of that shape |
| result | it answers a request of the other side's, and is of that method's shape |
| error | it answers a request, or has no id; `code` and `message`; a code that the revision does not forbid |
| progress | the other side asked for it under this token |
| 2026-07-28: a request | never from a server; its `_meta` names this revision |
| 2026-07-28: a response | never from a client; a result has a `resultType` that its method knows |
| 2026-07-28: a notification | log messages: some request set a level; on a subscription: after its acknowledgement |

Shapes are strict: no required member may be missing, no other type, no `null` where a member is to be left out. Members
that the schema does not name are open, and so are methods that no revision has. The types of 2025-11-25 stand for every
revision before it, so content that an older one did not have yet passes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import UnionType
from typing import Any, NoReturn, get_args

import mcp_types._v2026_07_28 as v2026
from mcp_types import methods
from mcp_types.version import KNOWN_PROTOCOL_VERSIONS
from pydantic import BaseModel, TypeAdapter, ValidationError

MODERN = "2026-07-28"

# What opens the other era, where a side may find out which one the other speaks (MCP 2026-07-28, Versioning).
_PROBES = {"server/discover": MODERN, "initialize": "2025-11-25"}

_SHAPES_OF_ERRORS: dict[int, type[BaseModel]] = {
    -32020: v2026.Error1,
    -32021: v2026.Error2,
    -32022: v2026.Error3,
}
_URL_ELICITATION = -32042
_RETIRED = (-32002, _URL_ELICITATION)

# What a subscription may bring, and the member of the filter that asks for it.
_SUBSCRIBED = {
    "notifications/tools/list_changed": "toolsListChanged",
    "notifications/prompts/list_changed": "promptsListChanged",
    "notifications/resources/list_changed": "resourcesListChanged",
    "notifications/resources/updated": "resourceSubscriptions",
}
_SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"

_Shape = type[BaseModel] | UnionType
_Shapes = Mapping[tuple[str, str], Any]


@dataclass
class _Side:
    """One of the two: what it may send, and what it has asked for."""

    name: str
    requests: _Shapes
    notifications: _Shapes
    results: _Shapes
    """Of what it answers."""
    asked: dict[str, tuple[str, str]] = field(default_factory=dict)
    """For each id, as JSON, the method and the revision of the request."""
    tokens: set[str] = field(default_factory=set)
    seen: int = 0


class Wire:
    """Checks what passes between one client and one server at `revision`.

    Every fault raises `AssertionError`, and its sentence is kept in `faults` for where nobody would see that. With
    `probes`, the request that opens the other era may pass, judged by that era's revision.
    """

    def __init__(self, revision: str, *, probes: bool = False) -> None:
        assert revision in KNOWN_PROTOCOL_VERSIONS, f"{revision} is no revision of MCP"
        self.revision = revision
        self.faults: list[str] = []
        self._probes = probes
        self._is_modern = revision == MODERN
        self._client = _Side("client", methods.CLIENT_REQUESTS, methods.CLIENT_NOTIFICATIONS, methods.CLIENT_RESULTS)
        self._server = _Side("server", methods.SERVER_REQUESTS, methods.SERVER_NOTIFICATIONS, methods.SERVER_RESULTS)
        self._filters: dict[str, dict[str, Any]] = {}
        """For each `subscriptions/listen`, by its id, what the server may send: nothing until it acknowledged."""
        self._logs = False

    def from_client(self, line: bytes | str) -> None:
        """One message, or one batch, from the client."""
        self._take(line, self._client, self._server)

    def from_server(self, line: bytes | str) -> None:
        """One message, or one batch, from the server."""
        self._take(line, self._server, self._client)

    def check(self) -> None:
        """At the end: there was no fault, and something was looked at in both directions."""
        assert not self.faults, f"{len(self.faults)} messages are not valid: {self.faults[:5]}"
        for side in (self._client, self._server):
            assert side.seen, f"no message came from the {side.name}, so nothing was checked"

    def _take(self, line: bytes | str, sender: _Side, other: _Side) -> None:
        try:
            value = _json(line)
            if isinstance(value, list):
                _must(self.revision == "2025-03-26" and bool(value), f"{self.revision} has no such batch")
            for message in value if isinstance(value, list) else [value]:
                sender.seen += 1
                self._message(message, sender, other)
        except AssertionError as fault:
            shown = line if isinstance(line, str) else bytes(line).decode(errors="backslashreplace")
            self.faults.append(f"The {sender.name} sent at {self.revision} what is not valid: {fault}. {shown[:1000]}")
            raise AssertionError(self.faults[-1]) from None

    def _message(self, message: Any, sender: _Side, other: _Side) -> None:
        _must(isinstance(message, dict), "a message is an object")
        _must(message.get("jsonrpc") == "2.0", "jsonrpc is 2.0")
        kinds = [kind for kind in ("method", "result", "error") if kind in message]
        _must(len(kinds) == 1, "a message has a method, a result or an error, and just one of them")
        if "id" in message and not ("error" in message and message["id"] is None):
            _must(type(message["id"]) in (int, str), "an id is an integer or a string")
        if kinds == ["method"]:
            _must(isinstance(message["method"], str), "a method is a string")
            _must(isinstance(message.get("params", {}), dict), "params are an object or left out")
            (self._request if "id" in message else self._notification)(message, sender, other)
        else:
            _must(not (self._is_modern and sender.name == "client"), "a client of this revision answers nothing")
            (self._result if kinds == ["result"] else self._error)(message, other, sender)

    def _request(self, message: dict[str, Any], sender: _Side, other: _Side) -> None:
        method, params = message["method"], message.get("params", {})
        _must(not (self._is_modern and sender.name == "server"), "a server of this revision sends no requests")
        probed = _PROBES.get(method) if self._probes and sender.name == "client" else None
        revision = probed or self.revision
        key = _key(message["id"])
        # What is asked for as a task is answered with the task, whatever the method (MCP 2025-11-25, Tasks).
        sender.asked[key] = (f"{method} as a task" if "task" in params else method, revision)
        meta = params.get("_meta", {})
        _conform(_shape(sender.requests, method, revision, (sender, other)), message)
        if revision == MODERN:
            # Not only where the schema knows the method: every request carries it (Base Protocol, _meta).
            _conform(v2026.RequestMetaObject, meta)
            said = meta["io.modelcontextprotocol/protocolVersion"]
            _must(said == MODERN, f"a request of {MODERN} says so, not {said!r}")
            self._logs |= "io.modelcontextprotocol/logLevel" in meta
        if isinstance(meta, dict) and "progressToken" in meta:
            _must(type(meta["progressToken"]) in (int, str), "a progress token is an integer or a string")
            sender.tokens.add(_key(meta["progressToken"]))
        if method == "subscriptions/listen":
            self._filters[key] = {}

    def _notification(self, message: dict[str, Any], sender: _Side, other: _Side) -> None:
        method, params = message["method"], message.get("params", {})
        _conform(_shape(sender.notifications, method, self.revision, (sender, other)), message)
        if method == "notifications/progress":
            _must(_key(params["progressToken"]) in other.tokens, "no request asked for progress under this token")
        if self._is_modern and sender.name == "server":
            _must(method != "notifications/message" or self._logs, "no request asked for log messages")
            self._on_subscription(method, params)

    def _on_subscription(self, method: str, params: dict[str, Any]) -> None:
        meta = params.get("_meta")
        meta = meta if isinstance(meta, dict) else {}
        acknowledges = method == "notifications/subscriptions/acknowledged"
        if not acknowledges and method not in _SUBSCRIBED and _SUBSCRIPTION not in meta:
            return
        _must(_SUBSCRIPTION in meta, "what comes on a subscription says on which")
        key = _key(meta[_SUBSCRIPTION])
        _must(key in self._filters, "no subscriptions/listen has this subscription's id")
        if acknowledges:
            self._filters[key] = {"acknowledged": True, **params["notifications"]}
            return
        granted = self._filters[key]
        _must(bool(granted), "the acknowledgement comes first on a subscription")
        if method in _SUBSCRIBED:
            # Not by its URI: an update may be of a resource below the one that was asked for.
            _must(bool(granted.get(_SUBSCRIBED[method])), f"the subscription does not cover {method}")

    def _result(self, message: dict[str, Any], asker: _Side, sender: _Side) -> None:
        method, revision = self._answered(message, asker)
        result = message["result"]
        _must(isinstance(result, dict), "a result is an object")
        shape = sender.results.get((method, revision))
        if revision == MODERN:
            said = result.get("resultType")
            _must(isinstance(said, str), "a result has a resultType")
            if shape is not None:
                shape = _of_type(shape, said)
                _must(shape is not None, f"{method} has no result of the type {said!r}")
            if said == "input_required":
                _must(
                    "inputRequests" in result or "requestState" in result,
                    f"{said} goes with neither inputRequests nor requestState",
                )
        _conform(shape, result)
        if method == "subscriptions/listen":
            _must(_key(result["_meta"][_SUBSCRIPTION]) == _key(message["id"]), "a subscription's id is its request's")

    def _error(self, message: dict[str, Any], asker: _Side, sender: _Side) -> None:
        revision = self.revision
        if message.get("id") is not None:
            _, revision = self._answered(message, asker)
        else:
            _must("id" in message or revision >= "2025-11-25", "an error has an id, or null for one that is unknown")
        error = message["error"]
        _conform(v2026.Error, error)
        if revision != self.revision:
            return  # How a server of another era answers a probe, no revision says.
        code = error["code"]
        if self._is_modern:
            _must(code not in _RETIRED, f"{code} is retired")
            _conform(_SHAPES_OF_ERRORS.get(code), error)
        defined = code in _SHAPES_OF_ERRORS or (code == _URL_ELICITATION and revision == "2025-11-25")
        _must(defined or not -32099 <= code <= -32020, f"{code} is reserved, and this revision does not define it")

    def _answered(self, message: dict[str, Any], asker: _Side) -> tuple[str, str]:
        _must("id" in message, "a response has an id")
        found = asker.asked.get(_key(message["id"]))
        _must(found is not None, f"the {asker.name} sent no request with this id")
        assert found is not None
        return found


def _json(line: bytes | str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        _must(len(members) == len(pairs), f"a member is there twice, of {[name for name, _ in pairs]}")
        return members

    def refuse(word: str) -> NoReturn:
        raise AssertionError(f"{word} is not JSON")

    try:
        text = line if isinstance(line, str) else bytes(line).decode("utf-8")
        return json.loads(text, object_pairs_hook=once, parse_constant=refuse)
    except (ValueError, RecursionError) as problem:
        raise AssertionError(f"it is not JSON: {problem}") from None


def _shape(shapes: _Shapes, method: str, revision: str, sides: Iterable[_Side]) -> _Shape | None:
    """The shape of what bears this method; None for a method that MCP does not have, or not among its core."""
    found: _Shape | None = shapes.get((method, revision))
    if found is None:
        known = {name for side in sides for table in (side.requests, side.notifications) for name, _ in table}
        _must(method not in known, f"{method} is not sent this way in {revision}")
    return found


def _of_type(shape: _Shape, said: object) -> _Shape | None:
    """Which of a result's shapes its `resultType` means (MCP 2026-07-28, ResultType)."""
    arms = get_args(shape) or (shape,)
    wanted = {"complete": False, "input_required": True}
    return next((arm for arm in arms if wanted.get(str(said)) is (arm is v2026.InputRequiredResult)), None)


def _conform(shape: _Shape | None, value: Any) -> None:
    if shape is None:
        return
    try:
        # As JSON: only then does "strict" mean the JSON types and nothing else.
        found = _adapter(shape).validate_json(json.dumps(value), strict=True, by_name=False)
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        raise AssertionError(f"{_place(first['loc'])}: {first['msg']}") from None
    for place in _nulls(found, ()):
        raise AssertionError(f"{_place(place)}: null, where the member is to be left out")


def _nulls(value: Any, place: tuple[object, ...]) -> Iterator[tuple[object, ...]]:
    """Members that are null though their type is not: the package's types cannot tell "absent" from "null"."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        for name in value.model_fields_set & fields.keys():
            inner, about = getattr(value, name), fields[name]
            if inner is None and not about.is_required() and Any not in get_args(about.annotation):
                yield (*place, about.alias or name)
            yield from _nulls(inner, (*place, about.alias or name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _nulls(inner, (*place, index))
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _nulls(inner, (*place, name))


@cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


def _place(parts: Iterable[object]) -> str:
    return ".".join(map(str, parts)) or "the whole"


def _key(value: object) -> str:
    return json.dumps(value)


def _must(holds: bool, rule: str) -> None:
    if not holds:
        raise AssertionError(rule)
