"""Content for hosts of revisions that do not have it."""

from typing import Any

import msgspec
import pytest

from bridge.protocol import mcp
from bridge.protocol.writing import members
from bridge.translate.upgrade.content import lower
from tests.translate.upgrade_book import Book

LINK = {
    "type": "resource_link",
    "uri": "file:///a.txt",
    "name": "a",
    "description": "The first.",
    "annotations": {"priority": 1},
}
AUDIO = {"type": "audio", "data": "UklGRg==", "mimeType": "audio/wav"}
TEXT = {"type": "text", "text": "kept"}
IN_WORDS = {"type": "text", "text": "a: file:///a.txt\nThe first.", "annotations": {"priority": 1}}
EMBEDDED = {
    "type": "resource",
    "resource": {"uri": "urn:mcp:audio", "mimeType": "audio/wav", "blob": "UklGRg=="},
}


def lowered(method: str, version: str, result: object) -> Any:
    said = members(msgspec.json.encode(result))
    lower(method, said, mcp.features(version))
    return msgspec.json.decode(msgspec.json.encode(said))


@pytest.mark.parametrize(
    ("version", "shown"),
    [
        ("2024-11-05", [IN_WORDS, EMBEDDED, TEXT]),
        ("2025-03-26", [IN_WORDS, AUDIO, TEXT]),
        ("2025-06-18", [LINK, AUDIO, TEXT]),
        ("2025-11-25", [LINK, AUDIO, TEXT]),
    ],
)
def test_a_host_gets_the_content_that_its_revision_has(version: str, shown: list[object]) -> None:
    assert lowered("tools/call", version, {"content": [LINK, AUDIO, TEXT], "isError": False}) == {
        "content": shown,
        "isError": False,
    }
    messages = [{"role": "user", "content": block} for block in (LINK, AUDIO, TEXT)]
    assert lowered("prompts/get", version, {"messages": messages}) == {
        "messages": [{"role": "user", "content": block} for block in shown]
    }


def test_what_is_no_content_stays() -> None:
    result = {"content": [LINK]}
    assert lowered("resources/read", "2024-11-05", result) == result
    assert lowered("tools/call", "2024-11-05", {}) == {}


@pytest.mark.parametrize(
    "block", [{"type": "resource_link"}, {"type": "resource_link", "uri": 1}, {"type": 1}, 7, None, "x", [], {}]
)
def test_odd_content_does_no_harm(block: object) -> None:
    (shown,) = lowered("tools/call", "2024-11-05", {"content": [block]})["content"]
    expected = (
        {"type": "text", "text": ""} if isinstance(block, dict) and block.get("type") == "resource_link" else block
    )
    assert shown == expected
    assert lowered("prompts/get", "2024-11-05", {"messages": [block]}) == {"messages": [block]}


def test_an_older_host_gets_it_over_a_modern_server() -> None:
    book = Book().opened(version="2024-11-05")
    call = book.goes_up(1, "tools/call", {"name": "t"})
    (answer,) = book.answers(call["id"], {"resultType": "complete", "content": [LINK, AUDIO]})
    assert answer["result"]["content"] == [IN_WORDS, EMBEDDED]


SAMPLE = {
    "messages": [
        {"role": "user", "content": [TEXT, IN_WORDS]},
        {"role": "assistant", "content": TEXT},
        {"role": "user", "content": []},
    ],
    "maxTokens": 5,
}
APART = [
    {"role": "user", "content": TEXT},
    {"role": "user", "content": IN_WORDS},
    {"role": "assistant", "content": TEXT},
]


@pytest.mark.parametrize(
    ("version", "messages"),
    [("2024-11-05", APART), ("2025-03-26", APART), ("2025-06-18", APART), ("2025-11-25", SAMPLE["messages"])],
)
def test_a_message_to_be_sampled_that_holds_several_things(version: str, messages: object) -> None:
    book = Book().opened({"sampling": {}}, version=version)
    call = book.goes_up(1, "tools/call", {"name": "a"})
    asked = {"a": {"method": "sampling/createMessage", "params": SAMPLE}}
    (question,) = book.answers(call["id"], {"resultType": "input_required", "inputRequests": asked})
    assert question["params"] == {**SAMPLE, "messages": messages}


@pytest.mark.parametrize("messages", [5, None, [5], [{}], [{"content": 5}], [{"role": "user", "content": "x"}]])
def test_messages_that_hold_nothing_readable_stay_as_they_are(messages: object) -> None:
    book = Book(is_strict=False).opened({"sampling": {}}, version="2025-06-18")
    call = book.goes_up(1, "tools/call", {"name": "a"})
    asked = {"a": {"method": "sampling/createMessage", "params": {"messages": messages, "maxTokens": 5}}}
    (question,) = book.answers(call["id"], {"resultType": "input_required", "inputRequests": asked})
    assert question["params"].get("messages") == messages
