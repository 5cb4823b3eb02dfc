"""Calls, streams and bodies of all sizes, at gateways before the origin and at servers that answer themselves."""

from __future__ import annotations

import asyncio
import hashlib
import json

import pytest

from bridge.session.events import Cause, StreamClosed
from tests.support.servers.fault_http import Bell
from tests.wire import paths
from tests.wire.caller import Called, Caller
from tests.wire.chosen import at, by_the_script, in_a_moment
from tests.wire.conftest import Here

pytestmark = pytest.mark.anyio

MB = 1 << 20
SIZES = {"34-mb": 34 * MB, "1.1-mb": 11 * MB // 10, "300-kb": 300_000, "1-kb": 1000}
TRIED = [size for size in SIZES if size != "34-mb" or not in_a_moment()]


def message(text: str) -> bytes:
    """A call of the small MCP server's tool."""
    call = {"name": paths.TOOL, "arguments": {"text": text}}
    return json.dumps({"jsonrpc": "2.0", "id": text, "method": "tools/call", "params": call}).encode()


def check(called: Called, text: str) -> None:
    """The answer is that call's own."""
    answer = called.result
    assert isinstance(answer, dict)
    assert answer["id"] == text
    assert json.loads(answer["result"]["content"][0]["text"]) == {"text": text}


@pytest.mark.scene("100 calls in a row")
@at("plain", "tls")
async def test_calls_in_a_row_each_get_their_own_answer(spot: Here) -> None:
    async with spot.caller() as caller:
        for number in range(100):
            called = await caller.post("/mcp", message(f"{number}"))
            check(called, f"{number}")
            assert spot.ran(called.mark) == 1


@pytest.mark.scene("20 at once, five times")
@at("plain", "tls")
async def test_calls_at_once_each_get_their_own_answer(spot: Here) -> None:
    async with spot.caller() as caller:
        for turn in range(5):
            texts = [f"{turn}.{number}" for number in range(20)]
            every = await asyncio.gather(*(caller.post("/mcp", message(text)) for text in texts))
            for called, text in zip(every, texts, strict=True):
                check(called, text)
                assert spot.ran(called.mark) == 1


@pytest.mark.scene("a notification, and then a call")
@at("plain", "tls")
async def test_a_notification_leaves_the_connection_for_the_next_call(spot: Here) -> None:
    async with spot.caller() as caller:
        for number in range(10):
            told = await caller.post("/mcp", b'{"jsonrpc": "2.0", "method": "notifications/initialized"}')
            assert told.status == 202, told.told()
            check(await caller.post("/mcp", message(f"{number}")), f"{number}")


@pytest.mark.scene("a stream, as it comes")
@at("plain", "tls")
async def test_events_come_as_they_are_sent(spot: Here) -> None:
    async with spot.caller() as caller:
        called = await caller.post("/events/5/200")
        numbers, times = [json.loads(data)["n"] for _, data in called.events], [at for at, _ in called.events]
        assert numbers == [0, 1, 2, 3, 4], called.told()
        assert isinstance(called.last, StreamClosed), called.told()
        assert times[-1] - times[0] > 0.5, f"the events came together: {times}"
        check(await caller.post("/mcp", message("after")), "after")


@pytest.mark.scene("a stream through a gateway that collects")
@at("holding", "packing")
async def test_no_event_is_lost_where_a_gateway_collects_them(spot: Here) -> None:
    async with spot.caller(headers=[(b"accept-encoding", b"gzip")]) as caller:
        called = await caller.post("/events/5/50")
        assert [json.loads(data)["n"] for _, data in called.events] == [0, 1, 2, 3, 4], called.told()
        assert isinstance(called.last, StreamClosed), called.told()


@pytest.mark.scene("a standing GET beside 50 calls")
@at("plain", "tls")
async def test_a_standing_stream_leaves_room_for_calls(spot: Here) -> None:
    async with spot.caller() as caller:
        standing = asyncio.create_task(caller.run(b"GET", "/events/8/100", None))
        for number in range(50):
            check(await caller.post("/mcp", message(f"{number}")), f"{number}")
        assert len((await standing).events) == 8


@pytest.mark.scene("a GET that is given up")
@at("plain", "tls", serves=False)
async def test_a_stream_that_is_given_up_ends_at_the_server(spot: Here) -> None:
    before = spot.origin.streams
    async with spot.caller() as caller:
        standing = asyncio.create_task(caller.run(b"GET", "/events/1000/100", None))
        await until(lambda: spot.origin.streams > before, "the stream at the origin")
        standing.cancel()
        await asyncio.gather(standing, return_exceptions=True)
        await until(lambda: spot.origin.streams == before, "the end of the stream at the origin")
        check(await caller.post("/mcp", message("after")), "after")


@pytest.mark.scene("a body of known length")
@at("plain", "tls")
@pytest.mark.parametrize("size", TRIED)
async def test_a_body_of_known_length_comes_whole(spot: Here, size: str) -> None:
    await fetch(spot.caller(), f"/sized/{SIZES[size]}", SIZES[size])


@pytest.mark.scene("a chunked body")
@at("plain", "tls")
@pytest.mark.parametrize("size", TRIED)
async def test_a_chunked_body_comes_whole(spot: Here, size: str) -> None:
    await fetch(spot.caller(), f"/chunked/{SIZES[size]}", SIZES[size])


@pytest.mark.scene("a body that the equipment compresses")
@at("packing")
@pytest.mark.parametrize("size", TRIED)
async def test_a_compressed_body_comes_whole(spot: Here, size: str) -> None:
    caller = spot.caller(headers=[(b"accept-encoding", b"gzip")])
    await fetch(caller, f"/sized/{SIZES[size]}", SIZES[size])


async def fetch(caller: Caller, path: str, size: int) -> None:
    async with caller:
        for turn in ("first", "again"):
            assert_same(await caller.post(path, deadline=60), size)
            check(await caller.post("/mcp", message(turn)), turn)


def assert_same(called: Called, size: int) -> None:
    """The body came whole; without megabytes of explanation where it did not."""
    assert called.status == 200, called.told()
    body, expected = called.body, paths.sized(size)
    same = body == expected
    assert same, f"{len(body)} bytes of {len(expected)}: {body[:60]!r}"


@pytest.mark.scene("34 MB beside 1.1 MB, then calls")
@at("plain", "tls")
@pytest.mark.parametrize("framing", ["sized", "chunked"])
async def test_large_bodies_at_once_leave_every_connection_usable(spot: Here, framing: str) -> None:
    async with spot.caller() as caller:
        for turn in range(2):
            sizes = (SIZES["34-mb"], SIZES["1.1-mb"], SIZES["1.1-mb"])
            every = await asyncio.gather(*(caller.post(f"/{framing}/{size}", deadline=60) for size in sizes))
            for called, size in zip(every, sizes, strict=True):
                assert_same(called, size)
            texts = [f"{turn}.{number}" for number in range(4)]
            after = await asyncio.gather(*(caller.post("/mcp", message(text)) for text in texts))
            for called, text in zip(after, texts, strict=True):
                check(called, text)


@by_the_script
@pytest.mark.scene("60 bodies of 1.15 MB at once, then calls")
@at("tls")
async def test_many_bodies_at_once_leave_every_connection_usable(spot: Here) -> None:
    size = 1_150_000
    async with spot.caller() as caller:
        for called in await asyncio.gather(*(caller.post(f"/sized/{size}", deadline=90) for _ in range(60))):
            assert_same(called, size)
        texts = [f"{number}" for number in range(60)]
        after = await asyncio.gather(*(caller.post("/mcp", message(text)) for text in texts))
        for called, text in zip(after, texts, strict=True):
            check(called, text)


@by_the_script
@pytest.mark.scene("an upload of 34 MB")
@at("plain", "tls")
async def test_a_large_upload_arrives_whole(spot: Here) -> None:
    body = paths.sized(SIZES["34-mb"])
    async with spot.caller() as caller:
        called = await caller.post("/length", body, deadline=60)
        assert called.result == {"length": len(body), "sha256": hashlib.sha256(body).hexdigest()}


@pytest.mark.scene("an answer that breaks off")
@at("plain")
async def test_an_answer_that_breaks_off_is_told_as_such(spot: Here) -> None:
    async with spot.caller() as caller:
        failure = (await caller.post("/dies/within")).failure
        assert (failure.cause, failure.sent) == (Cause.TRUNCATED, True), failure
        check(await caller.post("/mcp", message("after")), "after")


@pytest.mark.scene("a stream that breaks off")
@at("plain")
async def test_a_stream_that_breaks_off_is_closed_after_its_events(spot: Here) -> None:
    async with spot.caller() as caller:
        called = await caller.post("/dies/stream")
        assert [json.loads(data)["n"] for _, data in called.events] == [0, 1], called.told()
        assert isinstance(called.last, StreamClosed), called.told()
        check(await caller.post("/mcp", message("after")), "after")


async def until(condition: object, what: str) -> None:
    """Wait for what another thread changes."""
    bell = Bell()
    ringing = asyncio.create_task(_ring(bell))
    try:
        await bell.until(condition, what)  # type: ignore[arg-type]
    finally:
        ringing.cancel()


async def _ring(bell: Bell) -> None:
    while True:
        await asyncio.sleep(0.02)
        bell.ring()
