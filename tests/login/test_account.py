"""Asking who is signed in, and revoking tokens."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import pytest

from bridge.login.account import NO_REVOCATION, NOTHING_TO_REVOKE, REVOKED, revoke, whoami
from bridge.oauth.client import Client
from bridge.oauth.errors import Silent
from bridge.oauth.record import Record
from tests.login.fake_auth_http import ISSUER, SERVER, Answer, FakeWeb, reply
from tests.oauth.test_claims import token

pytestmark = pytest.mark.anyio

REVOKE = f"{ISSUER}/revoke"
USERINFO = f"{ISSUER}/me"
GONE = reply(b"", 200, "")
UNSUPPORTED = reply({"error": "unsupported_token_type"}, 400)


def record(**changes: Any) -> Record:
    made: dict[str, Any] = {
        "server": SERVER,
        "profile": "default",
        "resource": SERVER,
        "issuer": ISSUER,
        "token_endpoint": f"{ISSUER}/coin",
        "revocation_endpoint": REVOKE,
        "userinfo_endpoint": USERINFO,
        "client": Client(client_id="me", kind="dynamic"),
        "access_token": "planted-access",
        "refresh_token": "planted-refresh",
        **changes,
    }
    return Record(**made)


async def revoking(*answers: Answer, **changes: Any) -> tuple[str, list[dict[str, str]]]:
    """How it went, and what was asked."""
    http = FakeWeb({REVOKE: list(answers)})
    concealed: list[str] = []
    said = await revoke(http.as_web, record(**changes), concealed.append)
    assert "planted" not in said
    asked = [dict(parse_qsl(content.decode())) for _, content, _ in http.posted]
    assert {form["token"] for form in asked} <= set(concealed)
    return said, asked


async def test_the_refresh_token_is_taken_back_and_then_the_access_token() -> None:
    said, asked = await revoking(GONE)
    assert said == REVOKED
    assert asked == [
        {"token": "planted-refresh", "token_type_hint": "refresh_token", "client_id": "me"},
        {"token": "planted-access", "token_type_hint": "access_token", "client_id": "me"},
    ]


async def test_a_client_with_a_secret_shows_it() -> None:
    http = FakeWeb({REVOKE: GONE})
    client = Client(client_id="me", kind="static", secret="planted-secret", auth_method="client_secret_basic")
    concealed: list[str] = []
    assert await revoke(http.as_web, record(client=client), concealed.append) == REVOKED
    assert all(headers["Authorization"].startswith("Basic ") for _, _, headers in http.posted)
    assert "planted-secret" in concealed


async def test_a_server_without_the_endpoint_is_asked_nothing() -> None:
    assert await revoking(GONE, revocation_endpoint=None) == (NO_REVOCATION, [])


async def test_without_tokens_nothing_is_asked() -> None:
    assert await revoking(GONE, access_token="", refresh_token="") == (NOTHING_TO_REVOKE, [])


async def test_an_access_token_that_cannot_be_taken_back_ends_by_itself() -> None:
    said, asked = await revoking(GONE, UNSUPPORTED)
    assert (said, len(asked)) == (REVOKED, 2)


async def test_a_refresh_token_that_cannot_be_taken_back_is_told_of() -> None:
    said, asked = await revoking(UNSUPPORTED, GONE)
    assert said.startswith("could not be revoked: The revocation endpoint https://as.example/revoke answered status 4")
    assert len(asked) == 2


async def test_an_access_token_alone_that_cannot_be_taken_back_is_told_of() -> None:
    said, _ = await revoking(UNSUPPORTED, refresh_token="")
    assert said.startswith("could not be revoked: ")


async def test_who_does_not_answer_is_not_waited_for_twice() -> None:
    said, asked = await revoking(Silent("The revocation endpoint did not come within 20 seconds."))
    assert said == "could not be revoked: The revocation endpoint did not come within 20 seconds."
    assert len(asked) == 1


async def test_a_short_time_is_waited_and_it_is_asked_once_more() -> None:
    busy = reply(b"", 503, retry_after="0")
    assert (await revoking(busy, GONE))[0] == REVOKED
    said, asked = await revoking(busy)
    assert said.startswith(
        "could not be revoked: The revocation endpoint https://as.example/revoke answered status 503"
    )
    assert len(asked) == 2


async def test_an_id_token_tells_without_a_request() -> None:
    http = FakeWeb({USERINFO: reply({"sub": "1", "name": "B"})})
    assert await whoami(http.as_web, record(id_token=token(sub="1", name="A"))) == "A"
    assert http.asked == []


async def test_else_the_userinfo_endpoint_is_asked_with_the_token() -> None:
    http = FakeWeb({USERINFO: reply({"sub": "1", "name": "B"})})
    assert await whoami(http.as_web, record()) == "B"
    assert http.got == [(USERINFO, {"Authorization": "Bearer planted-access"})]


@pytest.mark.parametrize(
    "answer", [Silent("It does not answer."), reply({"error": "invalid_token"}, 401), reply(b"x")], ids=range(3)
)
async def test_where_nobody_says_nothing_is_said(answer: Answer) -> None:
    assert await whoami(FakeWeb({USERINFO: answer}).as_web, record()) == ""


@pytest.mark.parametrize("changes", [{"userinfo_endpoint": None}, {"access_token": ""}], ids=["endpoint", "token"])
async def test_without_an_endpoint_or_a_token_nobody_is_asked(changes: dict[str, Any]) -> None:
    http = FakeWeb({USERINFO: reply({"sub": "1"})})
    assert await whoami(http.as_web, record(**changes)) == ""
    assert http.asked == []
