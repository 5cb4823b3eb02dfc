"""How many connections fit into the descriptors that the system gives a process."""

import sys
from types import SimpleNamespace

import pytest

from bridge.remote.descriptors import room_for_connections

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")

UNLIMITED = -1


class Limits:
    """Stands in for the module `resource`."""

    RLIMIT_NOFILE = 7
    RLIM_INFINITY = UNLIMITED

    def __init__(self, soft: int, hard: int, *, refuses: bool = False) -> None:
        self.now = (soft, hard)
        self._refuses = refuses

    def getrlimit(self, _: int) -> tuple[int, int]:
        return self.now

    def setrlimit(self, _: int, limits: tuple[int, int]) -> None:
        if self._refuses:
            raise ValueError("not allowed")
        self.now = limits


@pytest.mark.parametrize(
    ("limits", "room", "soft"),
    [
        (Limits(1024, 4096), 1000, 1056),
        (Limits(256, UNLIMITED), 1000, 1056),
        (Limits(256, 512), 456, 512),
        (Limits(256, UNLIMITED, refuses=True), 200, 256),
        (Limits(10_000, 10_000), 1000, 10_000),
        (Limits(UNLIMITED, UNLIMITED), 1000, UNLIMITED),
        (Limits(64, 64), 64, 64),
    ],
)
def test_the_limit_is_raised_as_far_as_that_is_allowed(
    limits: Limits, room: int, soft: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "resource", SimpleNamespace(**{n: getattr(limits, n) for n in dir(limits)}))
    assert room_for_connections(1000) == room
    assert limits.now[0] == soft
