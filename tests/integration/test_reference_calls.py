"""The reference client calls the reference server through the bridge: requests and answers, in all modes."""

from __future__ import annotations

import base64
from collections.abc import Callable

import anyio
import pytest
from mcp import MCPError, types

from tests.support.hosts.reference_host import ReferenceHost, reference_host
from tests.support.process.bridge_process import launch
from tests.support.servers.reference_features import BIG_UNIT, HANDLERS, REFUSAL
from tests.support.servers.reference_process import MODES, Mode, ReferenceProcess
from tests.support.servers.reference_server import BLOB, BLOB_BYTES, TEXT

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)]
Reference = Callable[[Mode], ReferenceProcess]


async def all_tools(host: ReferenceHost) -> list[types.Tool]:
    tools: list[types.Tool] = []
    cursor: str | None = None
    while True:
        page = await host.session.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
        tools += page.tools
        cursor = page.next_cursor
        if cursor is None:
            return tools


async def test_the_handshake_is_the_servers_own(reference: Reference, mode: Mode) -> None:
    async with reference_host(reference(mode).url) as host:
        answered = host.session.initialize_result
        assert answered is not None
        assert answered.protocol_version == "2025-11-25"
        assert (answered.server_info.name, answered.server_info.version) == ("reference", "1.2.3")
        assert answered.instructions == "Für Tests"
        assert answered.capabilities.resources == types.ResourcesCapability(subscribe=True, list_changed=True)
        assert await host.session.send_ping() == types.EmptyResult()


async def test_tools_are_listed_page_by_page_and_called(reference: Reference, mode: Mode) -> None:
    async with reference_host(reference(mode).url) as host:
        tools = await all_tools(host)
        assert [tool.name for tool in tools] == list(HANDLERS)
        assert tools[0].description == "echo, with an umlaut: ä"
        said = {"text": "¿qué? 日本語 \u2028 \x00 \U0001f9ed", "n": [0, -1, 1.5, 2**53, None, True], "": {}}
        assert await host.call("echo", **said) == said
        added = await host.session.call_tool("add", {"a": 2, "b": 0.5})
        assert added.structured_content == {"sum": 2.5}


async def test_errors_come_as_the_server_made_them(reference: Reference, mode: Mode) -> None:
    async with reference_host(reference(mode).url) as host:
        failed = await host.session.call_tool("fail", {})
        assert failed.is_error
        assert failed.content == [types.TextContent(type="text", text="it broke")]
        with pytest.raises(MCPError) as refused:
            await host.session.call_tool("refuse", {})
        assert (refused.value.code, refused.value.message) == (-31999, "refused, naïvely")
        assert refused.value.data == REFUSAL
        with pytest.raises(MCPError) as unknown:
            await host.session.send_request(types.Request(method="no/such", params=None), types.EmptyResult)
        assert unknown.value.code == types.METHOD_NOT_FOUND
        assert await host.call("echo", still=1) == {"still": 1}


async def test_resources_are_listed_and_read(reference: Reference, mode: Mode) -> None:
    async with reference_host(reference(mode).url) as host:
        listed = await host.session.list_resources()
        assert [resource.uri for resource in listed.resources] == [TEXT, BLOB]
        templates = await host.session.list_resource_templates()
        assert [template.uri_template for template in templates.resource_templates] == ["reference://row/{number}"]
        row = (await host.session.read_resource("reference://row/7")).contents[0]
        assert isinstance(row, types.TextResourceContents)
        assert row.text == "the text of reference://row/7: grüezi"
        blob = (await host.session.read_resource(BLOB)).contents[0]
        assert isinstance(blob, types.BlobResourceContents)
        assert base64.b64decode(blob.blob) == BLOB_BYTES
        with pytest.raises(MCPError, match="Resource not found") as missing:
            await host.session.read_resource("reference://nowhere")
        assert missing.value.data == {"uri": "reference://nowhere"}


async def test_prompts_and_completion(reference: Reference, mode: Mode) -> None:
    async with reference_host(reference(mode).url) as host:
        listed = await host.session.list_prompts()
        assert listed.prompts == [
            types.Prompt(name="greet", arguments=[types.PromptArgument(name="who", required=True)])
        ]
        greeting = await host.session.get_prompt("greet", {"who": "Zoë"})
        assert greeting.messages[0].content == types.TextContent(type="text", text="Greet Zoë")
        completed = await host.session.complete(
            types.PromptReference(type="ref/prompt", name="greet"), {"name": "who", "value": "al"}
        )
        assert completed.completion.values == ["alma", "alois"]


async def test_fifty_calls_at_once_get_each_its_own_answer(reference: Reference, mode: Mode) -> None:
    answers: dict[int, object] = {}

    async with reference_host(reference(mode).url) as host:

        async def call(number: int) -> None:
            # The later a call starts, the sooner it ends: answers come in another order than the calls.
            answers[number] = await host.call("echo", number=number, delay=(50 - number) * 0.004)

        async with anyio.create_task_group() as calls:
            for number in range(50):
                calls.start_soon(call, number)
    assert answers == {n: {"number": n, "delay": (50 - n) * 0.004} for n in range(50)}


async def test_ten_megabytes_down_and_two_up(reference: Reference, mode: Mode) -> None:
    # A host on bare pipes: the reference client's own reading of one 10 MB line takes seconds.
    async with launch(reference(mode).url) as bridge:
        await bridge.initialize()
        answer = await bridge.call("big", size=8_000_000)
        text: str = answer.result["content"][0]["text"]
        assert len(text) == 8_000_000
        assert len(answer.raw) > 10_000_000
        assert text.count(BIG_UNIT) == 8_000_000 // len(BIG_UNIT)
        long = "x—" * 500_000
        echoed = await bridge.call("echo", long=long)
        assert echoed.result["structuredContent"] == {"value": {"long": long}}
