"""The benchmark's rows for a server far away, on runs too short to measure anything."""

from __future__ import annotations

import socket
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.benchmark import messages
from scripts.benchmark.columns import BRIDGE, FLOOR, MCP_REMOTE, MCP_STDIO, Column, column
from scripts.benchmark.far_pauses import LOST, pauses
from scripts.benchmark.far_rows import KEPT, FarRows
from scripts.benchmark.host import StdioDriver
from scripts.benchmark.messages import LEGACY, MODERN_LISTENING, ColumnError, Tongue
from scripts.benchmark.modern_answers import result
from scripts.benchmark.rows import Plan
from scripts.benchmark.servers import FarServer, far_server
from tests.support.waits import stretched

TINY = Plan(far_starts=1, far_callers=1, far_pauses=(0.01, 0.02), patience=stretched(20.0))
ONE_WAY = 0.005

# It stays until its stdin ends: to a program that is gone already, a request cannot even be written.
NO_MESSAGE = "import sys; print('not a message', flush=True); sys.stdin.read()"

linux = pytest.mark.skipif(sys.platform != "linux", reason="the rows read /proc")


@pytest.fixture
def far(tmp_path: Path) -> Iterator[FarServer]:
    with far_server(tmp_path, ONE_WAY) as server:
        yield server


def _bridge() -> Column:
    return Column(BRIDGE, (sys.executable, "-m", "bridge"))


@linux
def test_a_short_run_fills_every_row_of_the_bridge_whatever_becomes_of_the_peers(
    far: FarServer, tmp_path: Path
) -> None:
    absent = Column(MCP_REMOTE, missing="not installed: no npm")
    broken = Column(MCP_STDIO, (sys.executable, "-c", NO_MESSAGE))
    rows = FarRows([_bridge(), absent, broken, column(FLOOR)], far, tmp_path, TINY).run()
    assert {row.key: row.missing.get(BRIDGE) for row in rows} == {
        **dict.fromkeys(f"far-{era}{row}" for era in ("legacy", "modern") for row in ("-first", "", "-crowd")),
        **dict.fromkeys((*KEPT, *KEPT.values(), LOST, "pause-call")),
    }
    values = {row.key: row.values[BRIDGE] for row in rows}
    assert values.pop(LOST) == 0
    assert all(value > 0 for value in values.values())
    assert {key for key, value in values.items() if value < 2000 * ONE_WAY} <= {*KEPT, *KEPT.values()}
    assert all(set(row.values) == {BRIDGE} for row in rows)
    for row in rows:
        # The last rows of a launch are the bridge's alone.
        if row.key not in {*KEPT, *KEPT.values()}:
            assert row.missing[MCP_REMOTE] == "not installed: no npm"
            assert row.missing[MCP_STDIO].startswith("not JSON")


class _Forgetful(StdioDriver):
    """A bridge whose every second call fails: after the server ran it, or before."""

    def __init__(self, call: Any, *, ran: bool) -> None:
        self._made, self._run, self._really = 0, ran, call

    def call(self) -> int:
        self._made += 1
        if self._made % 2:
            return int(self._really())
        if self._run:
            self._really()
        raise ColumnError("answered with an error: may or may not have run")

    def alive(self) -> bool:
        return True


@linux
@pytest.mark.parametrize(("ran", "share"), [(False, 100.0), (True, 0.0)])
def test_a_call_without_an_answer_is_lost_only_if_the_server_never_ran_it(
    far: FarServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ran: bool, share: float
) -> None:
    launched: list[StdioDriver] = []
    launcher = Column.launcher

    def forgetful(self: Column, *args: Any, **options: Any) -> StdioDriver:
        launched.append(launcher(self, *args, **options))
        driver = _Forgetful(launched[-1].call, ran=ran)
        monkeypatch.setattr(driver, "start", launched[-1].start)
        monkeypatch.setattr(driver, "close", launched[-1].close)
        return driver

    monkeypatch.setattr(Column, "launcher", forgetful)
    lost, took = pauses([_bridge()], far, tmp_path, TINY)
    assert (lost.values, lost.missing) == ({BRIDGE: share}, {})
    assert took.values == {}


@linux
@pytest.mark.parametrize("tongue", [LEGACY, MODERN_LISTENING])
def test_the_tools_are_listed_as_a_host_of_either_era_does(far: FarServer, tmp_path: Path, tongue: Tongue) -> None:
    path = "mcp" if tongue is LEGACY else "modern"
    driver = _bridge().launcher(f"{far.far}/{path}/a", tmp_path, stretched(20.0), tongue, far.authority)
    try:
        opened = driver.start()
        assert driver.listed() >= opened >= 4 * ONE_WAY * 1e9
        assert driver.call() >= 2 * ONE_WAY * 1e9
        state = far.state()[f"/{path}/a"]
        assert state["calls"] == 1
        deadline = time.monotonic() + stretched(10)
        # The standing stream is opened beside the calls.
        while not state["streams"] and time.monotonic() < deadline:
            state = far.state()[f"/{path}/a"]
        assert state["streams"] == 1
    finally:
        driver.close()


def test_only_a_process_of_its_own_can_be_launched_for_a_server_far_away(tmp_path: Path) -> None:
    with pytest.raises(ColumnError, match="no process of its own"):
        column(FLOOR).launcher("https://127.0.0.1:1/mcp/a", tmp_path, 1.0)


def test_a_connection_is_closed_after_its_last_answer_and_not_before_its_first(tmp_path: Path) -> None:
    with far_server(tmp_path, ONE_WAY, idle_seconds=0.3) as far:
        trust = ssl.create_default_context(cafile=far.authority)
        address = ("127.0.0.1", int(far.near.rpartition(":")[2]))
        with trust.wrap_socket(socket.create_connection(address), server_hostname="127.0.0.1") as sock:
            sock.settimeout(stretched(10))
            # Nothing was answered yet, so nothing is idle.
            time.sleep(0.6)
            body = messages.discover(1)
            head = b"POST /modern/a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
            began = time.monotonic()
            sock.sendall(head + body)
            while sock.recv(65536):
                pass
            assert time.monotonic() - began >= 0.3


def test_results_may_be_kept_where_the_path_says_so() -> None:
    asked = {"method": "tools/list", "id": 1}
    kept, other = result(asked, kept=True), result(asked)
    assert kept
    assert other
    assert (kept["ttlMs"], kept["cacheScope"]) == (3_600_000, "public")
    assert (other["ttlMs"], other["cacheScope"]) == (0, "private")
