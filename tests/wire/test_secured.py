"""TLS as real equipment speaks it: client certificates, versions, protocols, certificates that no one vouches for."""

from __future__ import annotations

import pytest

from bridge.session.events import BodyReceived, Cause
from tests.wire.chosen import at
from tests.wire.conftest import Here
from tests.wire.test_calls import check, message

pytestmark = pytest.mark.anyio


@pytest.mark.scene("a client certificate")
@at("mutual-1.3", "mutual-1.2")
async def test_a_client_with_its_certificate_is_served(spot: Here) -> None:
    async with spot.caller(tls=spot.tls(certified=True)) as caller:
        for number in range(5):
            check(await caller.post("/mcp", message(f"{number}")), f"{number}")


@pytest.mark.scene("no client certificate where one is demanded")
@at("mutual-1.3", "mutual-1.2")
async def test_a_client_certificate_that_is_missing_is_named_at_once(spot: Here) -> None:
    async with spot.caller() as caller:
        called = await caller.post("/mcp", message("anyone"))
        assert spot.ran(called.mark) == 0
        if isinstance(called.last, BodyReceived):  # nginx lets the client in to say so.
            assert called.status == 400
            assert b"certificate" in called.body
            return
        failure = called.failure
        assert (failure.cause, failure.sent) == (Cause.UNTRUSTED, False), failure
        assert "--client-cert" in failure.hint, failure


@pytest.mark.scene("HTTP/2 and nothing else")
@at("h2-only", "h2-only-plain")
async def test_a_server_that_speaks_http_2_only_is_named_at_once(spot: Here) -> None:
    async with spot.caller() as caller:
        called = await caller.post("/mcp", message("anyone"))
        assert spot.ran(called.mark) == 0
        failure = called.failure
        assert failure.cause in {Cause.UNTRUSTED, Cause.PROTOCOL}, failure
        assert "HTTP/2" in failure.message, failure


@pytest.mark.scene("TLS 1.1 and nothing else")
@at("tls-1.1")
async def test_a_server_that_speaks_tls_1_1_only_is_named_at_once(spot: Here) -> None:
    async with spot.caller() as caller:
        failure = (await caller.post("/mcp", message("anyone"))).failure
        assert (failure.cause, failure.sent) == (Cause.UNTRUSTED, False), failure
        assert "TLS" in failure.message
        assert "1.2" in f"{failure.message} {failure.hint}", failure


@pytest.mark.scene("a certificate that no one vouches for")
@at("self-signed")
async def test_a_certificate_of_an_unknown_authority_is_named_at_once(spot: Here) -> None:
    async with spot.caller() as caller:
        failure = (await caller.post("/mcp", message("anyone"))).failure
        assert (failure.cause, failure.sent) == (Cause.UNTRUSTED, False), failure
        assert "--ca-file" in failure.hint


@pytest.mark.scene("a private authority without --ca-file")
@at("tls")
async def test_a_private_authority_is_trusted_with_ca_file_only(spot: Here) -> None:
    async with spot.caller(tls=spot.tls(trusting=False)) as caller:
        failure = (await caller.post("/mcp", message("anyone"))).failure
        assert (failure.cause, failure.sent) == (Cause.UNTRUSTED, False), failure
        assert "--ca-file" in failure.hint


@pytest.mark.scene("https:// where http is spoken")
@at("plain")
async def test_tls_where_none_is_spoken_is_named_at_once(spot: Here) -> None:
    async with spot.caller() as caller:
        await caller.post("/mcp", message("http"))
    spoken = f"https://127.0.0.1:{spot.port}"
    async with type(caller)(spoken, tls=spot.tls()) as secure:
        failure = (await secure.post("/mcp", message("anyone"))).failure
        assert (failure.cause, failure.sent) == (Cause.UNTRUSTED, False), failure
        assert "http://" in failure.hint, failure


@pytest.mark.scene("http:// where https is spoken")
@at("tls")
async def test_http_where_tls_is_spoken_comes_to_an_end(spot: Here) -> None:
    async with spot.caller() as secure, type(secure)(f"http://127.0.0.1:{spot.port}") as caller:
        called = await caller.post("/mcp", message("anyone"))
        assert spot.ran(called.mark) == 0
        if isinstance(called.last, BodyReceived):
            assert called.status == 400, called.told()
        else:
            assert called.failure.cause in {Cause.LOST, Cause.PROTOCOL, Cause.UNTRUSTED}, called.told()
