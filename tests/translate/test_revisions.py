"""The checker of revisions: what is valid passes, and each of its rules can fail."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.revisions import MODERN, Wire

LEGACY = "2025-11-25"
OLD = ("2024-11-05", "2025-03-26", "2025-06-18", LEGACY)

META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "host", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}, "sampling": {}},
}
INITIALIZE = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "host", "version": "1"}}
INITIALIZED = {"protocolVersion": LEGACY, "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}
DISCOVERED = {"supportedVersions": [MODERN], "capabilities": {}, "ttlMs": 0, "cacheScope": "private"}
TOOLS = {"tools": [{"name": "t", "inputSchema": {"type": "object", "anyOf": []}, "x-own": None}]}
TEXT = {"content": [{"type": "text", "text": "a"}], "isError": False, "structuredContent": {"a": None}}
COMPLETE = {"resultType": "complete"}
CACHED = COMPLETE | {"ttlMs": 1000, "cacheScope": "public"}
FORM = {"type": "object", "properties": {"name": {"type": "string"}}}
ELICIT = {"method": "elicitation/create", "params": {"mode": "form", "message": "Who?", "requestedSchema": FORM}}
MESSAGES = [{"role": "user", "content": {"type": "text", "text": "Hello"}}]
SAMPLED = {"role": "assistant", "content": {"type": "text", "text": "Hi"}, "model": "m"}
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"

Step = tuple[str, dict[str, Any]]


def request(method: str, id_: Any = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id_, "method": method, **({"params": params} if params else {})}


def asks(method: str, id_: Any = 1, meta: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
    """A request of 2026-07-28."""
    return request(method, id_, _meta=META | (meta or {}), **params)


def note(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, **({"params": params} if params else {})}


def result(value: Any, id_: Any = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id_, "result": value}


def error(code: Any, id_: Any = 1, **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id_, "error": {"code": code, "message": "No.", **more}}


def up(message: dict[str, Any]) -> Step:
    return "client", message


def down(message: dict[str, Any]) -> Step:
    return "server", message


def show(wire: Wire, side: str, message: object) -> None:
    take: Callable[[bytes | str], None] = wire.from_client if side == "client" else wire.from_server
    take(message if isinstance(message, bytes) else json.dumps(message).encode())


def play(revision: str, *steps: Step, probes: bool = False) -> Wire:
    wire = Wire(revision, probes=probes)
    for side, message in steps:
        show(wire, side, message)
    return wire


LISTEN = up(
    asks("subscriptions/listen", "s", notifications={"toolsListChanged": True, "resourceSubscriptions": ["a:b"]})
)
ACKNOWLEDGED = down(
    note(
        "notifications/subscriptions/acknowledged",
        _meta={SUBSCRIPTION: "s"},
        notifications={"toolsListChanged": True, "resourceSubscriptions": ["a:b"]},
    )
)
CALL = up(asks("tools/call", name="t", arguments={"a": 1.5}))
LIST = up(asks("tools/list"))

VALID: dict[str, tuple[str, list[Step]]] = {
    "handshake": (
        LEGACY,
        [
            up(request("initialize", "i", **INITIALIZE)),
            down(result(INITIALIZED, "i")),
            up(note("notifications/initialized")),
        ],
    ),
    "tools": (
        LEGACY,
        [
            up(request("tools/list")),
            down(result(TOOLS)),
            up(request("tools/call", 2, name="t", arguments={"a": None})),
            down(result(TEXT, 2)),
        ],
    ),
    "empty-results": (
        LEGACY,
        [
            up(request("ping")),
            down(result({})),
            up(request("logging/setLevel", 2, level="info")),
            down(result({}, 2)),
            up(request("resources/subscribe", 3, uri="a:b")),
            down(result({"_meta": {}}, 3)),
        ],
    ),
    "the-server-asks-under-the-same-id": (
        LEGACY,
        [
            up(request("tools/call", name="t")),
            down(request("sampling/createMessage", messages=MESSAGES, maxTokens=9)),
            up(result(SAMPLED)),
            down(request("elicitation/create", "e", message="Who?", requestedSchema=FORM)),
            up(result({"action": "accept", "content": {"name": "N"}}, "e")),
            down(request("roots/list", "r")),
            up(error(-32601, "r")),
            down(result(TEXT)),
        ],
    ),
    "progress": (
        LEGACY,
        [
            up(request("tools/call", name="t", _meta={"progressToken": "p"})),
            down(note("notifications/progress", progressToken="p", progress=1, total=2.5)),
            up(note("notifications/cancelled", requestId=1, reason="late")),
        ],
    ),
    "a-task": (
        LEGACY,
        [up(request("tools/call", name="t", task={"ttl": 1})), down(result({"task": {"taskId": "7"}}))],
    ),
    "errors-of-the-past": (
        LEGACY,
        [up(request("resources/read", uri="a:b")), down(error(-32002)), down(error(-32042)), down(error(1))],
    ),
    "no-id-at-all": (LEGACY, [down({"jsonrpc": "2.0", "error": {"code": -32700, "message": "No."}})]),
    "id-unknown": (MODERN, [down(error(-32700, None))]),
    "extension": (LEGACY, [up(request("x/y", z=1)), down(result({"any": None})), down(note("notifications/x"))]),
    "discover": (MODERN, [up(asks("server/discover")), down(result(COMPLETE | DISCOVERED))]),
    "modern-tools": (MODERN, [LIST, down(result(CACHED | TOOLS)), CALL, down(result(COMPLETE | TEXT))]),
    "modern-structured-content-is-any-value": (
        MODERN,
        [CALL, down(result(COMPLETE | TEXT | {"structuredContent": None}))],
    ),
    "modern-without-client-info": (
        MODERN,
        [up(request("prompts/list", _meta={name: META[name] for name in META if "Info" not in name}))],
    ),
    "input-required": (
        MODERN,
        [
            CALL,
            down(result({"resultType": "input_required", "inputRequests": {"k": ELICIT}, "requestState": "s"})),
            up(asks("tools/call", 2, name="t", inputResponses={"k": {"action": "decline"}}, requestState="s")),
            down(result({"resultType": "input_required", "requestState": "s"}, 2)),
        ],
    ),
    "subscription": (
        MODERN,
        [
            LISTEN,
            ACKNOWLEDGED,
            down(note("notifications/tools/list_changed", _meta={SUBSCRIPTION: "s"})),
            down(note("notifications/resources/updated", uri="a:b/c", _meta={SUBSCRIPTION: "s"})),
            down(result(COMPLETE | {"_meta": {SUBSCRIPTION: "s"}}, "s")),
        ],
    ),
    "log": (
        MODERN,
        [
            up(asks("tools/call", name="t", meta={"io.modelcontextprotocol/logLevel": "info"})),
            down(note("notifications/message", level="info", data=None)),
        ],
    ),
    "modern-errors": (
        MODERN,
        [
            CALL,
            down(error(-32020)),
            down(error(-32021, data={"requiredCapabilities": {"sampling": {}}})),
            down(error(-32022, data={"supported": [MODERN], "requested": "2027-01-01"})),
            down(error(-32602, data=None)),
            down(error(-32000)),
        ],
    ),
    "modern-extension": (MODERN, [up(asks("x/y")), down(result({"resultType": "task", "any": None}))]),
}


@pytest.mark.parametrize(("revision", "steps"), VALID.values(), ids=VALID.keys())
def test_what_is_valid_passes(revision: str, steps: list[Step]) -> None:
    assert play(revision, *steps).faults == []


def without(message: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key != name}


# The last step is the one that is not valid, and what is said of it.
INVALID: dict[str, tuple[str, list[Step], str]] = {
    "no-jsonrpc": (LEGACY, [up(without(request("ping"), "jsonrpc"))], "jsonrpc is 2.0"),
    "no-kind": (LEGACY, [up({"jsonrpc": "2.0", "id": 1})], "a method, a result or an error"),
    "two-kinds": (LEGACY, [up(request("ping")), down(result({}) | {"error": {}})], "just one of them"),
    "id-null": (LEGACY, [up(request("ping", None))], "an id is"),
    "id-fraction": (LEGACY, [up(request("ping", 1.5))], "an id is"),
    "id-boolean": (LEGACY, [up(request("ping", True))], "an id is"),
    "result-without-id": (LEGACY, [down(without(result({}), "id"))], "a response has an id"),
    "method-number": (LEGACY, [up(request("ping") | {"method": 1})], "a method is a string"),
    "params-list": (LEGACY, [up(request("ping") | {"params": []})], "params are an object"),
    "params-null": (LEGACY, [up(request("ping") | {"params": None})], "params are an object"),
    "result-list": (LEGACY, [up(request("x/y")), down(result([]))], "a result is an object"),
    "unasked": (LEGACY, [up(request("ping")), down(result({}, "1"))], "the client sent no request with this id"),
    "unasked-error": (LEGACY, [down(error(-32603))], "the client sent no request with this id"),
    "unasked-by-the-server": (LEGACY, [up(request("ping")), up(result({}))], "the server sent no request with this id"),
    "old-error-without-id": (
        "2025-06-18",
        [down({"jsonrpc": "2.0", "error": {"code": 1, "message": ""}})],
        "an error has an id",
    ),
    "wrong-side": (LEGACY, [down(request("tools/list"))], "tools/list is not sent this way"),
    "wrong-side-note": (LEGACY, [up(note("notifications/message", level="info", data=1))], "is not sent this way"),
    "too-new": (LEGACY, [up(request("server/discover"))], "server/discover is not sent this way in 2025-11-25"),
    "too-new-for-then": ("2025-03-26", [down(request("elicitation/create"))], "elicitation/create is not sent"),
    "request-as-a-note": (LEGACY, [up(note("ping"))], "ping is not sent this way"),
    "note-as-a-request": (LEGACY, [up(request("notifications/initialized"))], "is not sent this way"),
    "missing-in-params": (LEGACY, [up(request("tools/call"))], "params: Field required"),
    "missing-in-result": (LEGACY, [up(request("tools/list")), down(result({}))], "tools: Field required"),
    "missing-deep": (
        LEGACY,
        [up(request("tools/list")), down(result({"tools": [{"name": "t"}]}))],
        "tools.0.inputSchema: Field required",
    ),
    "number-as-text": (
        LEGACY,
        [
            up(request("ping", _meta={"progressToken": 1})),
            down(note("notifications/progress", progressToken=1, progress="1")),
        ],
        "params.progress",
    ),
    "null-member": (
        LEGACY,
        [up(request("tools/list")), down(result(TOOLS | {"nextCursor": None}))],
        "nextCursor: null, where the member is to be left out",
    ),
    "null-deep": (
        LEGACY,
        [up(request("tools/list")), down(result({"tools": [{**TOOLS["tools"][0], "title": None}]}))],
        "tools.0.title: null",
    ),
    "null-in-params": (LEGACY, [up(request("tools/list", cursor=None))], "params.cursor: null"),
    "client-result": (LEGACY, [down(request("roots/list")), up(result({}))], "roots: Field required"),
    "progress-unasked": (
        LEGACY,
        [down(note("notifications/progress", progressToken="p", progress=1))],
        "no request asked for progress",
    ),
    "token-boolean": (LEGACY, [up(request("x/y", _meta={"progressToken": True}))], "a progress token is"),
    "code-text": (LEGACY, [up(request("ping")), down(error("-32603"))], "code"),
    "no-error-message": (
        LEGACY,
        [up(request("ping")), down({"jsonrpc": "2.0", "id": 1, "error": {"code": 1}})],
        "message: Field required",
    ),
    "code-reserved": (LEGACY, [up(request("ping")), down(error(-32050))], "-32050 is reserved"),
    "code-of-later": ("2025-06-18", [up(request("ping")), down(error(-32042))], "-32042 is reserved"),
    "modern-request-without-meta": (MODERN, [up(request("tools/list"))], "params: Field required"),
    "modern-request-without-capabilities": (
        MODERN,
        [up(request("tools/list", _meta=without(META, "io.modelcontextprotocol/clientCapabilities")))],
        "io.modelcontextprotocol/clientCapabilities: Field required",
    ),
    "modern-extension-without-meta": (MODERN, [up(request("x/y"))], "clientCapabilities: Field required"),
    "modern-request-of-another-revision": (
        MODERN,
        [up(asks("tools/list", meta={"io.modelcontextprotocol/protocolVersion": LEGACY}))],
        "says so, not '2025-11-25'",
    ),
    "modern-initialize": (MODERN, [up(request("initialize", **INITIALIZE))], "initialize is not sent this way"),
    "modern-initialized": (MODERN, [up(note("notifications/initialized"))], "is not sent this way in 2026-07-28"),
    "modern-ping": (MODERN, [up(asks("ping"))], "ping is not sent this way"),
    "modern-subscribe": (MODERN, [up(asks("resources/subscribe", uri="a:b"))], "is not sent this way"),
    "modern-server-request": (MODERN, [down(request("ping"))], "sends no requests"),
    "modern-server-request-of-an-extension": (MODERN, [down(request("x/y"))], "sends no requests"),
    "modern-client-result": (MODERN, [up(result({}))], "answers nothing"),
    "modern-client-error": (MODERN, [up(error(-32601))], "answers nothing"),
    "modern-client-progress": (
        MODERN,
        [up(note("notifications/progress", progressToken=1, progress=1))],
        "notifications/progress is not sent this way",
    ),
    "no-result-type": (
        MODERN,
        [LIST, down(result(without(CACHED, "resultType") | TOOLS))],
        "a result has a resultType",
    ),
    "no-result-type-of-an-extension": (MODERN, [up(asks("x/y")), down(result({}))], "a result has a resultType"),
    "result-type-unknown": (
        MODERN,
        [CALL, down(result(TEXT | {"resultType": "done"}))],
        "tools/call has no result of the type 'done'",
    ),
    "no-input-here": (
        MODERN,
        [LIST, down(result({"resultType": "input_required", "requestState": "s"}))],
        "tools/list has no result of the type 'input_required'",
    ),
    "input-of-nothing": (MODERN, [CALL, down(result({"resultType": "input_required"}))], "neither inputRequests nor"),
    "input-of-a-stranger": (
        MODERN,
        [CALL, down(result({"resultType": "input_required", "inputRequests": {"k": {"method": "ping"}}}))],
        "inputRequests.k",
    ),
    "complete-without-content": (MODERN, [CALL, down(result(COMPLETE))], "content: Field required"),
    "no-ttl": (MODERN, [LIST, down(result(without(CACHED, "ttlMs") | TOOLS))], "ttlMs: Field required"),
    "ttl-negative": (MODERN, [LIST, down(result(CACHED | TOOLS | {"ttlMs": -1}))], "ttlMs"),
    "ttl-text": (MODERN, [LIST, down(result(CACHED | TOOLS | {"ttlMs": "1"}))], "ttlMs"),
    "no-cache-scope": (MODERN, [LIST, down(result(without(CACHED, "cacheScope") | TOOLS))], "cacheScope: Field"),
    "cache-scope-unknown": (MODERN, [LIST, down(result(CACHED | TOOLS | {"cacheScope": "shared"}))], "cacheScope"),
    "input-response": (
        MODERN,
        [up(asks("tools/call", name="t", inputResponses={"k": {"action": "perhaps"}}))],
        "params.inputResponses.k",
    ),
    "retired-not-found": (MODERN, [CALL, down(error(-32002))], "-32002 is retired"),
    "retired-url-elicitation": (MODERN, [CALL, down(error(-32042))], "-32042 is retired"),
    "modern-code-reserved": (MODERN, [CALL, down(error(-32023))], "-32023 is reserved"),
    "no-supported-versions": (MODERN, [CALL, down(error(-32022))], "data: Field required"),
    "no-required-capabilities": (MODERN, [CALL, down(error(-32021, data={}))], "data.requiredCapabilities: Field"),
    "log-unasked": (
        MODERN,
        [CALL, down(note("notifications/message", level="info", data=1))],
        "asked for log messages",
    ),
    "change-without-subscription": (
        MODERN,
        [LISTEN, ACKNOWLEDGED, down(note("notifications/tools/list_changed"))],
        "says on which",
    ),
    "change-on-another-subscription": (
        MODERN,
        [LISTEN, ACKNOWLEDGED, down(note("notifications/tools/list_changed", _meta={SUBSCRIPTION: "t"}))],
        "no subscriptions/listen has this",
    ),
    "change-before-the-acknowledgement": (
        MODERN,
        [LISTEN, down(note("notifications/tools/list_changed", _meta={SUBSCRIPTION: "s"}))],
        "the acknowledgement comes first",
    ),
    "change-after-asking-again": (
        MODERN,
        [LISTEN, ACKNOWLEDGED, LISTEN, down(note("notifications/tools/list_changed", _meta={SUBSCRIPTION: "s"}))],
        "the acknowledgement comes first",
    ),
    "change-not-covered": (
        MODERN,
        [LISTEN, ACKNOWLEDGED, down(note("notifications/prompts/list_changed", _meta={SUBSCRIPTION: "s"}))],
        "does not cover notifications/prompts/list_changed",
    ),
    "subscription-ends-without-its-id": (MODERN, [LISTEN, down(result(COMPLETE, "s"))], "_meta: Field required"),
    "subscription-ends-for-another": (
        MODERN,
        [LISTEN, down(result(COMPLETE | {"_meta": {SUBSCRIPTION: "t"}}, "s"))],
        "a subscription's id is its request's",
    ),
}


@pytest.mark.parametrize(("revision", "steps", "says"), INVALID.values(), ids=INVALID.keys())
def test_what_is_not_valid_is_told(revision: str, steps: list[Step], says: str) -> None:
    wire = play(revision, *steps[:-1])
    side, message = steps[-1]
    with pytest.raises(AssertionError) as caught:
        show(wire, side, message)
    assert says in str(caught.value)
    assert wire.faults == [str(caught.value)]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"", "it is not JSON"),
        (b"{", "it is not JSON"),
        (b"\xff", "it is not JSON"),
        (b"1", "a message is an object"),
        (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', "a member is there twice"),
        (b'{"jsonrpc":"2.0","id":1,"method":"x/y","params":{"a":{"b":1,"b":1}}}', "a member is there twice"),
        (b'{"jsonrpc":"2.0","id":1,"method":"x/y","params":{"a":NaN}}', "NaN is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
    ],
    ids=["empty", "cut", "not-utf-8", "number", "two-ids", "twice-deep", "nan", "deep"],
)
def test_what_is_no_message_is_told(line: bytes, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        Wire(LEGACY).from_client(line)


@pytest.mark.parametrize("revision", [*OLD, MODERN])
def test_only_one_revision_has_batches(revision: str) -> None:
    wire = Wire(revision)
    batch = json.dumps([request("ping"), note("notifications/initialized")])
    if revision == "2025-03-26":
        wire.from_client(batch)
        wire.from_server(json.dumps([result({})]))
        wire.check()
        with pytest.raises(AssertionError, match="no such batch"):
            wire.from_client("[]")
    else:
        with pytest.raises(AssertionError, match="has no such batch"):
            wire.from_client(batch)


@pytest.mark.parametrize("revision", OLD)
def test_every_older_revision_has_the_handshake(revision: str) -> None:
    initialize = INITIALIZE | {"protocolVersion": revision}
    play(revision, up(request("initialize", **initialize)), down(result(INITIALIZED))).check()


def test_a_probe_of_the_other_era_passes_where_it_may() -> None:
    discover, answer = up(asks("server/discover")), down(error(-32023))
    play(LEGACY, discover, answer, up(request("ping")), down(result({})), probes=True).check()
    initialize = up(request("initialize", **INITIALIZE))
    play(MODERN, initialize, down(error(-32002)), probes=True).check()
    with pytest.raises(AssertionError, match="params: Field required"):
        play(LEGACY, up(request("server/discover")), probes=True)
    with pytest.raises(AssertionError, match="cacheScope: Field required"):
        play(LEGACY, discover, down(result(COMPLETE)), probes=True)


def test_the_end_reports_faults_that_were_not_seen() -> None:
    wire = play(LEGACY, up(request("ping")), down(result({})))
    wire.check()
    with pytest.raises(AssertionError):
        wire.from_server(b"{}")
    with pytest.raises(AssertionError, match="1 messages are not valid"):
        wire.check()


@pytest.mark.parametrize("side", ["client", "server"])
def test_the_end_tells_where_nothing_was_checked(side: str) -> None:
    wire = play(LEGACY, up(request("ping")) if side == "server" else down(error(-32700, None)))
    with pytest.raises(AssertionError, match=f"no message came from the {side}"):
        wire.check()


def test_a_revision_that_does_not_exist_is_refused() -> None:
    with pytest.raises(AssertionError, match="no revision"):
        Wire("2026-07-29")
