"""What stands in front of a server's machine: requests and answers pass the parts, and nothing else is touched."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from bridge.app.features import features_in_front
from bridge.config import Settings
from bridge.errors import ErrorKind
from bridge.features.parts import FeatureContext, FeaturePart
from bridge.protocol import messages, writing
from bridge.protocol.jsonrpc import Request, Response
from bridge.session.commands import Post, SetTimer
from bridge.session.faults import Fault
from tests.features.feature_playbook import PAIRS, FeaturePlaybook, names, pages, tools
from tests.session.playbook import URL, cancelled


class Renaming(FeaturePart):
    """Shows each tool in capitals, and refuses the one that is secret."""

    def __init__(self, context: FeatureContext) -> None:
        self.context = context
        self.known: set[str] = set()

    def request(self, request: Request) -> Request | Fault:
        name = messages.named(request.params)
        if name == "SECRET":
            return Fault(ErrorKind.BAD_INPUT, "No.")
        params = writing.members(request.params) | {"name": Raw(msgspec.json.encode(name.lower()))}
        return writing.request(request.raw_id, request.method, msgspec.json.encode(params))

    def needs_list(self, request: Request) -> str:
        return "" if messages.named(request.params) in self.known else "tools/list"

    def listed(self, method: str, items: list[Raw]) -> list[Raw]:
        shown = []
        for item in items:
            tool = msgspec.json.decode(item)
            tool["name"] = tool["name"].upper()
            self.known.add(tool["name"])
            shown.append(Raw(msgspec.json.encode(tool)))
        return shown

    def result(self, request: Request, response: Response) -> Response:
        members = writing.members(response.result) | {"asked": Raw(msgspec.json.encode(messages.named(request.params)))}
        return writing.result(request.raw_id, msgspec.json.encode(members))


def renaming(context: FeatureContext) -> Sequence[FeaturePart]:
    return (Renaming(context),)


def serve(method: str, params: dict[str, Any]) -> Any:
    """Two tools that say how they were called."""
    if method == "tools/list":
        return tools("one", "two")
    return {"content": [{"type": "text", "text": params["name"]}]}


@pytest.mark.parametrize("eras", PAIRS)
def test_lists_calls_and_results_pass_the_parts(eras: tuple[str, str]) -> None:
    book = FeaturePlaybook(serve, renaming, eras=eras)
    assert names(book.ask(1, "tools/list")) == ["ONE", "TWO"]
    answer = book.ask(2, "tools/call", name="ONE", arguments={})
    assert answer["id"] == 2
    assert answer["result"]["content"][0]["text"] == "one"
    assert answer["result"]["asked"] == "ONE"
    assert book.methods().count("tools/list") == 1


@pytest.mark.parametrize("eras", PAIRS)
def test_a_refused_request_never_reaches_the_server(eras: tuple[str, str]) -> None:
    book = FeaturePlaybook(serve, renaming, eras=eras)
    book.ask(1, "tools/list")
    book.asked.clear()
    answer = book.ask(2, "tools/call", name="SECRET", arguments={})
    assert (answer["id"], answer["error"]["message"]) == (2, "No.")
    assert book.methods() == []
    assert not book.router.awaits(2)


@pytest.mark.parametrize("eras", PAIRS)
def test_a_list_that_a_call_needs_is_read_first_to_its_end(eras: tuple[str, str]) -> None:
    listing = pages(["one"], ["two"])

    def serve_pages(method: str, params: dict[str, Any]) -> Any:
        return (listing if method == "tools/list" else serve)(method, params)

    book = FeaturePlaybook(serve_pages, renaming, eras=eras)
    assert book.ask(1, "tools/call", name="TWO", arguments={})["result"]["content"][0]["text"] == "two"
    asked = [method for method in book.methods() if method.startswith("tools/")]
    assert asked == ["tools/list", "tools/list", "tools/call"]


def test_a_call_is_sent_although_the_list_that_it_needs_cannot_be_read() -> None:
    def serve_calls(method: str, params: dict[str, Any]) -> Any:
        if method == "tools/list":
            raise LookupError("broken")
        return serve(method, params)

    book = FeaturePlaybook(serve_calls, renaming)
    assert book.ask(1, "tools/call", name="ONE", arguments={})["result"]["content"][0]["text"] == "one"
    assert book.ask(2, "tools/call", name="TWO", arguments={})["result"]["content"][0]["text"] == "two"
    assert book.methods().count("tools/list") == 1


def test_calls_wait_for_the_same_list_and_one_that_is_cancelled_is_not_sent() -> None:
    book = FeaturePlaybook(serve, renaming)
    book.holds = True
    for id_, name in ((1, "ONE"), (2, "TWO")):
        assert book.serve(book.host(book.line(id_, "tools/call", name=name, arguments={}))) == []
    assert len(book.held) == 1
    assert book.router.awaits(1)
    assert book.router.awaits(2)
    book.serve(book.host(cancelled(1)))
    assert not book.router.awaits(1)
    assert [answer["id"] for answer in book.answer_held()] == [2]
    assert [message["params"]["name"] for message in book.asked if message["method"] == "tools/call"] == ["two"]


def test_an_id_that_waits_is_in_use() -> None:
    book = FeaturePlaybook(serve, renaming)
    book.holds = True
    book.serve(book.host(book.line(1, "tools/call", name="ONE", arguments={})))
    (refused,) = book.serve(book.host(book.line(1, "tools/call", name="TWO", arguments={})))
    assert "has not been answered yet" in refused["error"]["message"]
    (answer,) = book.answer_held()
    assert answer["result"]["asked"] == "ONE"


def test_a_batch_is_answered_as_one() -> None:
    book = FeaturePlaybook(serve, renaming)
    batch = [book.line(1, "tools/list"), book.line(2, "ping"), book.line(3, "tools/call", name="SECRET", arguments={})]
    answers: Any
    (answers,) = book.serve(book.host(b"[%b]" % b",".join(batch)))
    assert {answer["id"] for answer in answers} == {1, 2, 3}
    (listed,) = (answer for answer in answers if answer["id"] == 1)
    assert names(listed) == ["ONE", "TWO"]


@pytest.mark.parametrize("eras", [("legacy", "legacy"), ("modern", "modern")])
def test_what_no_part_changes_keeps_its_bytes(eras: tuple[str, str]) -> None:
    odd = b'{"jsonrpc":"2.0","id":1,"result":{ "tools" : [ {"name":"a","inputSchema":{"type":"object"},"x":1e400} ] }}'
    book = FeaturePlaybook(serve, eras=eras)
    (post,) = book.posts(book.host(book.line(1, "tools/list")))
    (told,) = book.told(book.answers(post.exchange, odd))
    assert bytes(told.line) == odd


def test_an_error_of_the_server_passes_as_it_came() -> None:
    def refuse(method: str, params: dict[str, Any]) -> Any:
        raise LookupError("no such thing")

    book = FeaturePlaybook(refuse, renaming)
    assert book.ask(1, "tools/list")["error"]["message"] == "no such thing"


def test_the_parts_are_made_while_the_server_is_asked_for_a_list() -> None:
    book = FeaturePlaybook(serve, front=features_in_front(Settings(URL)))
    book.holds = True
    commands = book.host(book.line(1, "tools/list"))
    assert [type(command) for command in commands] == [SetTimer, Post]
    book.serve(commands)
    assert book.fires("features") == []
    (answer,) = book.answer_held()
    assert names(answer) == ["one", "two"]
    assert [type(command) for command in book.host(book.line(2, "tools/list"))] == [Post]


def test_a_whole_list_that_every_host_takes_is_not_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(*_: object) -> None:
        pytest.fail("taken apart")

    monkeypatch.setattr("bridge.features.pages.ListReading.take", taken)
    book = FeaturePlaybook(serve, front=features_in_front(Settings(URL)))
    for id_ in (1, 2):
        assert names(book.ask(id_, "tools/list")) == ["one", "two"]
