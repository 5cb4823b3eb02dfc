"""What the stand-in for a model decides, and that each API carries it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.hosts.model import anthropic, gemini, openai_chat, openai_responses
from tests.hosts.model.mind import ARGUMENTS, MOST_WAITS, Asked, Result, Say, Use, called, decide, is_end


@pytest.mark.parametrize(
    "name", ["echo", "mcp__example__echo", "example-echo", "mcp__example.echo", "mcp_example_echo"]
)
def test_the_servers_tool_is_called_under_any_prefix(name: str) -> None:
    assert decide(Asked(["Read", name])) == Use(name, dict(ARGUMENTS))


def test_a_tool_that_only_sounds_alike_is_not_called() -> None:
    assert isinstance(decide(Asked(["reecho", "echo_all"])), Say)


def test_sign_in_is_called_twice_at_most() -> None:
    once = Result("example_sign_in", "a link")
    assert decide(Asked(["example_sign_in"])) == Use("example_sign_in")
    assert decide(Asked(["example_sign_in"], [once])) == Use("example_sign_in")
    said = decide(Asked(["example_sign_in"], [once, once]))
    assert isinstance(said, Say)
    assert "a link" in said.text


def test_the_turn_ends_with_what_the_tool_said() -> None:
    assert decide(Asked(["echo"], [Result("echo", "hello")])) == Say("The tool said: hello")


def test_tools_that_are_not_shown_are_searched_for_again_after_a_sign_in() -> None:
    tools = ["ToolSearch", "mcp__example__sign_in"]
    found = Result("ToolSearch", "mcp__example__sign_in")
    signed = Result("mcp__example__sign_in", "Signed in")
    assert isinstance(use := decide(Asked(["ToolSearch"])), Use)
    assert use.tool == "ToolSearch"
    assert decide(Asked(tools, [found])) == Use("mcp__example__sign_in")
    assert isinstance(use := decide(Asked(tools, [found, signed])), Use)
    assert use.tool == "ToolSearch"


def test_servers_that_are_still_connecting_are_waited_for_but_not_for_ever() -> None:
    waits = Result("ToolSearch", "Some MCP servers are still connecting")
    assert isinstance(use := decide(Asked(["ToolSearch"], [waits])), Use)
    assert use.thought > 0
    assert isinstance(decide(Asked(["ToolSearch"], [waits] * MOST_WAITS)), Say)


def test_a_hidden_tool_is_called_by_way_of_another() -> None:
    found = Result("tool_search", '<function>{"name":"mcp__example__echo"}</function>')
    use = decide(Asked(["tool_search", "tool_call"], [found]))
    assert use == Use("tool_call", {"name": "mcp__example__echo", "arguments": ARGUMENTS})
    assert called("tool_call", json.dumps({"name": "mcp__example__echo"})) == "mcp__example__echo"


def test_the_last_words_go_through_the_tool_that_is_there_for_them() -> None:
    use = decide(Asked(["echo", "final_answer"], [Result("echo", "hello")]))
    assert use == Use("final_answer", {"answer": "The tool said: hello"})
    assert is_end(use)
    assert not is_end(Use("echo"))


def test_a_conversation_that_tells_calls_and_results_in_words_is_read() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "sign_in", "arguments": {}}}
    messages = [
        {"role": "user", "content": "Use the tool"},
        {"role": "assistant", "content": [{"type": "text", "text": f"Calling tools:\n{[call]}"}]},
        {"role": "user", "content": [{"type": "text", "text": "Observation:\nSigned in"}]},
        {"role": "user", "content": "Once more"},
    ]
    assert openai_chat.read({"messages": messages}).results == [Result("sign_in", "Observation:\nSigned in")]


DECIDED = [Use("echo", {"said": "hello"}), Say("Done")]


def events(parts: Any) -> list[dict[str, Any]]:
    lines = b"".join(parts).decode().splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]


@pytest.mark.parametrize("decided", DECIDED)
def test_anthropic_streams_what_it_answers(decided: Say | Use) -> None:
    streamed = events(anthropic.stream({}, decided, 1))
    assert [one["type"] for one in streamed] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    delta = streamed[2]["delta"]
    given = json.loads(delta["partial_json"]) if isinstance(decided, Use) else delta["text"]
    (block,) = anthropic.answer({}, decided, 1)["content"]
    assert given == (block["input"] if isinstance(decided, Use) else block["text"])


@pytest.mark.parametrize("decided", DECIDED)
def test_openai_streams_what_it_answers(decided: Say | Use) -> None:
    first = events(openai_chat.stream({}, decided, 1))[0]["choices"][0]["delta"]
    whole = openai_chat.answer({}, decided, 1)["choices"][0]["message"]
    if isinstance(decided, Use):
        assert first["tool_calls"][0]["function"] == whole["tool_calls"][0]["function"]
    else:
        assert first["content"] == whole["content"]
    last = events(openai_responses.stream({}, decided, 1))[-1]
    assert last["response"]["output"] == openai_responses.answer({}, decided, 1)["output"]
    assert events(gemini.stream({}, decided, 1)) == [gemini.answer({}, decided, 1)]


def test_a_conversation_is_read_alike_in_each_api() -> None:
    wanted = Asked(["echo"], [Result("echo", "hello")])
    call: dict[str, Any] = {"type": "tool_use", "id": "1", "name": "echo", "input": {}}
    result: dict[str, Any] = {"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "hello"}]}
    messages = [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    assert anthropic.read({"tools": [{"name": "echo"}], "messages": messages}) == wanted
    function = {"name": "echo", "arguments": "{}"}
    messages = [
        {"role": "assistant", "tool_calls": [{"id": "1", "function": function}]},
        {"role": "tool", "tool_call_id": "1", "content": "hello"},
    ]
    assert openai_chat.read({"tools": [{"function": {"name": "echo"}}], "messages": messages}) == wanted
    items = [
        {"type": "function_call", "call_id": "1", "name": "echo"},
        {"type": "function_call_output", "call_id": "1", "output": "hello"},
    ]
    assert openai_responses.read({"tools": [{"type": "function", "name": "echo"}], "input": items}) == wanted
    parts = [{"functionResponse": {"name": "echo", "response": {"output": "hello"}}}]
    declared = [{"functionDeclarations": [{"name": "echo"}]}]
    assert gemini.read({"tools": declared, "contents": [{"role": "user", "parts": parts}]}) == wanted
