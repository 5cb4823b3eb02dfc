"""A host of each era with npm's `server-everything`, a server of the era with sessions: what it offers, through the
bridge."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator

import anyio
import pytest
from mcp import types

from tests.support.hosts.either_era_host import EitherEraHost, either_era_host
from tests.support.hosts.reference_host import DEADLINE, eventually
from tests.support.servers.everything import Transport
from tests.support.waits import stretched

# The pairs are connected once: in one worker, not in each.
pytestmark = pytest.mark.anyio
_logger = logging.getLogger(__name__)
URI = "demo://resource/dynamic/text/1"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """The loop of the module: a host stays connected from test to test."""
    return "asyncio"


@pytest.fixture(scope="module", params=["legacy", "modern"], ids=["legacy-host", "modern-host"])
async def connected(
    request: pytest.FixtureRequest, everything_url: Callable[[Transport], str]
) -> AsyncIterator[EitherEraHost]:
    """A host of an era, once the server offers the tools that hang on what a host can do."""
    async with either_era_host(request.param, everything_url("streamableHttp")) as host:

        async def complete() -> bool:
            return "get-roots-list" in await host.tool_names()

        await eventually(complete)
        yield host


@pytest.fixture
def host(connected: EitherEraHost) -> Iterator[EitherEraHost]:
    """The host, with nothing heard yet; no message of the test may be one that its revision does not have."""
    connected.begin()
    yield connected
    _logger.info("stderr of the bridge: %s", connected.said()[-3000:])
    connected.check()


async def test_tools_are_listed_and_called(host: EitherEraHost) -> None:
    assert host.client.server_info is not None
    assert host.client.server_info.name == "mcp-servers/everything"
    assert await host.text("echo", message="grüezi \U0001f9ed") == "Echo: grüezi \U0001f9ed"
    weather = await host.client.call_tool("get-structured-content", {"location": "Chicago"})
    assert weather.structured_content is not None
    assert weather.structured_content["conditions"] == "Light rain / drizzle"
    picture = await host.client.call_tool("get-tiny-image", {})
    assert "image" in {part.type for part in picture.content}
    assert (await host.client.call_tool("get-sum", {"a": "two"})).is_error


async def test_progress_comes_before_the_answer(host: EitherEraHost) -> None:
    steps: list[tuple[float, float | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        steps.append((progress, total))

    arguments = {"duration": 0.2, "steps": 4}
    done = await host.client.call_tool("trigger-long-running-operation", arguments, progress_callback=note)
    assert not done.is_error
    assert steps == [(n, 4) for n in range(1, 5)]


async def test_a_cancelled_call_holds_up_nothing(host: EitherEraHost) -> None:
    async with anyio.create_task_group() as calls:
        started = anyio.Event()

        async def note(progress: float, total: float | None, message: str | None) -> None:
            started.set()

        async def call() -> None:
            arguments = {"duration": 60, "steps": 600}
            await host.client.call_tool("trigger-long-running-operation", arguments, progress_callback=note)

        calls.start_soon(call)
        with anyio.fail_after(stretched(DEADLINE)):
            await started.wait()
        calls.cancel_scope.cancel()
    assert await host.text("echo", message="next") == "Echo: next"


async def test_the_user_is_asked(host: EitherEraHost) -> None:
    assert "- Name: Zoë" in await host.text("trigger-elicitation-request")
    host.elicitation = types.ElicitResult(action="decline")
    declined = await host.text("trigger-elicitation-request")
    assert json.loads(declined.partition("Raw result:")[2]) == {"action": "decline"}


async def test_the_hosts_model_is_asked(host: EitherEraHost) -> None:
    answer = await host.text("trigger-sampling-request", prompt="Grüße", maxTokens=17)
    assert "you said: Resource trigger-sampling-request context: Grüße" in answer
    assert [asked.max_tokens for asked in host.samplings] == [17]


async def test_the_server_learns_the_hosts_roots(host: EitherEraHost) -> None:
    # The server may ask outside of any call, right after the handshake; then this call brings what it knows.
    assert "1. Häuser\n   URI: file:///home/anna/houses" in await host.text("get-roots-list")


async def test_resources_are_listed_and_read(host: EitherEraHost) -> None:
    assert (await host.client.list_resources()).resources
    assert (await host.client.list_resource_templates()).resource_templates
    text = (await host.client.read_resource("demo://resource/dynamic/text/7")).contents[0]
    assert isinstance(text, types.TextResourceContents)
    assert text.text.startswith("Resource 7: This is a plaintext resource")


async def test_a_subscribed_resource_is_told(host: EitherEraHost) -> None:
    async with host.watching(URI):
        # The server tells once at the start, and then every few seconds: off and on again, until it is heard.
        with anyio.fail_after(stretched(DEADLINE)):
            while not host.received(types.ResourceUpdatedNotification):
                await host.text("toggle-subscriber-updates")
                with anyio.move_on_after(0.2):
                    await host.until(lambda: bool(host.received(types.ResourceUpdatedNotification)), "update")
        assert {update.params.uri for update in host.received(types.ResourceUpdatedNotification)} == {URI}


async def test_prompts_are_listed_and_got(host: EitherEraHost) -> None:
    assert "args-prompt" in {prompt.name for prompt in (await host.client.list_prompts()).prompts}
    asked = await host.client.get_prompt("args-prompt", {"city": "Zürich", "state": "ZH"})
    assert asked.messages[0].content == types.TextContent(type="text", text="What's weather in Zürich, ZH?")


async def test_arguments_are_completed(host: EitherEraHost) -> None:
    found = await host.client.complete(
        types.PromptReference(type="ref/prompt", name="completable-prompt"), {"name": "department", "value": "S"}
    )
    assert found.completion.values == ["Sales", "Support"]
