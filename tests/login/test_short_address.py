"""Short addresses: one redirect each, only for a request that knows the token, and nothing is left behind."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from bridge.login.browser import check_openable
from bridge.login.listener import CallbackListener
from bridge.login.short_address import MOST_ADDRESSES, ShortAddresses
from tests.login.token_endpoint_answers import DEADLINE, Answer, ask, head, right
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

LONG = "https://login.example/authorize?state=hidden&scope=" + "x" * 3000


@pytest.fixture
async def listener() -> AsyncIterator[CallbackListener]:
    async with await CallbackListener.bind(ports=[], exact=False, host="localhost", path="/callback") as bound:
        yield bound


async def visit(address: str, *lines: str, method: str = "GET", host: str | None = None) -> Answer:
    """Ask for a short address as a browser does."""
    parts = urlsplit(address)
    assert parts.port is not None
    return await ask(parts.port, head(parts.path, parts.port, *lines, method=method, host=host or parts.netloc))


async def test_a_short_address_leads_to_the_whole_url(listener: CallbackListener) -> None:
    address = listener.short_address(LONG)
    check_openable(address)
    assert address.startswith(f"http://127.0.0.1:{listener.port}/start/")
    assert len(address) < 100
    answer = await visit(address)
    assert (answer.status, answer.headers["location"], answer.body) == (302, LONG, b"")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_it_leads_there_once(listener: CallbackListener) -> None:
    address = listener.short_address(LONG)
    assert (await visit(address)).status == 302
    again = await visit(address)
    assert again.status == 410
    assert "location" not in again.headers
    assert "already been used" in again.text
    assert "login.example" not in again.text


async def test_each_is_another(listener: CallbackListener) -> None:
    first, second = listener.short_address(LONG), listener.short_address(LONG + "2")
    assert first != second
    assert (await visit(second)).headers["location"] == LONG + "2"
    assert (await visit(first)).headers["location"] == LONG


@pytest.mark.parametrize(
    ("lines", "method", "host", "status"),
    [
        ((), "GET", "evil.example", 421),
        ((), "POST", None, 405),
        ((), "HEAD", None, 405),
        (("Sec-Fetch-Dest: image",), "GET", None, 403),
        (("Sec-Purpose: prefetch;prerender",), "GET", None, 403),
        (("Purpose: prefetch",), "GET", None, 403),
    ],
)
async def test_what_is_no_visit_of_the_user_does_not_use_it_up(
    listener: CallbackListener, lines: tuple[str, ...], method: str, host: str | None, status: int
) -> None:
    address = listener.short_address(LONG)
    refused = await visit(address, *lines, method=method, host=host)
    assert refused.status == status
    assert "location" not in refused.headers
    assert (await visit(address)).headers["location"] == LONG


@pytest.mark.parametrize("target", ["/start/", "/start/x", "/start", "/start/%2e"])
async def test_without_the_token_there_is_nothing(listener: CallbackListener, target: str) -> None:
    address = listener.short_address(LONG)
    assert (await ask(listener.port, head(target, listener.port))).status == 404
    assert (await ask(listener.port, head(urlsplit(address).path + "x", listener.port))).status == 404


async def test_a_visit_is_no_answer_to_the_sign_in(listener: CallbackListener) -> None:
    waiting = asyncio.create_task(listener.receive(right, stretched(DEADLINE)))
    address = listener.short_address(LONG)
    assert (await visit(f"{address}?code=right")).status == 302
    asking = asyncio.create_task(ask(listener.port, head("/callback?code=right", listener.port)))
    (await waiting).respond(b"page")
    assert (await asking).body == b"page"


async def test_whatever_the_redirect_uri_names_it_is_on_this_machine() -> None:
    async with await CallbackListener.bind(ports=[], exact=False, host="me.example", path="/cb") as listener:
        address = listener.short_address(LONG)
        assert urlsplit(address).hostname == "127.0.0.1"
        assert (await visit(address)).status == 302


def test_only_so_many_are_kept() -> None:
    kept = ShortAddresses("http://127.0.0.1:1")
    paths = [urlsplit(kept.add(str(number))).path.encode() for number in range(MOST_ADDRESSES + 1)]
    assert paths[0] not in kept
    assert [kept.take(path) for path in paths[1:]] == [str(number) for number in range(1, MOST_ADDRESSES + 1)]
