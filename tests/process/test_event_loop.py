"""The loop of a process: what it tells of connections that were reset, and of all else."""

import asyncio
import logging
import socket
import sys

import pytest

from bridge.process.event_loop import on_problem, run_on_loop


def test_it_returns_and_raises_what_the_work_does() -> None:
    async def returns() -> int:
        return 3

    async def fails() -> None:
        raise LookupError("so")

    assert run_on_loop(returns()) == 3
    with pytest.raises(LookupError, match="so"):
        run_on_loop(fails())


def test_a_defect_that_nobody_caught_is_told_as_ever(caplog: pytest.LogCaptureFixture) -> None:
    async def play() -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    run_on_loop(play())
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("asyncio", "ERROR")
    assert record.exc_info is not None


@pytest.mark.parametrize(
    ("message", "problem", "is_error"),
    [
        ("Exception in callback _ProactorBasePipeTransport._call_connection_lost(None)", ConnectionResetError(), False),
        ("Exception in callback _ProactorBasePipeTransport._call_connection_lost(None)", ValueError(), True),
        ("Exception in callback Wire.connection_lost(None)", ConnectionResetError(), True),
        ("Exception in callback BaseProactorEventLoop._start_serving.<locals>.loop(<...>)", AssertionError(), False),
        ("Exception in callback BaseProactorEventLoop._start_serving.<locals>.loop(<...>)", ValueError(), True),
        ("Exception in callback Server.begin(<...>)", AssertionError(), True),
        ("Task was destroyed but it is pending!", None, True),
    ],
)
def test_only_what_asyncio_itself_does_wrong_is_no_error(
    message: str, problem: Exception | None, is_error: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def play() -> None:
        context = {"message": message} | ({"exception": problem} if problem else {})
        on_problem(asyncio.get_running_loop(), context)

    asyncio.run(play())
    told = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert bool(told) is is_error


@pytest.mark.skipif(sys.platform != "linux", reason="Windows' kernel is played on Linux only")
def test_asyncio_says_it_in_these_words(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.support.systems.proactor import ProactorLoop

    caplog.set_level(logging.DEBUG)
    monkeypatch.delattr(ProactorLoop, "call_exception_handler")  # It spares tests the very thing.
    with asyncio.Runner(loop_factory=ProactorLoop) as runner:

        async def play() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(on_problem)
            ours, theirs = socket.socketpair()
            transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
            transport._sock = Reset(ours)  # type: ignore[attr-defined]
            transport.abort()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            theirs.close()
            ours.close()
            transport._sock = None  # type: ignore[attr-defined]

        runner.run(play())
    (said,) = (record for record in caplog.records if record.name == "bridge.app")
    assert said.getMessage() == "a connection was reset: it was reset"
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


class Reset:
    """A socket whose peer has reset it."""

    def __init__(self, real: socket.socket) -> None:
        self.fileno = real.fileno

    def shutdown(self, how: int) -> None:
        raise ConnectionResetError("it was reset")
