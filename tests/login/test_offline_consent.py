"""A sign-in that brought no refresh token is followed by one that asks for consent, once."""

from typing import Any

import pytest

from bridge.oauth.record import Record
from tests.login.fake_auth_http import ISSUER, FakeWeb, reply
from tests.login.signing_in import GRANT, Flow, site

pytestmark = pytest.mark.anyio

NO_REFRESH = {name: value for name, value in GRANT.items() if name != "refresh_token"}


def flow_of(monkeypatch: pytest.MonkeyPatch, *, helps: bool, **settings: Any) -> Flow:
    """A server that gives a refresh token only after consent, where that `helps`."""
    flow = Flow(monkeypatch, FakeWeb(site()), scope="openid offline_access", **settings)

    def grant(_: bytes) -> Any:
        return reply(GRANT if helps and flow.asked().get("prompt") == "consent" else NO_REFRESH)

    flow.http.pages[f"{ISSUER}/coin"] = grant
    return flow


async def prompts_of(flow: Flow, count: int) -> tuple[list[str | None], Record]:
    previous: Record | None = None
    for _ in range(count):
        kept = await flow.run(previous=previous)
        previous = kept.without_tokens()
    return [flow.asked(tab).get("prompt") for tab in range(count)], kept


async def test_where_consent_helps_it_is_asked_for_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    prompts, kept = await prompts_of(flow_of(monkeypatch, helps=True), 3)
    assert prompts == [None, "consent", "consent"]
    assert (kept.consent, bool(kept.refresh_token)) == ("helps", True)


async def test_where_it_does_not_help_it_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    prompts, kept = await prompts_of(flow_of(monkeypatch, helps=False), 4)
    assert prompts == [None, "consent", None, None]
    assert kept.consent == "useless"


async def test_the_users_own_prompt_wins_and_teaches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = flow_of(monkeypatch, helps=True, authorize_params=(("prompt", "login"),))
    prompts, kept = await prompts_of(flow, 2)
    assert prompts == ["login", "login"]
    assert kept.consent == "wanted"
