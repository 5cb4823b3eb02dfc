"""Kept answers: what may be kept, when it serves, and what makes it out of date (MCP 2026-07-28, Caching)."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from bridge.protocol.jsonrpc import Request
from bridge.session.commands import (
    Abandon,
    Command,
    DrainStream,
    DropResponses,
    FindResponse,
    KeepResponse,
    Post,
    SendToHost,
)
from bridge.session.events import Cause, HostMessage, NeverConnected, ResponseFound
from bridge.session.host_input import read_line
from bridge.session.response_cache import (
    LARGEST,
    LONGEST,
    STALE_FOR,
    CachedResult,
    ResponseCache,
    answer_from,
    cache_query_of,
    hints_of,
)
from bridge.session.session import Transport
from bridge.session.stateless import Stateless
from tests.session.modern_playbook import (
    META_CAPABILITIES,
    META_CLIENT,
    META_VERSION,
    MODERN,
    MODERN_VERSION,
    ModernPlaybook,
    PairingPlaybook,
    asked,
    called,
    changed,
    discovered,
)
from tests.session.playbook import URL, Machine, cancelled, error, fault, notification, request, result

TOOLS: dict[str, Any] = {"resultType": "complete", "tools": [], "ttlMs": 60_000, "cacheScope": "public"}
WALL = 1_900_000_000.0
"""The time of day, in Unix seconds, at which every look for an answer is made."""


def message(line: bytes) -> Request:
    event = read_line(line)
    assert isinstance(event, HostMessage)
    assert isinstance(event.message, Request)
    return event.message


def with_meta(**meta: object) -> bytes:
    add_request_meta = {
        META_VERSION: MODERN_VERSION,
        META_CLIENT: {"name": "host", "version": "1"},
        META_CAPABILITIES: {},
    }
    return request(1, "tools/list", {"_meta": add_request_meta | meta})


def kept(value: object = None, *, age: float = 1.0, ttl: float = 60.0, is_private: bool = False) -> CachedResult:
    """What the disk has, received `age` seconds before the look."""
    return CachedResult(msgspec.json.encode(TOOLS if value is None else value), WALL - age, ttl, is_private)


class CachedPlaybook(ModernPlaybook):
    """A host and a server that are both modern, with answers that may be kept."""

    @staticmethod
    def machine(transport: Transport, retry_window: float, request_timeout: float | None) -> Machine:
        return Stateless(URL, retry_window, request_timeout, cache=ResponseCache())

    def looks(self, line: bytes) -> FindResponse:
        """The host sends a request whose answer may be kept; the tools may be asked for ahead as well."""
        return self.look_in(self.host(line))

    @staticmethod
    def look_in(commands: list[Command]) -> FindResponse:
        return next(command for command in commands if isinstance(command, FindResponse))

    def found(self, look: FindResponse, there: CachedResult | None = None, asked_as: int = 0) -> list[Command]:
        """The look is over."""
        del self.lookups[look.exchange]
        return self.on(ResponseFound(look.exchange, there, WALL, asked_as))

    def sent(self, line: bytes, there: CachedResult | None = None) -> Post:
        """The host sends a request that goes to the server, whatever is kept."""
        (post,) = self.posts(self.found(self.looks(line), there))
        return post

    @staticmethod
    def keeps(commands: list[Command]) -> list[KeepResponse]:
        return [command for command in commands if isinstance(command, KeepResponse)]

    @staticmethod
    def drops(commands: list[Command]) -> list[tuple[str, ...]]:
        return [command.kinds for command in commands if isinstance(command, DropResponses)]


def told(commands: list[Command]) -> dict[str, Any]:
    """The one thing the host was told."""
    (line,) = [command.line for command in commands if isinstance(command, SendToHost)]
    answer: dict[str, Any] = json.loads(line)
    return answer


# -- what makes two requests the same


@pytest.mark.parametrize(
    "meta",
    [
        {"progressToken": 7},
        {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01", "tracestate": "a=b"},
        {"io.modelcontextprotocol/logLevel": "debug"},
    ],
    ids=["progress", "trace", "log level"],
)
def test_what_cannot_change_a_result_makes_no_difference(meta: dict[str, object]) -> None:
    assert cache_query_of(message(with_meta(**meta))) == cache_query_of(message(with_meta()))


@pytest.mark.parametrize(
    "meta",
    [
        {META_CLIENT: {"name": "host", "version": "2"}},
        {META_CAPABILITIES: {"elicitation": {}}},
        {META_VERSION: "2027-01-01"},
        {"com.example/tenant": "blue"},
    ],
    ids=["client", "capabilities", "version", "another's"],
)
def test_whatever_may_change_a_result_makes_a_difference(meta: dict[str, object]) -> None:
    assert cache_query_of(message(with_meta(**meta))) != cache_query_of(message(with_meta()))


def test_the_order_of_members_makes_no_difference_and_their_values_do() -> None:
    one = cache_query_of(message(b'{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a","x":1}}'))
    other = cache_query_of(message(b'{"jsonrpc":"2.0","method":"resources/read","params":{"x":1,"uri":"a"},"id":"9"}'))
    another = cache_query_of(message(b'{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"b","x":1}}'))
    assert one == other != another


def test_each_page_of_a_list_is_kept_by_itself() -> None:
    first = cache_query_of(message(asked(1)))
    second, third = (cache_query_of(message(asked(1, cursor=cursor))) for cursor in ("2", "3"))
    assert first is not None
    assert second is not None
    assert third is not None
    assert (first.is_page, second.is_page, third.is_page) == (False, True, True)
    assert len({first.key, second.key, third.key}) == 3


@pytest.mark.parametrize("more", [{"inputResponses": {}}, {"requestState": "s"}, {"requestState": None}])
def test_a_retry_with_input_is_never_kept(more: dict[str, object]) -> None:
    assert cache_query_of(message(asked(1, "resources/read", uri="file:///a"))) is not None
    assert cache_query_of(message(asked(1, "resources/read", MODERN_VERSION, uri="file:///a", **more))) is None


@pytest.mark.parametrize("method", ["tools/call", "prompts/get", "completion/complete", "subscriptions/listen", "ping"])
def test_other_methods_are_not_kept(method: str) -> None:
    assert cache_query_of(message(asked(1, method, name="a"))) is None


@pytest.mark.parametrize(
    "params",
    [
        b"[]",
        b'"a"',
        b'{"uri":"\\ud83d"}',
        b"1" * 20,
        b'{"a":' * 400 + b"1" + b"}" * 400,
        b'{"x":"' + b"a" * 70_000 + b'"}',
    ],
    ids=["array", "string", "surrogate", "number", "deep", "long"],
)
def test_strange_params_are_never_an_error(params: bytes) -> None:
    line = b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":%b}' % params
    asked_for = cache_query_of(Request(line, 1, b"1", "tools/list", Raw(params)))
    assert asked_for is None or len(asked_for.key) < 10_000


# -- what a result says of its keeping


@pytest.mark.parametrize(
    ("ttl", "seconds"),
    [("1", 0.001), ("60000", 60.0), ("5000.0", 5.0), ("9" * 18, LONGEST), ("1e15", LONGEST), ("86400001", LONGEST)],
)
def test_the_time_to_live_counts_up_to_a_day(ttl: str, seconds: float) -> None:
    hints = hints_of(Raw(b'{"resultType":"complete","ttlMs":%b,"cacheScope":"public"}' % ttl.encode()))
    assert hints is not None
    assert (hints.ttl, hints.is_private) == (seconds, False)


@pytest.mark.parametrize("ttl", ["0", "-1", "-60000", "0.5", "1.5", "true", '"60000"', "null", "{}", "1e400", "[5]"])
def test_no_sensible_time_to_live_is_none(ttl: str) -> None:
    assert hints_of(Raw(b'{"resultType":"complete","ttlMs":%b,"cacheScope":"public"}' % ttl.encode())) is None


@pytest.mark.parametrize("scope", ["private", "Public", "", "everybody", 1, None])
def test_what_is_not_said_to_be_public_is_private(scope: object) -> None:
    hints = hints_of(Raw(msgspec.json.encode({"resultType": "complete", "ttlMs": 1000, "cacheScope": scope})))
    assert hints is not None
    assert hints.is_private


def test_a_result_that_is_none_is_not_kept() -> None:
    for value in ({"ttlMs": 1000}, {"ttlMs": 1000, "resultType": "input_required"}, {"resultType": "complete"}):
        assert hints_of(Raw(msgspec.json.encode(value))) is None
    for raw in (b"", b"[]", b"1", b"null", b"{", b'"complete"'):
        assert hints_of(Raw(raw)) is None
    large = {"resultType": "complete", "ttlMs": 1000, "a": "b" * LARGEST}
    assert hints_of(Raw(msgspec.json.encode(large))) is None


def test_an_answer_is_as_it_came_but_for_what_is_left_of_its_time() -> None:
    came = b'{"_meta":{"ttlMs":9, "a" : 1e2},"ttlMs":60000,"tools":[{"ttlMs":60000}],"z":1.50}'
    answer = answer_from(CachedResult(came, WALL, 60.0, False), b'"mine"', 12.3456)
    assert answer is not None
    assert answer.line == (
        b'{"jsonrpc":"2.0","id":"mine","result":'
        b'{"_meta":{"ttlMs":9, "a" : 1e2},"ttlMs":12345,"tools":[{"ttlMs":60000}],"z":1.50}}'
    )


@pytest.mark.parametrize(
    "damaged", [b"", b"{", b"[]", b'{"a":1}{"b":2}', b'{"a":"\xff"}', b'{"a":[\n]}', b'{"a":' * 600 + b"1" + b"}" * 600]
)
def test_a_damaged_answer_is_none(damaged: bytes) -> None:
    assert answer_from(CachedResult(damaged, WALL, 60.0, False), b"1", 1.0) is None


@given(st.binary(max_size=60))
def test_no_bytes_on_the_disk_reach_the_host_as_more_than_one_line(data: bytes) -> None:
    answer = answer_from(CachedResult(data, WALL, 60.0, False), b"1", 1.0)
    if answer is not None:
        assert json.loads(answer.line)["id"] == 1
        assert b"\n" not in answer.line


# -- fresh


def test_a_fresh_answer_serves_and_the_server_is_not_asked() -> None:
    play = CachedPlaybook()
    commands = play.found(play.looks(asked("seven")), kept(age=20.0))
    assert told(commands) == {"jsonrpc": "2.0", "id": "seven", "result": TOOLS | {"ttlMs": 40_000}}
    assert not play.posts(commands)
    assert not play.keeps(commands)
    assert not play.session.busy


@pytest.mark.parametrize("age", [60.0, 3600.0, -5.0], ids=["just over", "long over", "of the future"])
def test_what_is_not_fresh_is_asked_for_and_replaced(age: float) -> None:
    play = CachedPlaybook()
    post = play.sent(asked(1), kept(age=age))
    answer = result(1, TOOLS | {"tools": [{"name": "new", "inputSchema": {}}]})
    commands = play.answers(post.exchange, answer)
    assert SendToHost(answer) in commands
    (keep,) = play.keeps(commands)
    assert keep.kept is not None
    assert json.loads(keep.kept.result) == json.loads(answer)["result"]
    assert (keep.kept.ttl, keep.kept.is_private) == (60.0, False)


def test_what_is_damaged_is_asked_for() -> None:
    play = CachedPlaybook()
    post = play.sent(asked(1), CachedResult(b"{", WALL - 1, 60.0, False))
    assert play.told(play.answers(post.exchange, result(1, TOOLS))) == [SendToHost(result(1, TOOLS))]


def test_tools_that_break_the_rules_of_headers_are_left_out_of_a_kept_list_too() -> None:
    bad = {
        "name": "bad",
        "inputSchema": {"type": "object", "properties": {"a": {"type": "object", "x-mcp-header": "A"}}},
    }
    play = CachedPlaybook()
    good = {
        "name": "good",
        "inputSchema": {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}},
    }
    commands = play.found(play.looks(asked(1)), kept(TOOLS | {"tools": [bad, good]}))
    assert [tool["name"] for tool in told(commands)["result"]["tools"]] == ["good"]
    assert len(play.warnings()) == 1
    assert (b"mcp-param-region", b"eu") in play.post(called(2, "good", region="eu")).headers


def test_a_call_that_is_cancelled_meanwhile_is_not_answered() -> None:
    play = CachedPlaybook()
    look = play.looks(asked(1))
    assert Abandon(look.exchange) in play.host(cancelled(1))
    assert play.session.handle(ResponseFound(look.exchange, kept(), WALL), play.now) == []


def test_only_the_answer_to_this_question_is_kept_and_as_whom_it_was_asked() -> None:
    play = CachedPlaybook()
    look = play.looks(asked(1, "resources/read", uri="file:///a"))
    (post,) = play.posts(play.found(look, None, asked_as=3))
    (keep,) = play.keeps(play.answers(post.exchange, result(1, TOOLS | {"cacheScope": "private"})))
    assert (keep.question, keep.asked_as) == (look.question, 3)
    assert keep.kept is not None
    assert keep.kept.is_private


def test_an_answer_that_is_not_to_be_kept_takes_the_old_one_away() -> None:
    play = CachedPlaybook()
    post = play.sent(asked(1), kept(age=100.0))
    (keep,) = play.keeps(play.answers(post.exchange, result(1, TOOLS | {"ttlMs": 0})))
    assert keep.kept is None
    post = play.sent(asked(2))
    assert play.keeps(play.answers(post.exchange, result(2, TOOLS | {"ttlMs": 0}))) == []


# -- stale


@pytest.mark.parametrize(
    ("status", "serves"),
    [(500, True), (502, True), (503, True), (404, False), (401, False), (403, False), (429, False)],
)
def test_what_is_stale_serves_where_the_server_fails_and_not_where_it_refuses(status: int, serves: bool) -> None:
    play = CachedPlaybook()
    post = play.sent(asked(1), kept(age=100.0))
    commands = play.answers(post.exchange, b"no", status=status)
    if serves:
        assert told(commands)["result"] == TOOLS | {"ttlMs": 0}
        assert len(play.warnings()) == 1
        assert "2 minutes ago" in play.warnings()[0]
    else:
        assert fault(commands[0])["kind"] in {"http-status", "rate-limited"}


def test_what_is_stale_serves_at_once_where_nothing_can_be_reached_and_the_log_is_told_once() -> None:
    play = CachedPlaybook()
    for id_ in range(3):
        post = play.sent(asked(id_), kept(age=100.0))
        commands = play.fails(post.exchange, Cause.UNREACHABLE, sent=False)
        assert told(commands)["result"]["ttlMs"] == 0
    assert len(play.warnings()) == 1


def test_what_is_stale_serves_a_server_that_asks_for_time() -> None:
    play = CachedPlaybook()
    post = play.sent(asked(1), kept(age=100.0))
    assert told(play.answers(post.exchange, b"", status=503, retry_after=5.0))["result"]["ttlMs"] == 0


def test_what_is_stale_serves_where_no_connection_ever_came_about() -> None:
    play = CachedPlaybook()
    play.sent(asked(1), kept(age=100.0))
    assert told(play.on(NeverConnected("Nothing there.")))["result"]["ttlMs"] == 0


def test_what_is_older_than_a_week_serves_nobody() -> None:
    play = CachedPlaybook()
    post = play.sent(asked(1), kept(age=STALE_FOR))
    assert fault(play.answers(post.exchange, b"", status=502)[0])["kind"] == "http-status"


def test_an_error_of_the_servers_own_is_its_answer() -> None:
    play = CachedPlaybook()
    post = play.sent(asked(1, "resources/read", uri="file:///a"), kept(age=100.0))
    commands = play.answers(post.exchange, error(1, "Not there."))
    assert SendToHost(error(1, "Not there.")) in commands
    (keep,) = play.keeps(commands)
    assert keep.kept is None


# -- changes


@pytest.mark.parametrize(
    ("method", "kinds"),
    [
        ("notifications/tools/list_changed", ("tools",)),
        ("notifications/prompts/list_changed", ("prompts",)),
        ("notifications/resources/list_changed", ("resources", "templates")),
        ("notifications/resources/updated", ("read",)),
        ("notifications/message", None),
    ],
)
def test_a_change_makes_what_is_kept_out_of_date(method: str, kinds: tuple[str, ...] | None) -> None:
    play = CachedPlaybook()
    stream = play.subscribed()
    commands = play.sends(stream, notification(method, {"uri": "file:///a"}))
    assert play.drops(commands) == ([] if kinds is None else [kinds])
    assert len(play.told(commands)) == 1


def test_what_the_disk_still_has_from_before_a_change_does_not_serve() -> None:
    play = CachedPlaybook()
    stream = play.subscribed()
    play.passes(10.0)
    play.sends(stream, changed(1))
    play.passes(5.0)
    assert play.posts(play.found(play.looks(asked(2)), kept(age=5.5)))
    assert told(play.found(play.looks(asked(3)), kept(age=4.5)))["result"]["ttlMs"] == 55_500


def test_an_answer_that_was_under_way_when_a_change_came_is_not_kept() -> None:
    play = CachedPlaybook()
    stream = play.subscribed()
    post = play.sent(asked(2))
    play.passes(1.0)
    play.sends(stream, changed(1))
    assert play.keeps(play.answers(post.exchange, result(2, TOOLS))) == []
    play.passes(1.0)
    post = play.sent(asked(3))
    (keep,) = play.keeps(play.answers(post.exchange, result(3, TOOLS)))
    assert keep.kept is not None


@pytest.mark.parametrize(("code", "drops"), [(-32602, True), (-32601, True), (-32603, False)])
def test_a_call_refused_as_unknown_makes_the_list_of_tools_doubtful(code: int, drops: bool) -> None:
    play = CachedPlaybook()
    post = play.post(called(1, "gone"))
    assert bool(play.drops(play.answers(post.exchange, error(1, "Unknown tool: gone", code)))) is drops
    assert bool(play.posts(play.found(play.looks(asked(2)), kept(age=1.0)))) is drops


# -- pages


def test_a_changed_first_page_makes_those_that_follow_another_lists() -> None:
    play = CachedPlaybook()
    post = play.sent(asked(1), kept(age=100.0))
    (keep,) = play.keeps(play.answers(post.exchange, result(1, TOOLS | {"nextCursor": "b"})))
    assert keep.starts_anew


def test_a_page_that_is_as_it_was_leaves_the_others_alone() -> None:
    play = CachedPlaybook()
    post = play.sent(asked(1), kept(age=100.0))
    (keep,) = play.keeps(play.answers(post.exchange, result(1, TOOLS | {"ttlMs": 5000, "_meta": {"a": 1}})))
    assert not keep.starts_anew
    post = play.sent(asked(2, cursor="b"))
    (keep,) = play.keeps(play.answers(post.exchange, result(2, TOOLS)))
    assert not keep.starts_anew


def test_a_cursor_that_is_refused_makes_all_pages_worthless() -> None:
    play = CachedPlaybook()
    post = play.sent(asked(1, cursor="b"), kept(age=100.0))
    assert play.drops(play.answers(post.exchange, error(1, "Invalid cursor", -32602))) == [("tools",)]


# -- asked for ahead


def opening(play: CachedPlaybook, there: CachedResult | None = None) -> tuple[Post, list[Post]]:
    """The host asks what there is; the request for that, and those for the tools."""
    look, ahead = [command for command in play.host(asked(1, "server/discover")) if isinstance(command, FindResponse)]
    (post,) = play.posts(play.found(look))
    return post, play.posts(play.found(ahead, there))


def own_id(post: Post) -> object:
    return json.loads(post.body)["id"]


def test_the_tools_are_asked_for_beside_the_opening_request_and_in_the_hosts_name() -> None:
    play = CachedPlaybook()
    post, (ahead,) = opening(play)
    assert ahead.tentative
    sent = json.loads(ahead.body)
    assert sent["method"] == "tools/list"
    assert sent["params"] == json.loads(post.body)["params"]
    commands = play.answers(ahead.exchange, result(own_id(ahead), TOOLS))
    assert play.told(commands) == []
    assert len(play.keeps(commands)) == 1
    assert told(play.host(asked(2))) == {"jsonrpc": "2.0", "id": 2, "result": TOOLS}
    assert play.posts(play.found(play.looks(asked(3)))), "it serves once"


def test_a_host_that_asks_before_the_answer_waits_for_it() -> None:
    play = CachedPlaybook()
    _, (ahead,) = opening(play)
    assert play.host(asked(2)) == []
    assert play.session.busy
    play.starts(ahead.exchange)
    assert told(play.sends(ahead.exchange, result(own_id(ahead), TOOLS))) == {
        "jsonrpc": "2.0",
        "id": 2,
        "result": TOOLS,
    }
    assert [command for command in play.closes(ahead.exchange) if not isinstance(command, DrainStream)] == []


@pytest.mark.parametrize(("ttl", "waits"), [(60_000, 11.0), (3_000, 3.5), (0, 11.0)])
def test_an_answer_that_waited_too_long_is_not_given(ttl: int, waits: float) -> None:
    play = CachedPlaybook()
    _, (ahead,) = opening(play)
    play.answers(ahead.exchange, result(own_id(ahead), TOOLS | {"ttlMs": ttl}))
    play.passes(waits)
    assert play.posts(play.found(play.looks(asked(2))))


def test_an_answer_that_waited_tells_what_is_left_of_its_time() -> None:
    play = CachedPlaybook()
    _, (ahead,) = opening(play)
    play.answers(ahead.exchange, result(own_id(ahead), TOOLS))
    play.passes(4.0)
    assert told(play.host(asked(2)))["result"]["ttlMs"] == 56_000
    play = CachedPlaybook()
    _, (ahead,) = opening(play)
    play.answers(ahead.exchange, result(own_id(ahead), TOOLS | {"ttlMs": 0}))
    play.passes(4.0)
    assert told(play.host(asked(2)))["result"]["ttlMs"] == 0


@pytest.mark.parametrize("how", ["status", "error", "lost", "closed", "sign-in"])
def test_what_is_asked_ahead_and_fails_is_never_told_and_the_hosts_own_request_goes_up(how: str) -> None:
    play = CachedPlaybook()
    _, (ahead,) = opening(play)
    assert play.host(asked(2)) == []
    if how == "status":
        commands = play.answers(ahead.exchange, b"", status=401)
    elif how == "error":
        commands = play.answers(ahead.exchange, error(own_id(ahead), "No."))
    elif how == "lost":
        commands = play.fails(ahead.exchange, Cause.LOST)
    elif how == "closed":
        play.starts(ahead.exchange)
        commands = play.closes(ahead.exchange)
    else:
        commands = play.signing_in(True)
        assert Abandon(ahead.exchange) in commands
    assert play.told(commands) == []
    (post,) = play.posts(play.found(play.look_in(commands)))
    assert told(play.answers(post.exchange, result(2, TOOLS)))["id"] == 2
    assert play.warnings() == []


def test_nothing_is_asked_ahead_where_a_fresh_list_is_kept_or_the_user_signs_in_or_it_was_asked_before() -> None:
    play = CachedPlaybook()
    assert opening(play, kept())[1] == []
    assert told(play.found(play.looks(asked(2)), kept()))["result"]["ttlMs"] == 59_000
    assert len([one for one in play.host(asked(3, "server/discover")) if isinstance(one, FindResponse)]) == 1
    play = CachedPlaybook()
    play.signing_in(True)
    assert len([one for one in play.host(asked(1, "server/discover")) if isinstance(one, FindResponse)]) == 1


@pytest.mark.parametrize(
    "line",
    [
        asked(2, cursor="b"),
        request(2, "tools/list", {"_meta": json.loads(asked(2))["params"]["_meta"] | {"progressToken": 1}}),
        request(2, "tools/list", {"_meta": json.loads(asked(2))["params"]["_meta"] | {META_CAPABILITIES: {"a": {}}}}),
    ],
    ids=["page", "progress", "capabilities"],
)
def test_another_request_is_not_answered_by_what_was_asked_ahead(line: bytes) -> None:
    play = CachedPlaybook()
    opening(play)
    assert play.posts(play.found(play.looks(line)))


def test_tools_that_changed_meanwhile_are_asked_for_again() -> None:
    play = CachedPlaybook()
    _, (ahead,) = opening(play)
    assert play.host(asked(2)) == []
    stream = play.subscribed(3)
    play.sends(stream, changed(3))
    commands = play.answers(ahead.exchange, result(own_id(ahead), TOOLS))
    assert play.told(commands) == []
    assert play.posts(play.found(play.look_in(commands)))


def test_a_host_that_cancels_what_waits_gets_nothing() -> None:
    play = CachedPlaybook()
    _, (ahead,) = opening(play)
    assert play.host(asked(2)) == []
    assert play.host(cancelled(2)) == []
    assert play.told(play.answers(ahead.exchange, result(own_id(ahead), TOOLS))) == []


def test_what_waits_is_answered_with_what_is_stale_where_no_connection_comes_about() -> None:
    play = CachedPlaybook()
    opening(play, kept(age=100.0))
    assert play.host(asked(2)) == []
    answers = [json.loads(line.line) for line in play.told(play.on(NeverConnected("Nothing there.")))]
    assert [answer["id"] for answer in answers if "result" in answer] == [2]


# -- any host


def test_a_legacy_host_is_answered_from_what_a_modern_server_lets_be_kept() -> None:
    play = PairingPlaybook(MODERN, keeps_responses=True)

    def found(look: FindResponse, there: CachedResult) -> list[Command]:
        del play.lookups[look.exchange]
        return play.on(ResponseFound(look.exchange, there, WALL))

    meta = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "host", "version": "1"}}
    look, ahead = [one for one in play.host(request(0, "initialize", meta)) if isinstance(one, FindResponse)]
    there = kept(discovered() | {"ttlMs": 60_000, "cacheScope": "public"})
    opened = told(found(look, there))
    assert opened["id"] == 0
    assert opened["result"]["serverInfo"] == {"name": "far", "version": "3"}
    assert found(ahead, kept()) == []
    look = next(one for one in play.host(request(1, "tools/list")) if isinstance(one, FindResponse))
    assert look.question == ahead.question
    assert told(found(look, kept()))["result"] == {"tools": []}


def test_what_the_bridge_asks_itself_is_asked_whatever_is_kept_and_then_kept() -> None:
    play = PairingPlaybook(keeps_responses=True)
    look = next(one for one in play.host(asked(1, "server/discover")) if isinstance(one, FindResponse))
    del play.lookups[look.exchange]
    (probe,) = play.posts(play.on(ResponseFound(look.exchange, kept(discovered() | {"ttlMs": 60_000}), WALL)))
    commands = play.answers(probe.exchange, result(own_id(probe), discovered() | {"ttlMs": 60_000}))
    assert [one.question for one in commands if isinstance(one, KeepResponse)] == [look.question]
    assert told(commands)["id"] == 1, "the host's own request is the same, and has that answer"


def test_without_the_cache_nothing_is_looked_for() -> None:
    play = PairingPlaybook(MODERN)
    (command,) = [one for one in play.host(asked(1, "server/discover")) if not hasattr(one, "timer")]
    assert isinstance(command, Post)
