"""Any messages from host and server in any order: nothing raises, and no request is answered twice."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.protocol import jsonrpc
from bridge.protocol.jsonrpc import Message, RequestId, Response
from tests.support.examples import multiplied
from tests.translate.downgrade_book import LOG_LEVEL, OFFERS, Book, modern_meta

NAMES = [
    *("_meta", "name", "uri", "level", "progressToken", "requestId", "requestState", "inputResponses", "input-1"),
    *("notifications", "resourceSubscriptions", "toolsListChanged", "capabilities", "protocolVersion", "code", "data"),
    *("tools", "execution", "taskSupport", "task", "taskId", "elicitations", "url", "mode", "message", "params"),
    *("resultType", "ttlMs", "content"),
]
HOST_METHODS = [
    *("tools/call", "tools/call", "resources/read", "prompts/get", "tools/list", "subscriptions/listen"),
    *("server/discover", "ping", "acme/x", "notifications/cancelled", "\ud83d"),
]
SERVER_METHODS = [
    *("ping", "roots/list", "sampling/createMessage", "elicitation/create", "elicitation/create", "acme/x"),
    *("notifications/cancelled", "notifications/progress", "notifications/message", "\ud83d"),
    *("notifications/tools/list_changed", "notifications/resources/updated"),
]
TEXTS = ["", "x", "a:1", "accept", "info", "required", "fresh-1", "2026-07-28", "\ud83d"]

ids = st.sampled_from([0, 1, 2, 3, "0", "1", 1.5])
numbers = st.integers(0, 12)
simple = st.none() | st.booleans() | st.integers(-3, 3) | st.just(10**400) | st.just(1.5) | st.sampled_from(TEXTS)
odd = st.recursive(
    simple,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)
states = st.sampled_from(["fresh-1", "fresh-2", "fresh-3"])
answers = st.dictionaries(
    st.sampled_from(["input-1", "input-2", "input-3"]), st.just({"action": "accept"}) | odd, max_size=3
)
filters = st.just({"toolsListChanged": True}) | st.just({"resourceSubscriptions": ["a:1"]}) | odd
stamps = st.sampled_from(
    [modern_meta(), modern_meta(**{LOG_LEVEL: "info"}), modern_meta(progressToken=1), modern_meta(progressToken={})]
)
modern_params = st.fixed_dictionaries(
    {"name": st.just("pay"), "uri": st.just("a:1"), "_meta": stamps},
    optional={"requestState": states, "inputResponses": answers, "notifications": filters},
)
questions = st.just({"message": "Who?", "requestedSchema": {"type": "object", "properties": {}}}) | odd
opened = st.fixed_dictionaries(
    {"protocolVersion": st.just("2025-11-25"), "capabilities": st.just(OFFERS) | odd, "serverInfo": odd}
)
url_error = {"code": -32042, "message": "x", "data": {"elicitations": [{"url": "u", "message": "m"}]}}


def lines(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """Messages with these members."""
    return st.fixed_dictionaries({"jsonrpc": st.just("2.0"), **members}).map(lambda said: json.dumps(said).encode())


host_lines = (
    lines(id=ids, method=st.sampled_from(HOST_METHODS), params=modern_params)
    | lines(id=ids, method=st.sampled_from(HOST_METHODS), params=odd)
    | lines(method=st.just("notifications/cancelled"), params=st.fixed_dictionaries({"requestId": ids}))
    | lines(id=ids, result=odd)
)
server_lines = (
    lines(id=st.just(1), result=opened)
    | lines(id=numbers, result=odd)
    | lines(id=numbers, error=st.just(url_error) | odd)
    | lines(id=ids, method=st.sampled_from(SERVER_METHODS), params=questions)
    | lines(method=st.sampled_from(SERVER_METHODS), params=odd)
)
steps = st.lists(
    st.tuples(st.just("host"), host_lines, st.none())
    | st.tuples(st.just("server"), server_lines, st.none() | numbers)
    | st.tuples(st.sampled_from(["timer", "back", "close"]), st.none(), st.integers(0, 6)),
    max_size=40,
)


class Count:
    """How often each id was asked with and answered."""

    def __init__(self) -> None:
        self.book = Book(is_strict=False)
        self.asked: Counter[RequestId] = Counter()

    def step(self, who: str, message: Message | None, number: int | None) -> None:
        """One step of a script."""
        downgrade = self.book.downgrade
        if message is not None and who == "host":
            if isinstance(message, jsonrpc.Request):
                self.asked[message.id] += 1
            downgrade.from_host(message)
        elif message is not None:
            downgrade.from_server(message, number)
        elif number is not None and who == "timer":
            if timers := list(self.book.timers):
                self.book.timers.fire(*timers[number % len(timers)])
        elif number is not None and who == "back":
            for request in downgrade.reroute(number):
                self.asked[request.id] -= 1
        else:
            downgrade.close()

    def check(self) -> None:
        """No more answers than requests, and none for what still waits."""
        told = [jsonrpc.parse(line) for line in self.book.lines]
        answered = Counter(message.id for message in told if isinstance(message, Response))
        for id_, count in self.asked.items():
            assert answered[id_] + self.book.downgrade.awaits(id_) <= count


def parsed(line: bytes | None) -> Message | None:
    """The message, if it is one."""
    try:
        return jsonrpc.parse(line) if line is not None else None
    except ValueError:
        return None


@settings(max_examples=multiplied(150), deadline=None)
@given(steps, st.booleans())
def test_nothing_raises_and_no_request_is_answered_twice(
    script: list[tuple[str, bytes | None, int | None]], is_opened: bool
) -> None:
    count = Count()
    if is_opened:
        count.book.opened()
        count.asked[0] += 1
    for who, line, number in script:
        message = parsed(line)
        if line is None or message is not None:
            count.step(who, message, number)
    count.check()
