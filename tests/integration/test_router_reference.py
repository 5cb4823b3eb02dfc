"""A host of each era with a reference server of each: every feature, through the bridge.

The two pairings of one era are run without the bridge too, so that a failure of the others is the bridge's.
"""

from __future__ import annotations

import json
import logging
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Literal

import anyio
import anyio.to_thread
import pytest
from mcp import MCPError, types

from tests.support.hosts.either_era_host import EitherEraHost, Era, directly, either_era_host, through_the_bridge
from tests.support.hosts.reference_host import ROOTS, eventually, reference_host
from tests.support.servers.two_era_features import (
    ASKING,
    HANDLERS,
    LEVELS,
    NOTE,
    PAGE,
    REFUSAL,
    URL_ELICITATION_REQUIRED,
)
from tests.support.waits import stretched

# The pairs are connected once: in one worker, not in each.
pytestmark = pytest.mark.anyio
_logger = logging.getLogger(__name__)
Connect = Callable[..., AbstractAsyncContextManager[EitherEraHost]]


@dataclass(frozen=True)
class Pair:
    """Who talks to whom, and whether the bridge is between."""

    host: Era
    server: Literal["legacy", "modern", "dual"]
    is_bridged: bool = True

    def __str__(self) -> str:
        return f"{self.host}-host-{self.server}-server{'' if self.is_bridged else '-directly'}"

    @property
    def asks_in_its_own_era(self) -> bool:
        """Whether nothing has to be translated."""
        return self.server in (self.host, "dual")


ERAS: tuple[Era, ...] = ("legacy", "modern")
SERVERS: tuple[Literal["legacy", "modern", "dual"], ...] = ("legacy", "modern", "dual")
PAIRS = [
    *(Pair(era, era, is_bridged=False) for era in ERAS),
    *(Pair(host, server) for host in ERAS for server in SERVERS),
]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """The loop of the module: a pair stays connected from test to test."""
    return "asyncio"


@pytest.fixture(scope="module", params=PAIRS, ids=str)
def pair(request: pytest.FixtureRequest) -> Pair:
    found: Pair = request.param
    return found


@pytest.fixture(scope="module")
def connect(origin: str, pair: Pair) -> Connect:
    """Connects the pair anew."""
    way = through_the_bridge if pair.is_bridged else directly
    return partial(either_era_host, pair.host, f"{origin}/{pair.server}", way)


@pytest.fixture(scope="module")
async def connected(connect: Connect) -> AsyncIterator[EitherEraHost]:
    """The pair, connected once for all tests that do not mind: a host and its bridge take a second to start."""
    async with connect() as host:
        yield host


@pytest.fixture
async def host(origin: str, pair: Pair, connected: EitherEraHost) -> AsyncIterator[EitherEraHost]:
    """The pair, with nothing heard yet; no message of the test may be one that its revision does not have."""
    await faults(origin)
    connected.begin()
    yield connected
    _logger.info("stderr of the bridge: %s", connected.said()[-3000:])
    connected.check()
    found = await faults(origin)
    # Without the bridge they are the reference client's own, and said of nothing that is tested here.
    assert not found or not pair.is_bridged, found


async def faults(origin: str) -> list[str]:
    """What came to the servers, or from them, since the last time, and was not valid."""

    def read() -> list[str]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{origin}/faults", timeout=stretched(5)) as answer:
            found: list[str] = json.load(answer)
        return found

    return await anyio.to_thread.run_sync(read)


async def test_the_server_is_introduced_and_its_tools_are_listed_and_called(host: EitherEraHost) -> None:
    assert host.client.server_info is not None
    assert (host.client.server_info.name, host.client.server_info.version) == ("pairing", "1.2.3")
    assert host.client.instructions == "Für Paare"
    offered = host.client.server_capabilities
    assert offered.tools is not None
    assert offered.tools.list_changed
    assert offered.resources is not None
    assert offered.resources.subscribe
    assert None not in (offered.prompts, offered.completions, offered.logging)
    assert set(HANDLERS) <= set(await host.tool_names())
    assert await host.call("echo", text="grüezi \U0001f9ed", number=0) == {"text": "grüezi \U0001f9ed", "number": 0}
    assert (await host.client.call_tool("fail", {})).is_error
    with pytest.raises(MCPError) as refused:
        await host.call("refuse")
    assert (refused.value.code, refused.value.message, refused.value.data) == (-31999, "refused, naïvely", REFUSAL)


