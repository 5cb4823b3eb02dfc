"""Answers that the equipment gives by itself: before it has read the body, or for an origin that fails."""

from __future__ import annotations

import hashlib

import pytest

from bridge.remote.credentials import Credential
from bridge.session.events import BodyReceived
from tests.support.in_process.remote_credentials import Guard
from tests.support.waits import stretched
from tests.wire import paths
from tests.wire.chosen import at
from tests.wire.conftest import Here

pytestmark = pytest.mark.anyio

MB = 1 << 20
SOON = 5.0
"""Seconds within which a refusal has to be told: far less than patience, in which a lost upload is tried again."""
BODIES = {"1-kb": 1000, "200-kb": 200_000, "8-mb": 8 * MB}


@pytest.mark.scene("413 before the body is read")
@at("small")
@pytest.mark.parametrize("size", ["200-kb", "8-mb"])
async def test_a_body_over_the_limit_is_refused_once_and_told(spot: Here, size: str) -> None:
    async with spot.caller() as caller:
        called = await caller.post("/length", paths.sized(BODIES[size]))
        assert called.status == 413, called.told()
        assert called.seconds < stretched(SOON)
        assert spot.ran(called.mark) == 0
        assert (await caller.post("/length", b"{}")).status == 200


@pytest.mark.scene("401 before the body is read")
@at("guarded")
@pytest.mark.parametrize("size", BODIES)
async def test_a_request_without_a_token_is_refused_once_and_told(spot: Here, size: str) -> None:
    async with spot.caller() as caller:
        called = await caller.post("/length", paths.sized(BODIES[size]))
        assert called.status == 401, called.told()
        assert called.seconds < stretched(SOON)
        assert spot.ran(called.mark) == 0


@pytest.mark.scene("401, a token, and the body again")
@at("guarded")
@pytest.mark.parametrize("size", BODIES)
async def test_a_refusal_gets_a_token_and_the_body_is_sent_once_more(spot: Here, size: str) -> None:
    body = paths.sized(BODIES[size])
    guard = Guard(Credential(1, None))
    async with spot.caller(authorization=guard) as caller:
        called = await caller.post("/length", body)
        assert called.result == {"length": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        assert [refusal.status for refusal in guard.refusals] == [401]
        assert guard.refusals[0].challenges == ("Bearer",)
        assert spot.ran(called.mark) == 1
        assert called.seconds < stretched(SOON)


@pytest.mark.scene("an origin that is down: 502, 503")
@at("down")
async def test_an_origin_that_is_down_is_told_by_status(spot: Here) -> None:
    async with spot.caller() as caller:
        for _ in range(3):
            called = await caller.post("/mcp")
            assert called.status in {502, 503}, called.told()
            assert isinstance(called.last, BodyReceived)
            assert b"json" not in called.last.content_type


@pytest.mark.scene("an origin that does not answer: 504")
@at("slow")
async def test_an_origin_that_does_not_answer_is_told_by_status(spot: Here) -> None:
    async with spot.caller() as caller:
        called = await caller.post("/never")
        assert called.status in {502, 504}, called.told()
        assert called.seconds < stretched(SOON)
        assert (await caller.post("/length")).status == 200


@pytest.mark.scene("an origin that closes without an answer")
@at("plain", serves=False)
async def test_an_origin_that_closes_without_an_answer_is_told_by_status(spot: Here) -> None:
    async with spot.caller() as caller:
        called = await caller.post("/dies/now")
        assert called.status == 502, called.told()
        assert (await caller.post("/length")).status == 200
