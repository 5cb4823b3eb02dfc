"""Any messages from host and server in any order: nothing raises, and each request has at most one answer."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridge.protocol import jsonrpc
from bridge.protocol.jsonrpc import NotAMessage, NotJson
from tests.support.cuts import unhurried
from tests.translate.upgrade_book import (
    FULL_HOST,
    FULL_SERVER,
    LEGACY,
    META_SUBSCRIPTION,
    TASK_SERVER,
    Book,
    Sent,
    discovered,
    line,
)

odd_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 70) | st.sampled_from([1.5, "", "a", "\ud800", "true", "object"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "_meta", "type"]), inner, max_size=3)
    ),
    max_leaves=6,
)
ids = st.sampled_from([0, 1, "1", "", 1.5])
host_methods = st.sampled_from(
    [
        "initialize",
        "ping",
        "tools/call",
        "tools/list",
        "resources/read",
        "resources/subscribe",
        "resources/unsubscribe",
        "logging/setLevel",
        "tasks/get",
        "tasks/result",
        "tasks/cancel",
        "x\ud800",
        "notifications/initialized",
        "notifications/cancelled",
        "notifications/progress",
    ]
)
params = st.dictionaries(
    st.sampled_from(
        [
            "uri",
            "name",
            "level",
            "task",
            "taskId",
            "requestId",
            "capabilities",
            "clientInfo",
            "protocolVersion",
            "requestState",
            "_meta",
        ]
    ),
    odd_values | ids | st.sampled_from(["a:1", "info", LEGACY, {"roots": {}, "elicitation": {"url": {}, "form": {}}}]),
)
codes = st.sampled_from([{"code": -32601, "message": "x"}, {"code": 5}])
questions = st.sampled_from(
    [
        {"method": "roots/list"},
        {"method": "elicitation/create", "params": {"mode": "url", "url": "a:b"}},
        {"method": "elicitation/create", "params": {}},
        {"method": "sampling/createMessage", "params": {"messages": [5, {"content": [{"structuredContent": 1}]}]}},
    ]
)
asking = st.fixed_dictionaries(
    {"resultType": st.just("input_required"), "inputRequests": st.dictionaries(st.sampled_from("abc"), questions)},
    optional={"requestState": st.just("s")},
)
states = st.fixed_dictionaries(
    {
        "resultType": st.sampled_from(["task", "complete"]),
        "taskId": st.just("a") | odd_values,
        "status": st.sampled_from(["working", "input_required", "completed", "failed", "cancelled"]) | odd_values,
    },
    optional={
        "inputRequests": st.dictionaries(st.sampled_from("abc"), questions | odd_values),
        "result": st.just({"content": []}) | odd_values,
        "error": codes | odd_values,
        "ttlMs": odd_values,
        "pollIntervalMs": odd_values,
        "statusMessage": st.just("m") | odd_values,
        "createdAt": odd_values,
    },
)
results = st.one_of(
    asking,
    asking,
    states,
    states,
    odd_values | codes,
    st.sampled_from([{"action": "accept"}, {"resultType": "complete"}, {"resultType": "input_required"}]),
    st.just(discovered({"tools": {"listChanged": True}, "logging": {}})),
    st.fixed_dictionaries(
        {"resultType": st.just("input_required")},
        optional={
            "inputRequests": st.dictionaries(st.sampled_from(["a", "\ud800"]), questions | odd_values, max_size=3),
            "requestState": odd_values,
        },
    ),
    st.fixed_dictionaries(
        {"resultType": st.just("complete") | odd_values},
        optional={
            "tools": st.lists(
                st.fixed_dictionaries({}, optional={"outputSchema": odd_values, "inputSchema": odd_values})
            )
            | odd_values,
            "content": odd_values,
            "structuredContent": odd_values,
            "_meta": odd_values,
        },
    ),
)
server_notes = st.sampled_from(
    [
        "notifications/subscriptions/acknowledged",
        "notifications/progress",
        "notifications/resources/updated",
        "notifications/cancelled",
        "x\ud800",
    ]
)
note_params = st.fixed_dictionaries(
    {},
    optional={
        "notifications": st.just({"resourceSubscriptions": ["a:1"]}) | odd_values,
        "_meta": st.just({META_SUBSCRIPTION: 1}) | odd_values,
    },
)
asks_as_a_task = {"name": "a", "task": {}, "taskId": "a", "_meta": {"progressToken": 1}}
recent = st.sampled_from([0, 0, 0, 0, 1, 1, 2, 3, 7])
steps = st.one_of(
    st.tuples(st.just("host"), ids, st.sampled_from(["tools/call", "resources/subscribe"]), st.just({"uri": "a:1"})),
    st.tuples(
        st.just("host"), ids, st.sampled_from(["tools/call", "tasks/result", "tasks/cancel"]), st.just(asks_as_a_task)
    ),
    st.tuples(st.just("host"), ids | st.none(), host_methods, params | odd_values),
    st.tuples(st.just("reply"), recent, results, st.booleans()),
    st.tuples(st.just("answer"), recent, results, st.booleans()),
    st.tuples(st.just("answer"), st.just(0), asking, st.just(False)),
    st.tuples(st.just("answer"), st.just(0), states, st.just(False)),
    st.tuples(st.just("reply"), recent, st.sampled_from([{"action": "accept"}, {"roots": []}]), st.just(False)),
    st.tuples(st.just("note"), recent, server_notes, note_params | odd_values),
    st.tuples(st.just("timer"), recent, st.none(), st.none()),
)


class Ends:
    """Both ends: who asked, and was answered how often."""

    def __init__(self) -> None:
        self.book = Book(is_strict=False)
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.up: list[Any] = []
        self.questions: list[Any] = []

    def step(self, kind: str, first: Any, second: Any, third: Any) -> None:
        if kind == "host":
            members = {"method": second, "params": third} | ({} if first is None else {"id": first})
            if first is not None:
                self.asked[json.dumps(first)] += 1
            self.look(self.book.host(line(**members)))
        elif kind == "reply" and self.questions:
            id_ = self.questions[-1 - first % len(self.questions)]
            self.look(self.book.host(line(**{"id": id_, "error" if third else "result": second})))
        elif kind == "answer" and self.up:
            id_ = self.up[-1 - first % len(self.up)]
            self.say(line(**{"id": id_, "error" if third else "result": second}), id_)
        elif kind == "note":
            about = self.up[-1 - first % len(self.up)] if self.up else None
            self.say(line(method=second, params=third), about)
        elif kind == "timer" and self.book.timers:
            purpose, number = list(self.book.timers)[first % len(self.book.timers)]
            self.look(self.book.fires(purpose, number))

    def say(self, text: bytes, about: Any) -> None:
        try:
            jsonrpc.parse(text)
        except (NotJson, NotAMessage):
            return
        self.look(self.book.server(text, about))

    def look(self, sent: list[Sent]) -> None:
        for one in sent:
            jsonrpc.parse(one.line)
            if one.way == "up" and "id" in one.body:
                assert one["id"] not in self.up
                self.up.append(one["id"])
            elif one.way == "down" and "method" in one.body and "id" in one.body:
                assert one["id"] not in self.questions
                self.questions.append(one["id"])
            elif one.way == "down" and "method" not in one.body:
                self.answered[json.dumps(one["id"])] += 1


@given(st.booleans(), st.sampled_from([FULL_SERVER, TASK_SERVER]), st.lists(steps, max_size=40))
@unhurried
def test_nothing_fails_and_no_request_is_answered_twice(
    is_open: bool, server: dict[str, Any], said: list[tuple[str, Any, Any, Any]]
) -> None:
    ends = Ends()
    ends.step("host", "open", "initialize", {"protocolVersion": LEGACY, "capabilities": FULL_HOST})
    if is_open:
        ends.step("answer", 0, discovered(server), False)
        ends.step("host", None, "notifications/initialized", {})
    for step in said:
        ends.step(*step)
    ends.look(ends.book.closes())
    assert ends.answered <= ends.asked
    assert not ends.book.waits()