async def test_a_host_that_names_its_revision_and_asks_nothing_first_is_served(connect: Connect, pair: Pair) -> None:
    async with connect(mode="2026-07-28" if pair.host == "modern" else "legacy") as host:
        answers: list[int] = []

        async def call(number: int) -> None:
            answers.append((await host.call("echo", number=number))["number"])

        # They come at once, while nobody knows yet what the server speaks.
        async with anyio.create_task_group() as calls:
            for number in range(5):
                calls.start_soon(call, number)
        assert sorted(answers) == list(range(5))


async def test_progress_comes_in_order_before_the_answer(host: EitherEraHost) -> None:
    steps: list[tuple[float, float | None, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        steps.append((progress, total, message))

    result = await host.client.call_tool("slow", {"steps": 20}, progress_callback=note)
    assert result.structured_content == {"value": 20}
    assert steps == [(n, 20, f"step {n}") for n in range(1, 21)]


async def test_a_cancelled_call_ends_on_the_server_and_the_next_is_served(host: EitherEraHost, pair: Pair) -> None:
    key = f"cancelled-by-{pair}"

    async def reported(number: int) -> bool:
        return len(await host.call("blocks", key=key)) == number

    async with anyio.create_task_group() as calls:
        calls.start_soon(host.client.call_tool, "block", {"key": key})
        await eventually(lambda: reported(1))
        calls.cancel_scope.cancel()
    await eventually(lambda: reported(2))
    assert await host.call("blocks", key=key) == ["started", "cancelled"]


async def test_the_user_fills_in_a_form_declines_and_cancels(host: EitherEraHost) -> None:
    assert await host.call("elicit", message="Wie heißt du?") == {"action": "accept", "content": {"name": "Zoë"}}
    refusals: tuple[Literal["decline", "cancel"], ...] = ("decline", "cancel")
    for action in refusals:
        host.elicitation = types.ElicitResult(action=action)
        assert await host.call("elicit", message="again?") == {"action": action}
    assert [asked.message for asked in host.elicitations] == ["Wie heißt du?", "again?", "again?"]
    form = host.elicitations[0]
    assert isinstance(form, types.ElicitRequestFormParams)
    assert form.requested_schema["properties"] == {"name": {"type": "string"}}


async def test_the_user_is_sent_to_a_page(host: EitherEraHost, pair: Pair) -> None:
    assert await host.call("visit", key=str(pair)) == {"action": "accept"}
    asked = host.elicitations[0]
    assert isinstance(asked, types.ElicitRequestURLParams)
    assert asked.url == PAGE
    # An id, and the message that it is done, are of the one era only.
    assert (asked.elicitation_id is None) == (pair.host == "modern")
    if pair.host == "legacy":
        await host.until(lambda: bool(host.received(types.ElicitCompleteNotification)), "completion")
        done = host.received(types.ElicitCompleteNotification)
        assert [message.params.elicitation_id for message in done] == [asked.elicitation_id]


async def test_a_call_that_needs_a_page_visited_first_gets_there(host: EitherEraHost, pair: Pair) -> None:
    if pair.host == "legacy" and pair.asks_in_its_own_era:
        with pytest.raises(MCPError) as refused:
            await host.call("paywall", key=str(pair))
        assert refused.value.code == URL_ELICITATION_REQUIRED
    assert await host.call("paywall", key=str(pair)) == "paid"
    pages = [asked.url for asked in host.elicitations if isinstance(asked, types.ElicitRequestURLParams)]
    assert pages == ([] if pair.host == "legacy" and pair.asks_in_its_own_era else [PAGE])


async def test_the_hosts_model_is_asked(host: EitherEraHost) -> None:
    assert await host.call("sample", prompt="Grüße") == {
        "role": "assistant",
        "content": {"type": "text", "text": "you said: Grüße"},
        "model": "none",
        "stopReason": "endTurn",
    }
    assert [asked.max_tokens for asked in host.samplings] == [17]


async def test_the_server_learns_the_hosts_roots(host: EitherEraHost) -> None:
    answer = types.ListRootsResult(roots=ROOTS).model_dump(mode="json", by_alias=True, exclude_none=True)
    assert await host.call("roots") == answer


async def test_questions_come_in_rounds_with_progress_between_them(host: EitherEraHost) -> None:
    steps: list[float] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        steps.append(progress)

    result = await host.client.call_tool("interview", {}, progress_callback=note)
    assert result.structured_content == {"value": "you said: Zoë has 2 roots"}
    assert (len(host.elicitations), len(host.samplings)) == (1, 1)
    # A handler without a session begins anew with each round, and then says its first step twice; progress that must
    # increase is then a little more the second time.
    assert [round(step, 9) for step in steps] in ([1, 2], [1, 1, 2])


async def test_a_resource_and_a_prompt_may_ask_too(host: EitherEraHost) -> None:
    read = (await host.client.read_resource(ASKING)).contents[0]
    assert isinstance(read, types.TextResourceContents)
    assert read.text == "Zoë"
    asked = await host.client.get_prompt("greet")
    assert asked.messages[0].content == types.TextContent(type="text", text="Greet Zoë")
    assert len(host.elicitations) == 2


async def test_a_question_on_the_standing_stream_finds_the_call_it_is_for(host: EitherEraHost) -> None:
    async with host.watching():
        # Only now that stream is known to be open.
        await host.until_told(lambda: bool(host.received(types.ToolListChangedNotification)), "announce")
        answer = await host.call("sample", prompt="outside", standing=True)
        assert answer["content"]["text"] == "you said: outside"


async def test_two_calls_that_ask_at_once_get_each_its_own_answer(host: EitherEraHost) -> None:
    answers: dict[str, str] = {}

    async def call(prompt: str) -> None:
        answers[prompt] = (await host.call("sample", prompt=prompt))["content"]["text"]

    async with anyio.create_task_group() as calls:
        for prompt in ("one", "two", "three"):
            calls.start_soon(call, prompt)
    assert answers == {prompt: f"you said: {prompt}" for prompt in ("one", "two", "three")}


async def test_resources_are_listed_and_read(host: EitherEraHost) -> None:
    assert [resource.name for resource in (await host.client.list_resources()).resources] == ["note", "blob"]
    assert len((await host.client.list_resource_templates()).resource_templates) == 1
    row = (await host.client.read_resource("pairing://row/7")).contents[0]
    assert isinstance(row, types.TextResourceContents)
    assert row.text == "grüezi from pairing://row/7"
    blob = (await host.client.read_resource("pairing://blob")).contents[0]
    assert isinstance(blob, types.BlobResourceContents)
    assert blob.blob == "AAECAw=="
    with pytest.raises(MCPError) as missing:
        await host.client.read_resource("pairing://nowhere")
    # The code of a resource that is not there became another in 2026-07-28.
    assert missing.value.code in ({types.INVALID_PARAMS} if host.era == "modern" else {-32002, types.INVALID_PARAMS})
    assert missing.value.data == {"uri": "pairing://nowhere"}


async def test_a_subscribed_resource_is_told_and_no_other(host: EitherEraHost) -> None:
    async with host.watching(NOTE, "pairing://row/1"):
        await host.call("touch", uri="pairing://row/2")
        await host.until_told(lambda: bool(host.received(types.ResourceUpdatedNotification)), "touch", uri=NOTE)
        assert {update.params.uri for update in host.received(types.ResourceUpdatedNotification)} == {NOTE}


async def test_a_resource_is_told_no_more_after_it_is_unsubscribed(host: EitherEraHost) -> None:
    async with host.watching(NOTE):
        await host.until_told(lambda: bool(host.received(types.ResourceUpdatedNotification)), "touch", uri=NOTE)
    async with host.watching("pairing://row/1"):

        def told(uri: str) -> int:
            return sum(update.params.uri == uri for update in host.received(types.ResourceUpdatedNotification))

        await host.until_told(lambda: told("pairing://row/1") > 0, "touch", uri="pairing://row/1")
        before = told(NOTE)
        await host.call("touch", uri=NOTE)
        # What comes after it has come: so it would have come too.
        after = told("pairing://row/1")
        await host.until_told(lambda: told("pairing://row/1") > after, "touch", uri="pairing://row/1")
        assert told(NOTE) == before


async def test_changed_lists_are_told(host: EitherEraHost) -> None:
    kinds = (
        types.ToolListChangedNotification,
        types.PromptListChangedNotification,
        types.ResourceListChangedNotification,
    )
    async with host.watching():
        await host.until_told(lambda: all(host.received(kind) for kind in kinds), "announce")


async def test_a_tool_that_was_added_is_listed_and_called(host: EitherEraHost, pair: Pair) -> None:
    name = f"learned-by-{pair}"
    async with host.watching():
        assert name not in await host.tool_names()
        await host.until_told(lambda: bool(host.received(types.ToolListChangedNotification)), "learn", name=name)
        assert name in await host.tool_names()
        assert await host.call(name) == name


async def test_prompts_are_listed_and_got(host: EitherEraHost) -> None:
    assert [prompt.name for prompt in (await host.client.list_prompts()).prompts] == ["greet"]
    asked = await host.client.get_prompt("greet", {"who": "Zoë"})
    assert asked.messages[0].content == types.TextContent(type="text", text="Greet Zoë")


async def test_arguments_are_completed(host: EitherEraHost) -> None:
    found = await host.client.complete(
        types.PromptReference(type="ref/prompt", name="greet"), {"name": "who", "value": "al"}
    )
    assert found.completion.values == ["alma", "alois"]


async def test_log_messages_come_from_the_level_that_was_asked_for(host: EitherEraHost) -> None:
    meta = types.RequestParamsMeta(**await host.log_from("warning"))  # type: ignore[typeddict-item]
    await host.client.call_tool("log", {"data": {"é": [1]}}, meta=meta)
    await host.until(lambda: len(host.logs) >= 2, "log messages")
    assert [log.level for log in host.logs] == list(LEVELS[2:])
    assert all(log.data == {"é": [1]} and log.logger == "pairing" for log in host.logs)


async def test_an_argument_that_belongs_in_a_header_is_there_too(host: EitherEraHost, pair: Pair) -> None:
    # Which arguments do is known from the list of the tools (MCP 2026-07-28, Custom Headers from Tool Parameters).
    await host.tool_names()
    header = await host.call("route", region="zürich")
    is_modern = pair.server == "modern" or (pair.server == "dual" and pair.host == "modern")
    assert header == ("=?base64?esO8cmljaA==?=" if is_modern else None)


async def test_a_host_that_cannot_be_asked_gets_an_error_and_is_served_on(connect: Connect) -> None:
    async with connect(can_be_asked=False) as host:
        for tool, arguments in (("elicit", {"message": "?"}), ("sample", {"prompt": "?"}), ("roots", {})):
            with pytest.raises(MCPError):
                await host.call(tool, **arguments)
        assert await host.call("echo", still=1) == {"still": 1}


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18"])
async def test_a_host_of_an_older_revision_is_served_by_a_modern_server(origin: str, version: str) -> None:
    async with reference_host(f"{origin}/modern", version=version) as host:
        assert {tool.name for tool in (await host.session.list_tools()).tools} <= set(HANDLERS)
        assert await host.call("echo", version=version) == {"version": version}


async def test_a_host_that_leaves_is_gone_within_two_seconds(connect: Connect) -> None:
    async with connect() as host:
        await host.call("echo")
        left = anyio.current_time()
    # The reference client kills what has not left within two seconds of the end of its input.
    assert anyio.current_time() - left < stretched(2)
