"""What may be an answer to a sign-in, and what each other request gets."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.login import callback_connection
from bridge.login.callback_connection import MAX_HEAD, CallbackConnection, CallbackRefused, target_of
from bridge.login.listener import CallbackListener
from tests.login.token_endpoint_answers import DEADLINE, Asker, ask, head, right, with_answer
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

HOSTS = frozenset({"localhost:50123", "127.0.0.1:50123", "[::1]:50123"})


@pytest.fixture
async def listener() -> AsyncIterator[CallbackListener]:
    async with await CallbackListener.bind(ports=[], exact=False, host="localhost", path="/callback") as bound:
        yield bound


def verdict(*headers: tuple[str, str], target: str = "/callback?code=a", method: str = "GET") -> str | int:
    """The query that would be judged, or the status of the refusal."""
    request = h11.Request(method=method, target=target, headers=list(headers), http_version="1.0")
    try:
        return target_of(request, HOSTS, b"/callback".__eq__)[1]
    except CallbackRefused as refused:
        return refused.status


@pytest.mark.parametrize("host", ["localhost:50123", "LOCALHOST:50123", "127.0.0.1:50123", "[::1]:50123"])
def test_each_name_of_ours_will_do(host: str) -> None:
    assert verdict(("Host", host)) == "code=a"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:50123", "localhost", "localhost:50124", "localhost.:50123", "localhost:50123,x", ""],
)
def test_another_host_is_refused(host: str) -> None:
    assert verdict(("Host", host)) == 421


def test_there_is_exactly_one_host() -> None:
    assert verdict() == 400


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/callback", ""),
        ("/callback?", ""),
        ("/callback?a=b?c", "a=b?c"),
        ("/callback/", 404),
        ("/callback/x?code=a", 404),
        ("//callback?code=a", 404),
        ("/%63allback?code=a", 404),
        ("/x/../callback?code=a", 404),
        ("/Callback?code=a", 404),
        ("/callback;x?code=a", 404),
        ("/favicon.ico", 404),
        ("/", 404),
        ("http://localhost:50123/callback?code=a", 400),
        ("localhost:50123", 400),
        ("*", 400),
    ],
)
def test_only_exactly_the_path_counts(target: str, expected: str | int) -> None:
    assert verdict(("Host", "localhost:50123"), target=target) == expected


@pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS", "PUT", "DELETE", "CONNECT", "TRACE", "get", "BREW"])
def test_only_get_counts(method: str) -> None:
    assert verdict(("Host", "localhost:50123"), method=method) == 405


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("Sec-Fetch-Dest", "document", "code=a"),
        ("Sec-Fetch-Dest", "empty", "code=a"),
        ("Sec-Fetch-Dest", "image", 403),
        ("Sec-Fetch-Dest", "iframe", 403),
        ("Sec-Fetch-Dest", "script", 403),
        ("Sec-Fetch-Dest", "serviceworker", 403),
        ("Origin", "null", "code=a"),
        ("Origin", "https://login.example", "code=a"),
    ],
)
def test_only_a_tab_or_a_script_counts(name: str, value: str, expected: str | int) -> None:
    assert verdict(("Host", "localhost:50123"), (name, value)) == expected


@given(
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=60),
    st.sampled_from(["GET", "POST", "OPTIONS"]),
    st.sampled_from([*sorted(HOSTS), "evil.example:50123", "localhost:1"]),
)
def test_nothing_but_our_get_is_ever_judged(rest: str, method: str, host: str) -> None:
    found = verdict(("Host", host), target=f"/callback{rest}", method=method)
    if isinstance(found, str):
        assert method == "GET"
        assert host in HOSTS
        assert rest in {"", f"?{found}"}
    else:
        assert found in {404, 405, 421}


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"\r\n\r\n\r\nnonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 20, 400),  # TLS: a page asked for by https.
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET /callback?code=right HTTP/1.1\r\n\r\n", 400),
        (b"GET /callback?code=right HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        (b"GET /callback?code=right HTTP/1.0\r\n\r\n", 400),
        (b"GET /callback?code=right\r\n\r\n", 400),
        (b"GET /callback?code=\xffright HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /callback?code=right HTTP/1.1\r\nHost: localhost\r\n folded: yes\r\nX y: z\r\n\r\n", 400),
        (b"GET /callback?code=right HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET /callback?code=right HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        (b"GET /callback?code=right HTTP/1.1\r\nX: " + b"y" * MAX_HEAD, 431),
        (b"GET /callback?code=right HTTP/1.1\r\nX: " + b"y" * MAX_HEAD + b"\r\nHost: localhost\r\n\r\n", 431),
    ],
)
async def test_a_broken_request_gets_a_page_and_ends_nothing(
    listener: CallbackListener, request_bytes: bytes, status: int
) -> None:
    async def doing() -> None:
        answer = await ask(listener.port, request_bytes)
        assert answer.status == status
        assert answer.body.startswith(b"<!doctype html>")
        assert (await ask(listener.port, request_bytes, piece=1000)).status == status
        finishing.append(asyncio.create_task(ask(listener.port, head("/callback?code=right", listener.port))))

    finishing: list[asyncio.Task[object]] = []
    assert await with_answer(listener, doing) == "the answer"
    await finishing[0]


async def test_a_page_that_is_offered_is_shown_at_its_address_and_is_no_answer(listener: CallbackListener) -> None:
    first, second = listener.offer(b"read this"), listener.offer(b"and this")
    assert first != second
    assert first.startswith(f"http://127.0.0.1:{listener.port}/")
    path = urlsplit(first).path

    async def doing() -> None:
        for _ in range(2):
            shown = await ask(listener.port, head(f"{path}?code=right", listener.port))
            assert (shown.status, shown.body) == (200, b"read this")
            assert shown.headers["content-security-policy"]
        elsewhere = await ask(listener.port, head(path, listener.port, host="evil.example"))
        assert elsewhere.status == 421
        assert (await ask(listener.port, head(path, listener.port, method="POST"))).status == 405
        assert (await ask(listener.port, head(f"{path}x", listener.port))).status == 404
        finishing.append(asyncio.create_task(ask(listener.port, head("/callback?code=right", listener.port))))

    finishing: list[asyncio.Task[object]] = []
    assert await with_answer(listener, doing) == "the answer"
    await finishing[0]


@given(st.binary(max_size=200))
def test_no_bytes_break_a_visit(data: bytes) -> None:
    seen: list[str] = []
    transport = Recorder()

    async def play() -> None:
        one = CallbackConnection("/callback", HOSTS, Handler(seen))
        one.connection_made(transport)
        for piece in (data[:7], data[7:], b"\r\n\r\n", data):
            one.data_received(piece)
        one.eof_received()
        one.connection_lost(None)

    asyncio.run(play())
    assert seen == []
    assert transport.written == b"" or transport.written.startswith((b"HTTP/1.1 400", b"HTTP/1.1 4"))
    assert transport.written.count(b"HTTP/1.1 ") <= 1


class Handler:
    """Notes the queries that may be an answer."""

    def __init__(self, seen: list[str]) -> None:
        self._seen = seen

    def connection_started(self, visit: CallbackConnection) -> None:
        pass

    def request_received(self, visit: CallbackConnection, query: str) -> None:
        self._seen.append(query)

    def connection_ended(self, visit: CallbackConnection) -> None:
        pass


class Recorder(asyncio.Transport):
    """Keeps what is written."""

    written = b""

    def write(self, data: object) -> None:
        assert isinstance(data, bytes)
        self.written += data

    def write_eof(self) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


async def test_a_head_in_single_bytes_is_read(listener: CallbackListener) -> None:
    async def doing() -> None:
        request = head("/callback?code=right", listener.port, "Accept: text/html")
        finishing.append(asyncio.create_task(ask(listener.port, request, piece=1)))

    finishing: list[asyncio.Task[object]] = []
    assert await with_answer(listener, doing) == "the answer"
    await finishing[0]


async def test_the_headers_keep_the_page_to_itself(listener: CallbackListener) -> None:
    answer = await ask(listener.port, head("/nowhere", listener.port))
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["connection"] == "close"
    assert answer.headers["content-length"] == str(len(answer.body))
    assert not any(name.startswith("access-control") or name in {"server", "set-cookie"} for name in answer.headers)


async def test_a_refused_method_names_the_one_that_is_not(listener: CallbackListener) -> None:
    answer = await ask(listener.port, head("/callback?code=right", listener.port, method="OPTIONS"))
    assert (answer.status, answer.headers["allow"]) == (405, "GET")
    bare = await ask(listener.port, head("/callback?code=right", listener.port, method="HEAD"))
    assert (bare.status, bare.body) == (405, b"")


async def test_a_form_larger_than_anything_read_still_gets_its_refusal(listener: CallbackListener) -> None:
    body = b"x" * 300_000
    request = head("/callback", listener.port, f"Content-Length: {len(body)}", method="POST")
    answer = await ask(listener.port, request + body)
    assert answer.status == 405
    assert answer.body.endswith(b"</html>\n")


async def test_a_second_request_on_the_connection_has_no_answer(listener: CallbackListener) -> None:
    judged: list[str] = []

    def judge(query: str) -> str | None:
        judged.append(query)
        return right(query)

    waiting = asyncio.create_task(listener.receive(judge, stretched(DEADLINE)))
    wrong = head("/callback?code=wrong", listener.port)
    asker = await Asker.connect(listener.port)
    await asker.send(wrong + head("/callback?code=right", listener.port))
    assert (await asker.ended()).count(b"HTTP/1.1 ") == 1
    assert judged == ["code=wrong"]
    waiting.cancel()


async def test_who_closes_only_a_half_still_gets_the_page(listener: CallbackListener) -> None:
    async def doing() -> None:
        await asker.send(head("/callback?code=right", listener.port))
        asker.writer.write_eof()

    asker = await Asker.connect(listener.port)
    await with_answer(listener, doing, b"page")
    assert (await asker.answer()).body == b"page"


async def test_who_never_asks_is_let_go(monkeypatch: pytest.MonkeyPatch, listener: CallbackListener) -> None:
    monkeypatch.setattr(callback_connection, "HEAD_TIMEOUT", 0.05)
    silent = await Asker.connect(listener.port)
    slow = await Asker.connect(listener.port)
    await slow.send(b"GET /callback?code=ri")
    assert await silent.ended() == b""
    assert await slow.ended() == b""


async def test_who_has_asked_may_wait_for_long(monkeypatch: pytest.MonkeyPatch, listener: CallbackListener) -> None:
    monkeypatch.setattr(callback_connection, "HEAD_TIMEOUT", 0.05)
    asker = await Asker.connect(listener.port)
    await asker.send(head("/callback?code=right", listener.port))
    arrival = await listener.receive(right, stretched(DEADLINE))
    silent = await Asker.connect(listener.port)
    assert await silent.ended() == b""  # Now a head's time has passed for both.
    arrival.respond(b"late")
    assert (await asker.answer()).body == b"late"


async def test_who_never_closes_is_let_go(monkeypatch: pytest.MonkeyPatch, listener: CallbackListener) -> None:
    monkeypatch.setattr(callback_connection, "LINGER", 0.05)
    asker = await Asker.connect(listener.port)
    await asker.send(head("/nowhere", listener.port))
    async with asyncio.timeout(stretched(DEADLINE)):
        assert await asker.reader.read()
        with pytest.raises(ConnectionError):
            await write_on(asker)


async def write_on(asker: Asker) -> None:
    while True:
        await asker.send(b"more")
        await asyncio.sleep(0.005)
