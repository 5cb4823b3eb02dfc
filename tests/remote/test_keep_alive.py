"""How the system finds a dead peer: each system's own options, of which it may lack any."""

import socket
import sys
from typing import cast

import pytest

from bridge.remote.keep_alive import options, watch_over

TCP = socket.IPPROTO_TCP


class FakeSocket:
    """Takes the options of one system, and refuses all others."""

    def __init__(self, *known: int) -> None:
        self.set: dict[tuple[int, int], int] = {}
        self._known = known

    def setsockopt(self, level: int, number: int, value: int) -> None:
        if level == TCP and number != socket.TCP_NODELAY and number not in self._known:
            raise OSError(10042, "Protocol not available")
        self.set[level, number] = value

    def watched(self, platform: str) -> dict[int, int]:
        watch_over(cast("socket.socket", self), platform)
        assert self.set.pop((socket.SOL_SOCKET, socket.SO_KEEPALIVE)) == 1
        assert self.set.pop((TCP, socket.TCP_NODELAY)) == 1
        return {number: value for (_, number), value in self.set.items()}


@pytest.mark.parametrize(
    ("platform", "wanted"),
    [
        ("linux", {4: 30, 5: 10, 6: 3, 18: 60_000}),
        ("darwin", {0x10: 30, 0x101: 10, 0x102: 3, 0x80: 60}),
        ("win32", {3: 30, 17: 10, 16: 3, 5: 60}),
    ],
)
def test_each_system_has_its_own_options(platform: str, wanted: dict[int, int]) -> None:
    assert FakeSocket(*wanted).watched(platform) == wanted


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32", "freebsd14"])
def test_an_option_that_a_system_lacks_costs_no_other(platform: str) -> None:
    known = [option.number for option in options(platform)][1:]
    assert list(FakeSocket(*known).watched(platform)) == known
    assert FakeSocket().watched(platform) == {}


def test_the_numbers_are_those_that_python_knows_of_this_system() -> None:
    for option in options(sys.platform):
        assert getattr(socket, option.name, option.number) == option.number


def test_they_can_be_set_on_this_system() -> None:
    with socket.socket() as sock:
        watch_over(sock)
        for option in options(sys.platform):
            assert sock.getsockopt(TCP, option.number) == option.value
