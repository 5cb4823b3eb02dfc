"""The channel between the login process and its clients, over real sockets."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import msgspec
import pytest

from bridge.errors import BridgeError
from bridge.login import channel as channel_module
from bridge.login.channel import MAX_CLIENTS, MAX_COMMAND, MAX_STATUS, Channel, ChannelLost, ChannelServer
from bridge.login.channel_messages import LoginCommand, LoginStatus
from tests.login.token_endpoint_answers import DEADLINE, Asker, until
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

KEY = b"k" * 32
PREPARING = LoginStatus(phase="preparing")
WAITING = LoginStatus(phase="waiting", url="https://auth.example/in?state=s", ends_at=12.5)
DONE = LoginStatus(phase="done")
HELLO = b'{"nonce":"' + b"0" * 64 + b'"}\n'

T = TypeVar("T")
Connect = Callable[[], Awaitable[Channel]]


class Words:
    """What the login was told; `answer` may be replaced."""

    def __init__(self) -> None:
        self.said: list[LoginCommand] = []
        self.problem = ""

    async def hear(self, word: LoginCommand) -> str:
        self.said.append(word)
        return self.problem


@pytest.fixture
def words() -> Words:
    return Words()


@pytest.fixture
async def server(words: Words) -> AsyncIterator[ChannelServer]:
    started = await ChannelServer.start(KEY, words.hear)
    yield started
    await within(started.close())


@pytest.fixture
async def connect(server: ChannelServer) -> AsyncIterator[Connect]:
    channels: list[Channel] = []

    async def make() -> Channel:
        channels.append(await Channel.connect(server.port, KEY, stretched(DEADLINE)))
        return channels[-1]

    yield make
    for one in channels:
        await within(one.close())


async def within(doing: Awaitable[T]) -> T:
    async with asyncio.timeout(stretched(DEADLINE)):
        return await doing


async def proven(server: ChannelServer, count: int) -> None:
    """Wait until that many watchers are told what there is to tell."""
    await until(lambda: sum(watcher.is_proven for watcher in server._clients) == count)


async def test_one_that_is_closed_at_once_leaves_no_connection(server: ChannelServer) -> None:
    channel = await within(Channel.connect(server.port, KEY, stretched(DEADLINE)))
    await within(channel.close())
    await until(lambda: not server._clients)


# -- news


async def test_everybody_hears_what_is_published(server: ChannelServer, connect: Connect) -> None:
    one, two = await connect(), await connect()
    await proven(server, 2)
    server.publish(WAITING)
    assert await within(one.login_status()) == await within(two.login_status()) == WAITING


async def test_who_comes_later_hears_at_once_how_it_stands(server: ChannelServer, connect: Connect) -> None:
    server.publish(PREPARING)
    server.publish(WAITING)
    assert await within((await connect()).login_status()) == WAITING


async def test_each_news_is_heard_once(server: ChannelServer, connect: Connect) -> None:
    channel = await connect()
    await proven(server, 1)
    server.publish(PREPARING)
    assert await within(channel.login_status()) == PREPARING
    waiting = asyncio.create_task(channel.login_status())
    await asyncio.sleep(0)
    assert not waiting.done()
    server.publish(WAITING)
    assert await within(waiting) == WAITING


async def test_who_does_not_listen_is_told_the_newest_only(server: ChannelServer, connect: Connect) -> None:
    channel = await connect()
    await proven(server, 1)
    # More than the system's buffers hold, if each were sent.
    for count in range(2000):
        server.publish(LoginStatus(phase="waiting", message="m" * 10_000, ends_at=float(count)))
        if count % 100 == 0:
            await asyncio.sleep(0)
    heard = [await within(channel.login_status())]
    while heard[-1].ends_at != 1999:
        heard.append(await within(channel.login_status()))
    assert len(heard) < 100


async def test_who_reads_nothing_is_dropped_and_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, server: ChannelServer, connect: Connect
) -> None:
    monkeypatch.setattr(channel_module, "WRITE_TIMEOUT", 0.05)
    deaf = await connect()
    deaf._reader._transport.pause_reading()  # type: ignore[attr-defined]
    await proven(server, 1)
    hearing = await connect()
    await proven(server, 2)
    count = 0
    async with asyncio.timeout(stretched(DEADLINE)):
        while len(server._clients) == 2:
            server.publish(LoginStatus(phase="waiting", message="m" * 200_000, ends_at=float(count)))
            await hearing.login_status()
            count += 1
    assert [watcher.is_proven for watcher in server._clients] == [True]


async def test_a_record_arrives_as_it_was(server: ChannelServer, connect: Connect) -> None:
    server.publish(LoginStatus(phase="done", record=msgspec.Raw(b'{"access_token":"a",  "x":1}')))
    assert bytes((await within((await connect()).login_status())).record) == b'{"access_token":"a",  "x":1}'


async def test_only_the_one_who_was_first_gets_what_is_for_one(server: ChannelServer, connect: Connect) -> None:
    channels = []
    for count in range(3):
        channels.append(await connect())
        await proven(server, count + 1)
    server.publish(WAITING)
    for channel in channels:
        await within(channel.login_status())
    record = LoginStatus(phase="done", record=msgspec.Raw(b'{"refresh_token":"r"}'))
    server.publish_last(record, DONE)
    heard = [await within(channel.login_status()) for channel in [*channels, await connect()]]
    assert heard == [record, DONE, DONE, DONE]


async def test_if_the_first_has_gone_it_is_for_the_next(server: ChannelServer, connect: Connect) -> None:
    first = await connect()
    await proven(server, 1)
    second = await connect()
    await proven(server, 2)
    await within(first.close())
    await proven(server, 1)
    server.publish_last(WAITING, DONE)
    assert await within(second.login_status()) == WAITING


async def test_if_nobody_was_there_it_is_for_the_first_who_comes(server: ChannelServer, connect: Connect) -> None:
    server.publish_last(WAITING, DONE)
    assert [await within((await connect()).login_status()) for _ in range(2)] == [WAITING, DONE]


# -- words


async def test_a_word_is_done_and_answered_while_another_waits_for_news(
    server: ChannelServer, connect: Connect, words: Words
) -> None:
    channel = await connect()
    waiting = asyncio.create_task(channel.login_status())
    assert await within(channel.say("callback", "code=c&state=s")) == ""
    words.problem = "It is not waiting."
    assert await within(channel.say("open")) == "It is not waiting."
    assert not waiting.done()
    server.publish(WAITING)
    assert await within(waiting) == WAITING
    assert [(word.want, word.text) for word in words.said] == [("callback", "code=c&state=s"), ("open", "")]


async def test_several_words_at_once_get_each_its_answer() -> None:
    async def hear(word: LoginCommand) -> str:
        return word.text

    server = await ChannelServer.start(KEY, hear)
    channel = await Channel.connect(server.port, KEY, stretched(DEADLINE))
    said = await within(asyncio.gather(*(channel.say("callback", str(n)) for n in range(9))))
    assert said == [str(n) for n in range(9)]
    await within(channel.close())
    await within(server.close())


async def test_an_error_is_an_answer_too() -> None:
    async def hear(word: LoginCommand) -> str:
        raise BridgeError("That cannot be.", hint="Try another.")

    server = await ChannelServer.start(KEY, hear)
    channel = await Channel.connect(server.port, KEY, stretched(DEADLINE))
    assert await within(channel.say("stop")) == "That cannot be. Try another."
    await within(channel.close())
    await within(server.close())


async def test_a_text_that_is_too_long_costs_nothing(connect: Connect, words: Words) -> None:
    channel = await connect()
    assert "too long" in await within(channel.say("callback", "x" * MAX_COMMAND))
    assert await within(channel.say("callback", "short")) == ""
    assert [word.text for word in words.said] == ["short"]


async def test_what_is_no_character_is_replaced_both_ways(
    server: ChannelServer, connect: Connect, words: Words
) -> None:
    channel = await connect()
    words.problem = "not \udc80"
    assert await within(channel.say("callback", "a\ud83d")) == "not \ufffd"
    assert [word.text for word in words.said] == ["a\ufffd"]
    server.publish(LoginStatus(phase="done", log=(("info", "b\udc80"),), record=msgspec.Raw(b"{}")))
    login_status = await within(channel.login_status())
    assert (login_status.log, bytes(login_status.record)) == ((("info", "b\ufffd"),), b"{}")


async def test_the_longest_news_arrives(server: ChannelServer, connect: Connect) -> None:
    server.publish(LoginStatus(phase="done", record=msgspec.Raw(b'"' + b"r" * (MAX_STATUS - 100) + b'"')))
    assert len((await within((await connect()).login_status())).record) == MAX_STATUS - 98


async def test_a_login_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_module, "REPLY_TIMEOUT", 0.05)
    server = await ChannelServer.start(KEY, lambda word: asyncio.Event().wait())  # type: ignore[arg-type,return-value]
    channel = await Channel.connect(server.port, KEY, stretched(DEADLINE))
    with pytest.raises(ChannelLost, match="did not answer"):
        await within(channel.say("stop"))
    await within(channel.close())
    await within(server.close())


# -- the end


async def test_the_last_news_and_the_last_reply_arrive_although_it_closes(words: Words) -> None:
    went_on = asyncio.Event()

    async def hear(word: LoginCommand) -> str:
        await went_on.wait()
        return "stopped"

    server = await ChannelServer.start(KEY, hear)
    channels = [await Channel.connect(server.port, KEY, stretched(DEADLINE)) for _ in range(3)]
    saying = asyncio.create_task(channels[0].say("stop"))
    await until(lambda: any(watcher._is_answering for watcher in server._clients))
    await proven(server, 3)
    server.publish(LoginStatus(phase="failed", message="m" * 200_000))
    closing = asyncio.create_task(server.close())
    await asyncio.sleep(0)
    went_on.set()
    assert await within(saying) == "stopped"
    for channel in channels:
        assert (await within(channel.login_status())).message == "m" * 200_000
        with pytest.raises(ChannelLost, match="ended"):
            await within(channel.login_status())
        with pytest.raises(ChannelLost):
            await within(channel.say("open"))
    await within(closing)
    assert server._clients == {}


async def test_closing_does_not_wait_for_who_does_not_read(
    monkeypatch: pytest.MonkeyPatch, server: ChannelServer, connect: Connect
) -> None:
    monkeypatch.setattr(channel_module, "CLOSE_TIMEOUT", 0.05)
    deaf = await connect()
    deaf._reader._transport.pause_reading()  # type: ignore[attr-defined]
    silent = await Asker.connect(server.port)
    await proven(server, 1)
    await within(server.close())
    assert await silent.ended() == b""
    assert server._clients == {}
    with pytest.raises(ChannelLost, match="cannot be reached"):
        await within(Channel.connect(server.port, KEY, stretched(DEADLINE)))


async def test_a_login_that_dies_is_noticed_at_once(server: ChannelServer, connect: Connect) -> None:
    channel = await connect()
    hearing, saying = asyncio.create_task(channel.login_status()), asyncio.create_task(channel.say("open"))
    await proven(server, 1)
    for watcher in server._clients:
        watcher.drop()
    with pytest.raises(ChannelLost):
        await within(hearing)
    # It was answered in time, or is lost.
    assert (await within(asyncio.gather(saying, return_exceptions=True)))[0] == "" or saying.exception()


async def test_one_who_leaves_is_forgotten_and_the_login_goes_on(server: ChannelServer, connect: Connect) -> None:
    channel, other = await connect(), await connect()
    await proven(server, 2)
    await within(channel.close())
    await proven(server, 1)
    with pytest.raises(ChannelLost):
        await within(channel.login_status())
    server.publish(WAITING)
    assert await within(other.login_status()) == WAITING


# -- who does not know the key


async def test_who_has_another_key_is_told_nothing(server: ChannelServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.publish(WAITING)
    with pytest.raises(ChannelLost):
        await within(Channel.connect(server.port, b"another key", stretched(DEADLINE)))
    await until(lambda: not server._clients)
    assert "does not know its key" in caplog.text
    assert "kkk" not in caplog.text


async def test_a_login_with_another_key_is_not_believed() -> None:
    """It is asked nothing more, though it lets everybody in."""
    heard: list[bytes] = []

    async def lets_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readline())
        writer.write(HELLO)
        heard.append(await reader.readline())
        writer.write(b'{"proof":"' + b"1" * 64 + b'"}\n' + msgspec.json.encode(WAITING) + b"\n")
        heard.append(await reader.read())
        writer.close()

    hostile = await asyncio.start_server(lets_in, "127.0.0.1", 0)
    async with hostile:
        with pytest.raises(ChannelLost, match="not the expected login process"):
            await within(Channel.connect(hostile.sockets[0].getsockname()[1], KEY, stretched(DEADLINE)))
        await until(lambda: len(heard) == 3)
    assert heard[2] == b""
    assert KEY not in b"".join(heard)


async def test_nobody_can_stand_in_between_and_pass_the_proofs_on(server: ChannelServer) -> None:
    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", server.port)

        async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            try:
                while data := await source.read(65536):
                    target.write(data)
            finally:
                target.close()

        await asyncio.gather(pump(reader, ours), pump(theirs, writer), return_exceptions=True)

    between = await asyncio.start_server(pass_on, "127.0.0.1", 0)
    async with between:
        with pytest.raises(ChannelLost):
            await within(Channel.connect(between.sockets[0].getsockname()[1], KEY, stretched(DEADLINE)))
    assert not any(watcher.is_proven for watcher in server._clients)


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /x HTTP/1.1\r\nContent-Length: 75\r\n\r\n" + HELLO,
        b"\x16\x03\x01\x02\x00\x01\n",
        b"\n",
        b"{}\n",
        b'{"nonce":1}\n',
        b'{"nonce":"' + b"0" * 65 + b'"}\n',
        b'{"nonce":"' + b"G" * 64 + b'"}\n',
        b'{"nonce":"\xff"}\n',
        b"[" * 100_000 + b"\n",
        b'{"type":"word","number":1,"want":"stop"}\n',
        b"x" * (MAX_COMMAND * 3),
    ],
    ids=["get", "post", "tls", "empty", "no-nonce", "number", "long", "no-hex", "no-utf-8", "deep", "word", "huge"],
)
async def test_what_is_no_proof_is_dropped_without_a_word(sent: bytes, server: ChannelServer, words: Words) -> None:
    server.publish(WAITING)
    asker = await Asker.connect(server.port)
    ended = asyncio.create_task(asker.ended())
    with contextlib.suppress(ConnectionError):
        await asker.send(sent)
    assert await ended == b""
    await until(lambda: not server._clients)
    assert words.said == []


@pytest.mark.parametrize(
    "proof", [b"", b'{"proof":"' + b"0" * 64 + b'"}\n', b'{"type":"word","number":1,"want":"stop"}\n'],
    ids=["eof", "zeros", "word"],
)  # fmt: skip
async def test_a_nonce_alone_opens_nothing(proof: bytes, server: ChannelServer, words: Words) -> None:
    server.publish(WAITING)
    asker = await Asker.connect(server.port)
    asker.writer.write(HELLO + proof)
    asker.writer.write_eof()
    came = await asker.ended()
    assert b"news" not in came
    assert b"proof" not in came
    assert words.said == []


async def test_who_says_nothing_is_dropped_in_time(words: Words) -> None:
    server = await ChannelServer.start(KEY, words.hear, handshake_seconds=0.05)
    silent, half = await Asker.connect(server.port), await Asker.connect(server.port)
    await half.send(HELLO)
    assert await silent.ended() == b""
    assert b"proof" not in await half.ended()
    await within(server.close())


async def test_a_login_that_says_nothing_is_not_waited_for() -> None:
    left = asyncio.Event()

    async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        left.set()

    silent = await asyncio.start_server(says_nothing, "127.0.0.1", 0)
    async with silent:
        with pytest.raises(ChannelLost, match=r"0\.05 seconds"):
            await within(Channel.connect(silent.sockets[0].getsockname()[1], KEY, 0.05))
        await within(left.wait())


@pytest.mark.parametrize("port", [-1, 0, 70000])
async def test_a_port_that_is_none_is_no_crash(port: int) -> None:
    with pytest.raises(ChannelLost):
        await within(Channel.connect(port, KEY, stretched(DEADLINE)))


async def test_who_knows_the_key_and_breaks_the_rules_is_dropped(server: ChannelServer, connect: Connect) -> None:
    for line in (b"{}\n", b'{"type":"word","number":1,"want":"dance"}\n', b"x" * (MAX_COMMAND + 10) + b"\n"):
        channel = await connect()
        channel._writer.write(line)
        with pytest.raises(ChannelLost):
            await within(channel.login_status())


async def test_many_who_prove_nothing_keep_nobody_out(server: ChannelServer, connect: Connect) -> None:
    silent = [await Asker.connect(server.port) for _ in range(MAX_CLIENTS + 5)]
    await until(lambda: len(server._clients) == MAX_CLIENTS)
    channel = await connect()
    server.publish(WAITING)
    assert await within(channel.login_status()) == WAITING
    assert len(server._clients) == MAX_CLIENTS
    for one in silent:
        one.reset()


async def test_there_is_an_end_to_those_who_may_wait(server: ChannelServer, connect: Connect) -> None:
    channels = [await connect() for _ in range(MAX_CLIENTS)]
    await proven(server, MAX_CLIENTS)
    with pytest.raises(ChannelLost):
        await connect()
    await within(channels[0].close())
    await proven(server, MAX_CLIENTS - 1)
    await connect()
