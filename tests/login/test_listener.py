"""One wait for one answer, among whatever else reaches the port."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.login import listener as listener_module
from bridge.login.listener import MAX_CONNECTIONS, Arrival, CallbackListener, CallbackPortTaken
from bridge.login.ports import bind_pair
from tests.login.test_ports import needs_ipv6
from tests.login.token_endpoint_answers import DEADLINE, Asker, ask, head, right, until
from tests.support.ports import free_port
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio


@pytest.fixture
async def listener() -> AsyncIterator[CallbackListener]:
    async with await CallbackListener.bind(ports=[], exact=False, host="localhost", path="/callback") as bound:
        yield bound


def wait(listener: CallbackListener) -> asyncio.Task[Arrival[str]]:
    return asyncio.create_task(listener.receive(right, stretched(DEADLINE)))


async def answered(listener: CallbackListener) -> tuple[Arrival[str], Asker]:
    """The arrival of the right answer, and the browser that waits for its page."""
    asker = await Asker.connect(listener.port)
    await asker.send(head("/callback?code=right", listener.port))
    return await listener.receive(right, stretched(DEADLINE)), asker


async def test_the_redirect_uri_names_the_bound_port() -> None:
    port = free_port()
    async with await CallbackListener.bind(ports=[port], exact=False, host="127.0.0.1", path="/oauth/cb") as listener:
        assert listener.port == port
        assert listener.redirect_uri == f"http://127.0.0.1:{port}/oauth/cb"


@pytest.mark.parametrize(
    ("host", "named"), [("localhost", "localhost"), ("::1", "[::1]"), ("[::1]", "[::1]"), ("me.example", "me.example")]
)
async def test_the_redirect_uri_names_the_host_that_was_given(host: str, named: str) -> None:
    async with await CallbackListener.bind(ports=[], exact=False, host=host, path="/callback") as listener:
        assert listener.redirect_uri == f"http://{named}:{listener.port}/callback"
        request = head("/callback?code=right", listener.port, host=f"{named}:{listener.port}")
        asking = asyncio.create_task(ask(listener.port, request))
        (await listener.receive(right, stretched(DEADLINE))).respond(b"page")
        assert (await asking).body == b"page"


def test_http_s_own_port_may_be_left_out() -> None:
    assert "localhost" in CallbackListener(80, "localhost", "/")._hosts
    assert "localhost" not in CallbackListener(8080, "localhost", "/")._hosts


async def test_a_taken_exact_port_is_an_error(listener: CallbackListener) -> None:
    with pytest.raises(CallbackPortTaken, match="this program"):
        await CallbackListener.bind(ports=[listener.port], exact=True, host="localhost", path="/callback")


@needs_ipv6
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_an_answer_comes_on_either_address(listener: CallbackListener, address: str) -> None:
    waiting = wait(listener)
    asking = asyncio.create_task(ask(listener.port, head("/callback?code=right", listener.port), address))
    arrival = await waiting
    assert arrival.value == "the answer"
    assert not asking.done()
    arrival.respond(b"<p>page</p>")
    answer = await asking
    assert (answer.status, answer.body) == (200, b"<p>page</p>")


async def test_the_page_may_have_a_status(listener: CallbackListener) -> None:
    arrival, asker = await answered(listener)
    arrival.respond(b"no", 400)
    assert (await asker.answer()).status == 400


async def test_only_the_first_page_counts(listener: CallbackListener) -> None:
    arrival, asker = await answered(listener)
    arrival.respond(b"first")
    arrival.respond(b"second", 500)
    assert (await asker.answer()).body == b"first"


async def test_a_wrong_answer_ends_nothing(listener: CallbackListener) -> None:
    waiting = wait(listener)
    for target in ("/callback", "/callback?code=wrong", "/callback?error=access_denied", "/other?code=right"):
        answer = await ask(listener.port, head(target, listener.port))
        assert answer.status in {400, 404}
        assert "code=right" not in answer.text
    assert not waiting.done()
    asking = asyncio.create_task(ask(listener.port, head("/callback?code=right", listener.port)))
    (await waiting).respond(b"page")
    assert (await asking).body == b"page"


async def test_a_faster_browser_is_judged_when_somebody_waits(listener: CallbackListener) -> None:
    wrong, good = await Asker.connect(listener.port), await Asker.connect(listener.port)
    await wrong.send(head("/callback?code=wrong", listener.port))
    await good.send(head("/callback?code=right", listener.port))
    await until(lambda: len(listener._kept) == 2)
    arrival = await listener.receive(right, stretched(DEADLINE))
    assert (await wrong.answer()).status == 400
    arrival.respond(b"page")
    assert (await good.answer()).body == b"page"


async def test_a_browser_that_went_away_has_answered_all_the_same(listener: CallbackListener) -> None:
    asker = await Asker.connect(listener.port)
    await asker.send(head("/callback?code=right", listener.port))
    await until(lambda: len(listener._kept) == 1)
    asker.reset()
    await until(lambda: not listener._connections)
    arrival = await listener.receive(right, stretched(DEADLINE))
    arrival.respond(b"nobody sees it")


async def test_a_browser_may_go_away_before_its_page(listener: CallbackListener) -> None:
    arrival, asker = await answered(listener)
    asker.reset()
    await until(lambda: not listener._connections)
    arrival.respond(b"nobody sees it")
    # But who asks again sees it: the same tab, loaded anew.
    assert (await ask(listener.port, head("/callback?code=right", listener.port))).body == b"nobody sees it"


async def test_the_same_answer_again_gets_the_same_page(listener: CallbackListener) -> None:
    arrival, asker = await answered(listener)
    again = await Asker.connect(listener.port)
    await again.send(head("/callback?code=right", listener.port))
    await until(
        lambda: len(listener._connections) == 2 and all(one.stage == "waiting" for one in listener._connections)
    )
    arrival.respond(b"page")
    assert [(await one.answer()).body for one in (asker, again)] == [b"page", b"page"]


@pytest.mark.parametrize("query", ["code=other", "", "code=right&more"])
async def test_another_answer_is_told_that_there_is_one(listener: CallbackListener, query: str) -> None:
    arrival, asker = await answered(listener)
    assert (await ask(listener.port, head(f"/callback?{query}", listener.port))).status == 409
    arrival.respond(b"page")
    assert (await ask(listener.port, head(f"/callback?{query}", listener.port))).status == 409
    assert (await asker.answer()).body == b"page"


async def test_a_second_wait_has_an_answer_of_its_own(listener: CallbackListener) -> None:
    first, asker = await answered(listener)
    second = asyncio.create_task(listener.receive(lambda query: query if "new" in query else None, stretched(DEADLINE)))
    await until(lambda: listener._consider is not None)
    first.respond(b"first")
    assert (await asker.answer()).body == b"first"
    assert (await ask(listener.port, head("/callback?code=right", listener.port))).status == 400
    asking = asyncio.create_task(ask(listener.port, head("/callback?new", listener.port)))
    arrival = await second
    first.respond(b"not this one's")
    arrival.respond(b"second")
    assert (await asking).body == b"second"


async def test_a_judge_that_fails_ends_the_wait(listener: CallbackListener) -> None:
    def judge(query: str) -> str | None:
        raise ValueError(query)

    asking = asyncio.create_task(ask(listener.port, head("/callback?code=secret", listener.port)))
    with pytest.raises(ValueError, match="code=secret"):
        await listener.receive(judge, stretched(DEADLINE))
    answer = await asking
    assert answer.status == 500
    assert b"secret" not in answer.body


async def test_falsy_values_are_values(listener: CallbackListener) -> None:
    asking = asyncio.create_task(ask(listener.port, head("/callback", listener.port)))
    arrival = await listener.receive(lambda query: query, stretched(DEADLINE))
    assert arrival.value == ""
    arrival.respond(b"")
    assert (await asking).body == b""


async def test_nobody_comes(listener: CallbackListener) -> None:
    with pytest.raises(TimeoutError):
        await listener.receive(right, 0.01)


async def test_a_late_answer_is_told_that_it_is_over(listener: CallbackListener) -> None:
    with pytest.raises(TimeoutError):
        await listener.receive(right, 0.01)
    late = await Asker.connect(listener.port)
    await late.send(head("/callback?code=right", listener.port))
    await until(lambda: len(listener._kept) == 1)
    answer, _ = await asyncio.gather(late.answer(), listener.close())
    assert answer.status == 503


async def test_many_silent_connections_do_not_keep_the_browser_out(listener: CallbackListener) -> None:
    waiting = wait(listener)
    silent = [await Asker.connect(listener.port) for _ in range(MAX_CONNECTIONS + 8)]
    await until(lambda: len(listener._connections) == MAX_CONNECTIONS)
    asking = asyncio.create_task(ask(listener.port, head("/callback?code=right", listener.port)))
    arrival = await waiting
    more = [await Asker.connect(listener.port) for _ in range(MAX_CONNECTIONS * 2)]
    await until(lambda: len(listener._connections) == MAX_CONNECTIONS)
    arrival.respond(b"page")
    assert (await asking).body == b"page"
    assert await silent[0].ended() == b""
    for one in [*silent, *more]:
        one.reset()


async def test_many_early_answers_are_kept_in_bounds(listener: CallbackListener) -> None:
    askers = []
    for n in range(MAX_CONNECTIONS + 4):
        askers.append(await Asker.connect(listener.port))
        await askers[-1].send(head(f"/callback?n={n}", listener.port))
        await until(lambda n=n: [query for _, query in listener._kept][-1:] == [f"n={n}"])  # type: ignore[misc]
    assert len(listener._connections) == len(listener._kept) == MAX_CONNECTIONS
    for asker in askers:
        asker.reset()


async def test_a_browser_that_was_early_outlasts_silent_connections(listener: CallbackListener) -> None:
    asker = await Asker.connect(listener.port)
    await asker.send(head("/callback?code=right", listener.port))
    await until(lambda: len(listener._kept) == 1)
    silent = [await Asker.connect(listener.port) for _ in range(MAX_CONNECTIONS + 8)]
    await until(lambda: len(listener._connections) == MAX_CONNECTIONS)
    assert await silent[0].ended() == b""
    (await listener.receive(right, stretched(DEADLINE))).respond(b"page")
    assert (await asker.answer()).body == b"page"
    for one in silent:
        one.reset()


async def test_the_first_browser_outlasts_its_own_repetitions(listener: CallbackListener) -> None:
    arrival, asker = await answered(listener)
    outcome = listener._outcome
    assert outcome is not None
    again = []
    for n in range(MAX_CONNECTIONS + 4):
        again.append(await Asker.connect(listener.port))
        await again[-1].send(head("/callback?code=right", listener.port))
        await until(lambda n=n: len(outcome.sharing) == n + 2)  # type: ignore[misc]
    arrival.respond(b"page")
    assert (await asker.answer()).body == b"page"
    for one in again:
        one.reset()


async def test_an_answer_in_the_moment_of_giving_up_is_kept(listener: CallbackListener) -> None:
    waiting = wait(listener)
    await until(lambda: listener._consider is not None)
    assert listener._consider is not None
    connection = listener._new_connection()
    waiting.cancel()
    listener._consider(connection, "code=right")
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await listener.receive(right, stretched(DEADLINE))).value == "the answer"


async def test_an_answer_may_come_by_hand(listener: CallbackListener) -> None:
    assert listener.submit("code=right") == 425
    waiting = wait(listener)
    await until(lambda: listener._consider is not None)
    assert listener.submit("code=wrong") == 400
    assert not waiting.done()
    assert listener.submit("code=right") == 202
    assert [listener.submit(query) for query in ("code=right", "code=wrong")] == [409, 409]
    arrival = await waiting
    assert (await ask(listener.port, head("/callback?code=other", listener.port))).status == 409
    arrival.respond(b"page")
    # A browser with the same answer is shown the page, though it was not the one who brought it.
    assert (await ask(listener.port, head("/callback?code=right", listener.port))).body == b"page"


async def test_by_hand_it_is_too_late_in_the_moment_of_giving_up(listener: CallbackListener) -> None:
    waiting = wait(listener)
    await until(lambda: listener._consider is not None)
    waiting.cancel()
    assert listener.submit("code=right") == 425
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_by_hand_too_a_judge_that_fails_ends_the_wait(listener: CallbackListener) -> None:
    def judge(query: str) -> str | None:
        raise ValueError(query)

    waiting = asyncio.create_task(listener.receive(judge, stretched(DEADLINE)))
    await until(lambda: listener._consider is not None)
    assert listener.submit("x") == 500
    with pytest.raises(ValueError, match="x"):
        await waiting


async def test_closing_frees_the_port(listener: CallbackListener) -> None:
    arrival, asker = await answered(listener)
    arrival.respond(b"page")
    assert (await asker.answer()).body == b"page"
    await listener.close()
    await listener.close()
    for one in bind_pair(listener.port):
        one.close()


async def test_closing_lets_a_page_arrive(listener: CallbackListener) -> None:
    arrival, asker = await answered(listener)
    page = b"p" * 100_000
    arrival.respond(page)
    answer, _ = await asyncio.gather(asker.answer(), listener.close())
    assert answer.body == page


async def test_closing_does_not_wait_for_who_does_not_read(
    monkeypatch: pytest.MonkeyPatch, listener: CallbackListener
) -> None:
    monkeypatch.setattr(listener_module, "CLOSE_TIMEOUT", 0.05)
    arrival, asker = await answered(listener)
    silent = await Asker.connect(listener.port)
    arrival.respond(b"p" * 100)
    async with asyncio.timeout(stretched(DEADLINE)):
        await listener.close()
    assert await silent.ended() == b""
    asker.reset()
    await until(lambda: not listener._connections)


async def test_leaving_a_wait_leaves_nothing_behind(listener: CallbackListener) -> None:
    waiting = wait(listener)
    await until(lambda: listener._consider is not None)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert listener._consider is None
    arrival, asker = await answered(listener)
    arrival.respond(b"page")
    assert (await asker.answer()).body == b"page"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=30), max_size=4))
def test_every_query_reaches_the_judge_as_it_was_sent(queries: list[str]) -> None:
    judged: list[str] = []

    def judge(query: str) -> str | None:
        judged.append(query)
        return query if query == "the right one" or len(judged) > len(queries) else None

    async def play() -> None:
        async with await CallbackListener.bind(ports=[], exact=False, host="localhost", path="/cb") as listener:
            waiting = asyncio.create_task(listener.receive(judge, stretched(DEADLINE)))
            for query in queries:
                assert (await ask(listener.port, head(f"/cb?{query}", listener.port))).status == 400
            asking = asyncio.create_task(ask(listener.port, head("/cb?end", listener.port)))
            arrival = await waiting
            assert arrival.value == "end"
            arrival.respond(b"page")
            await asking

    asyncio.run(play())
    assert judged == [*queries, "end"]
