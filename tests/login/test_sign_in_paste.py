"""An answer that the user pastes, while the browser may bring it too."""

import asyncio

import pytest

from bridge.oauth.errors import SignInError, SignInRefused
from tests.login.signing_in import Flow, agrees, leaves, refuses
from tests.login.token_endpoint_answers import until

pytestmark = pytest.mark.anyio


async def waiting(monkeypatch: pytest.MonkeyPatch) -> "tuple[Flow, asyncio.Task[object]]":
    """A sign-in whose tab is open, and in which the user does not answer."""
    flow = Flow(monkeypatch)
    flow.deeds = [leaves]
    running: asyncio.Task[object] = asyncio.create_task(flow.run())
    await until(lambda: len(flow.opened) == 1)
    return flow, running


async def test_what_is_pasted_is_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    flow, running = await waiting(monkeypatch)
    assert flow.paste(agrees(flow.asked())) == ""
    await running
    assert (flow.kept[-1].access_token, flow.answers, flow.pages) == ("access-1", 1, [])
    assert [form["code"] for form in flow.forms()] == ["the-code"]
    assert "the-code" in flow.concealed


async def test_a_refusal_may_be_pasted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    flow, running = await waiting(monkeypatch)
    assert flow.paste(refuses("access_denied")(flow.asked()) or {}) == ""
    with pytest.raises(SignInRefused, match="access_denied"):
        await running


async def test_the_issuer_is_compared_in_what_is_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    flow, running = await waiting(monkeypatch)
    assert flow.paste({**agrees(flow.asked()), "iss": "https://hostile.example"}) == ""
    with pytest.raises(SignInError, match=r"hostile\.example"):
        await running
    assert flow.forms() == []


@pytest.mark.parametrize(
    "change", [{"state": "foreign"}, {"state": ""}, {"code": ""}], ids=["foreign-state", "no-state", "no-code"]
)
async def test_what_is_not_the_answer_changes_nothing(change: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    flow, running = await waiting(monkeypatch)
    right = agrees(flow.asked())
    problem = flow.paste({**right, **change})
    assert "not the answer to this sign-in" in problem
    assert right["state"] not in problem
    assert not running.done()
    assert flow.paste(right) == ""
    await running


async def test_the_answer_of_the_sign_in_before_is_not_this_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    flow, running = await waiting(monkeypatch)
    old = agrees(flow.asked())
    flow.paste(old)
    await running
    flow.deeds = [leaves]
    again = asyncio.create_task(flow.run())
    await until(lambda: len(flow.opened) == 2)
    assert "not the answer" in flow.paste(old)
    await flow.visit(agrees(flow.asked()))
    await again
    assert len(flow.forms()) == 2


async def test_when_it_is_over_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    flow, running = await waiting(monkeypatch)
    right = agrees(flow.asked())
    flow.paste(right)
    await running
    assert "is not waiting for an answer" in flow.paste(right)


async def test_before_anybody_is_asked_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(monkeypatch)
    gate = asyncio.Event()
    load = flow.store.load

    async def load_late(store_key: str) -> object:
        await gate.wait()
        return await load(store_key)

    monkeypatch.setattr(flow.store, "load", load_late)
    running = asyncio.create_task(flow.run())
    await until(lambda: flow.listener is not None)
    assert "is not waiting for an answer" in flow.paste({"code": "c", "state": "s"})
    gate.set()
    assert (await running).access_token == "access-1"


async def test_the_browser_that_comes_after_it_sees_how_it_went(monkeypatch: pytest.MonkeyPatch) -> None:
    flow, running = await waiting(monkeypatch)
    flow.keep_gate = asyncio.Event()
    right = agrees(flow.asked())
    assert flow.paste(right) == ""
    visit = asyncio.create_task(flow.visit(right))
    assert "already has its answer" in flow.paste(right)
    await until(lambda: shared(flow) == 2)
    flow.keep_gate.set()
    await asyncio.gather(running, visit)
    assert [page.status for page in flow.pages] == [200]
    assert len(flow.forms()) == 1


async def test_what_is_pasted_after_the_browser_is_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    flow, running = await waiting(monkeypatch)
    flow.keep_gate = asyncio.Event()
    visit = asyncio.create_task(flow.visit(agrees(flow.asked())))
    await until(lambda: flow.answers == 1)
    assert "already has its answer" in flow.paste(agrees(flow.asked()))
    flow.keep_gate.set()
    await asyncio.gather(running, visit)
    assert [page.status for page in flow.pages] == [200]
    assert len(flow.forms()) == 1


def shared(flow: Flow) -> int:
    """How many wait for the page of the answer."""
    listener = flow.listener
    return len(listener._outcome.sharing) if listener and listener._outcome else 0
