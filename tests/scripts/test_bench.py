"""The benchmark's own parts, on a run too short to measure anything."""

from __future__ import annotations

import dataclasses
import json
import socket
import sys
import time
from pathlib import Path

import pytest

from scripts.bench import main
from scripts.benchmark import messages
from scripts.benchmark.columns import BRIDGE, FLOOR, MCP_REMOTE, MCP_STDIO, RELAY, SOCKETS, Column, column
from scripts.benchmark.far_pauses import LOST
from scripts.benchmark.far_rows import KEPT
from scripts.benchmark.floor import DataLines, FloorDriver
from scripts.benchmark.messages import ColumnError
from scripts.benchmark.pairs import UNTRANSLATED, Pairs
from scripts.benchmark.rows import Bench, Plan, Row, fill
from scripts.benchmark.servers import thin_server
from scripts.benchmark.sockets import Chunks, Exchange, SocketsDriver
from scripts.benchmark.table import best_peer, markdown, number, reasons, verdicts
from scripts.benchmark.tool_lists import PASSED, ToolLists
from tests.support.waits import stretched

TINY = Plan(
    starts=1,
    call_rounds=1,
    calls=5,
    parallel_rounds=1,
    parallel_calls=100,
    big_rounds=1,
    progress_rounds=1,
    notifications=20,
    idle_seconds=0.0,
    pair_launches=2,
    pair_rounds=1,
    pair_calls=2,
    list_rounds=1,
    lists=2,
    patience=stretched(20.0),
)

# It stays until its stdin ends: to a program that is gone already, a request cannot even be written.
NO_MESSAGE = "import sys; print('not a message', flush=True); sys.stdin.read()"

linux = pytest.mark.skipif(sys.platform != "linux", reason="the memory rows read /proc")


def _row(key: str, values: dict[str, float], *, more_is_better: bool = False) -> Row:
    return Row(key, key, "ms", more_is_better, values)


@linux
def test_a_short_run_fills_every_row_a_column_can_do(tmp_path: Path) -> None:
    with thin_server() as server:
        bench = Bench([column(FLOOR), column(SOCKETS), column(RELAY)], server, tmp_path, TINY)
        rows = bench.run(["start", "memory", "call", "parallel", "progress", "big"])
    filled = {name: {row.key for row in rows if row.values.get(name, 0) > 0} for name in (FLOOR, SOCKETS, RELAY)}
    exchanges = {"start", "call", "call-p99", "parallel", "progress", "big"}
    assert filled[FLOOR] == filled[SOCKETS] == exchanges
    assert filled[RELAY] == (exchanges - {"progress"}) | {"start-cpu", "memory", "memory-peak"}
    assert {row.key for row in rows if RELAY in row.missing} == {"progress"}


@linux
def test_the_idle_minute_says_when_no_stream_was_open(tmp_path: Path) -> None:
    plan = Plan(idle_seconds=0.1, patience=stretched(20.0))
    with thin_server() as server:
        bench = Bench([column(RELAY)], server, tmp_path, plan)
        cpu, wakes = bench.run(["idle"])
    assert wakes.values == {RELAY: 0}
    assert cpu.values == {RELAY: 0}
    assert reasons([cpu, wakes]) == ["relay's idle-wakes proves nothing: it had no GET stream open"]
    wakes.values[BRIDGE], wakes.doubts[BRIDGE] = 0, wakes.doubts[RELAY]
    assert [verdict.held for verdict in verdicts([wakes])] == [None]


def test_a_peer_that_fails_leaves_the_others_their_numbers(tmp_path: Path) -> None:
    broken = Column(MCP_STDIO, (sys.executable, "-c", NO_MESSAGE))
    absent = Column(MCP_REMOTE, missing="not installed: no npm")
    with thin_server() as server:
        rows = Bench([broken, absent, column(FLOOR)], server, tmp_path, TINY).run(["call"])
    assert [set(row.values) for row in rows] == [{FLOOR}, {FLOOR}]
    assert rows[0].missing[MCP_REMOTE] == "not installed: no npm"
    assert rows[0].missing[MCP_STDIO].startswith("not JSON")
    assert len(reasons(rows)) == 2


@pytest.mark.parametrize("kind", [FloorDriver, SocketsDriver])
def test_the_server_knows_sessions_and_streams(kind: type[FloorDriver] | type[SocketsDriver]) -> None:
    with thin_server() as server:
        driver = kind(f"{server}/mcp/a", 20.0)
        driver.start()
        assert driver.alive()
        assert driver.progress(3) > 0
        assert driver.big() > 0
        driver.close()
        assert not driver.alive()


@linux
def test_hosts_and_servers_of_both_eras_are_paired(tmp_path: Path) -> None:
    with thin_server() as server:
        bridge = Column(BRIDGE, (sys.executable, "-m", "bridge"))
        rows = Pairs(bridge, server, tmp_path, TINY).run()
    assert {row.key: row.missing for row in rows} == {
        "call-legacy-legacy": {},
        "call-modern-legacy": {},
        "call-legacy-modern": {},
        "call-modern-modern": {},
    }
    assert all(row.values[BRIDGE] > 0 for row in rows)


@linux
def test_a_pair_that_fails_leaves_the_others_their_numbers(tmp_path: Path) -> None:
    """The relay translates nothing."""
    relay = Column(BRIDGE, column(RELAY).command)
    with thin_server() as server:
        rows = Pairs(relay, server, tmp_path, dataclasses.replace(TINY, patience=4.0)).run()
    assert {row.key for row in rows if BRIDGE in row.missing} == set(UNTRANSLATED)
    assert {row.key for row in rows if row.values.get(BRIDGE, 0) > 0} == set(UNTRANSLATED.values())
    assert [verdict.held for verdict in verdicts(rows)] == [None, None]


@linux
def test_long_lists_of_tools_are_taken_with_and_without_a_look(tmp_path: Path) -> None:
    with thin_server() as server:
        bridge = Column(BRIDGE, (sys.executable, "-m", "bridge"))
        broken = Column(MCP_STDIO, (sys.executable, "-c", NO_MESSAGE))
        rows = ToolLists([bridge, broken], server, tmp_path, TINY).run()
    assert [row.key for row in rows] == ["list", "list-passed", "list-odd"]
    assert [set(row.values) for row in rows] == [{BRIDGE}, {BRIDGE}, {BRIDGE}]
    assert [set(row.missing) for row in rows] == [{MCP_STDIO}, set(), {MCP_STDIO}]


@pytest.mark.parametrize(("looked_at", "held"), [(1.2, True), (1.31, False), (None, None)])
def test_a_list_may_take_little_longer_for_being_looked_at(looked_at: float | None, held: bool | None) -> None:
    ours = {} if looked_at is None else {BRIDGE: looked_at}
    (verdict,) = verdicts([_row("list", ours), _row(PASSED["list"], {BRIDGE: 1.0})])
    assert verdict.held is held


def test_the_server_has_modern_paths() -> None:
    with thin_server() as server:
        exchange = Exchange(("127.0.0.1", int(server.rpartition(":")[2])))
        listen = b'{"jsonrpc":"2.0","id":"l","method":"subscriptions/listen","params":{"notifications":{}}}'
        discovered = messages.check_answer(_posted(exchange, "modern/a", messages.discover(1)), 1)
        echoed = messages.echoed(_posted(exchange, "modern/a", messages.modern_echo(2)))
        unknown = _posted(exchange, "modern/a", messages.initialize(3))
        note = _posted(exchange, "modern/a", messages.INITIALIZED)
        exchange.send(_post("modern/a", listen))
        deadline = time.monotonic() + stretched(10)
        head, acknowledged = exchange.head(deadline)
        while b"\n\n" not in acknowledged and (chunk := exchange.receive(deadline)):
            acknowledged += chunk  # The head may come alone.
        exchange.close()
    assert discovered is not None
    assert discovered["supportedVersions"] == [messages.MODERN_VERSION]
    assert echoed == 2
    assert b"-32601" in unknown
    assert note == b""
    assert b"text/event-stream" in head
    assert b"notifications/subscriptions/acknowledged" in acknowledged


def _post(path: str, body: bytes) -> bytes:
    return b"POST /%b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (path.encode(), len(body), body)


def _posted(exchange: Exchange, path: str, body: bytes) -> bytes:
    exchange.send(_post(path, body))
    deadline = time.monotonic() + stretched(10)
    while (answer := exchange.small_answer(deadline)) is None:
        pass
    return answer[1]


def test_the_floor_says_why_it_got_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        driver = FloorDriver(f"http://127.0.0.1:{silent.getsockname()[1]}/mcp/a", 0.1)
        with pytest.raises(ColumnError, match="no answer in time"):
            driver.start()
        driver.close()
    with pytest.raises(ColumnError, match="the connection failed"):
        driver.start()
    driver.close()


def test_data_lines_are_found_wherever_they_were_cut() -> None:
    stream = b"event: message\ndata: one\n\nid: 7\ndata:two\r\n\n"
    for cut in range(len(stream)):
        lines = DataLines()
        lines.feed(stream[:cut])
        lines.feed(stream[cut:])
        assert lines.found == [b"one", b"two"]


def test_chunks_are_put_together_wherever_they_were_cut() -> None:
    body = b"3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"
    for cut in range(1, len(body)):
        chunks = Chunks()
        assert chunks.feed(body[:cut]) + chunks.feed(body[cut:]) == [b"abc", b"d"]
        assert chunks.ended


def test_the_better_peer_depends_on_what_is_better() -> None:
    values = {MCP_REMOTE: 2.0, MCP_STDIO: 1.0}
    assert best_peer(_row("call", values)) == (MCP_STDIO, 1.0)
    assert best_peer(_row("parallel", values, more_is_better=True)) == (MCP_REMOTE, 2.0)
    assert best_peer(_row("call", {BRIDGE: 1.0})) is None


@pytest.mark.parametrize(
    ("row", "held"),
    [
        (_row("start", {BRIDGE: 0.8, MCP_STDIO: 1.0}), True),
        (_row("start", {BRIDGE: 0.81, MCP_STDIO: 1.0}), False),
        (_row("call", {BRIDGE: 0.75, MCP_STDIO: 1.0}), True),
        (_row("call", {BRIDGE: 0.76, MCP_STDIO: 1.0}), False),
        (_row("call", {BRIDGE: 1.1}), None),
        (_row("call", {MCP_STDIO: 1.0}), None),
        (_row("parallel", {BRIDGE: 9.0, MCP_STDIO: 10.0}, more_is_better=True), False),
        (_row("parallel", {BRIDGE: 11.0, MCP_STDIO: 10.0}, more_is_better=True), True),
        (_row("memory", {BRIDGE: 25.0}), True),
        (_row("memory", {BRIDGE: 25.1}), False),
        (_row("big", {BRIDGE: 13.0, FLOOR: 10.0}), True),
        (_row("big", {BRIDGE: 13.1, FLOOR: 10.0}), False),
        (_row("big", {BRIDGE: 13.0}), None),
        (_row("idle-wakes", {BRIDGE: 0.0}), True),
        (_row("idle-wakes", {BRIDGE: 1.0}), False),
        (_row("far-legacy", {BRIDGE: 400.0}), True),
        (_row("far-legacy", {BRIDGE: 400.1}), False),
        (_row("far-modern", {BRIDGE: 300.0}), True),
        (_row("far-modern", {BRIDGE: 300.1}), False),
        (_row("far-modern", {MCP_STDIO: 300.0}), None),
        (_row(LOST, {BRIDGE: 0.0}), True),
        (_row(LOST, {BRIDGE: 1.0}), False),
    ],
)
def test_verdicts(row: Row, held: bool | None) -> None:
    assert [verdict.held for verdict in verdicts([row])] == [held]


@pytest.mark.parametrize(
    ("translated", "untranslated", "held"),
    [(1.1, 1.0, True), (1.11, 1.0, False), (0.9, 1.0, True), (1.1, None, None), (None, 1.0, None)],
)
@pytest.mark.parametrize("key", sorted(UNTRANSLATED))
def test_a_translated_call_is_held_against_the_same_servers_untranslated(
    key: str, translated: float | None, untranslated: float | None, held: bool | None
) -> None:
    rows = [
        _row(key, {} if translated is None else {BRIDGE: translated}),
        _row(UNTRANSLATED[key], {} if untranslated is None else {BRIDGE: untranslated}),
    ]
    assert [verdict.held for verdict in verdicts(rows)] == [held]


@pytest.mark.parametrize(
    ("key", "other", "values", "held"),
    [
        ("far-legacy-first", "far-legacy", (480.0, 400.0), True),
        ("far-legacy-first", "far-legacy", (480.1, 400.0), False),
        ("far-modern-first", "far-modern", (380.0, 300.0), True),
        ("far-kept-modern", "near-modern", (120.0, 100.0), True),
        ("far-kept-modern", "near-modern", (120.1, 100.0), False),
        ("far-kept-legacy", "near-legacy", (120.1, 100.0), False),
    ],
)
def test_a_first_contact_and_kept_results_are_held_against_the_bridges_own_rows(
    key: str, other: str, values: tuple[float, float], held: bool
) -> None:
    row, against = _row(key, {BRIDGE: values[0]}), _row(other, {BRIDGE: values[1]})
    assert verdicts([row, against])[0].held is held
    assert verdicts([row])[0].held is None
    assert verdicts([_row(key, {}), against])[0].held is None


def test_the_table_shows_what_kept_results_are_worth() -> None:
    kept, near = next(iter(KEPT.items()))
    lines = markdown([_row(kept, {BRIDGE: 110.0}), _row(near, {BRIDGE: 100.0})], [BRIDGE]).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0][-1] == "kept / near"
    assert [cells[2][-1], cells[3][-1]] == ["1.10", ""]


def test_the_table_shows_what_translation_costs() -> None:
    rows = [_row("call-modern-legacy", {BRIDGE: 1.05}), _row("call-legacy-legacy", {BRIDGE: 1.0})]
    lines = markdown(rows, [BRIDGE, FLOOR]).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0][-1] == "translated / not"
    assert [cells[2][-1], cells[3][-1]] == ["1.05", ""]


def test_rows_without_a_goal_get_no_verdict() -> None:
    assert verdicts([_row("call-p99", {BRIDGE: 1.0}), _row("memory-peak", {BRIDGE: 1.0})]) == []


def test_the_table_shows_ratios_and_what_is_missing() -> None:
    row = _row("call", {BRIDGE: 1.0, FLOOR: 0.5, MCP_STDIO: 2.0})
    last = markdown([row], [BRIDGE, FLOOR, MCP_REMOTE, MCP_STDIO]).splitlines()[-1]
    assert [cell.strip() for cell in last.strip("|").split("|")] == [
        *("call (ms)", "1.00", "0.50", "n/a", "2.00"),
        *("0.50", "2.00"),
    ]


def test_numbers_have_the_digits_that_mean_something() -> None:
    assert [number(value) for value in (12345.6, 123.4, 12.34, 1.234, 0.0)] == [
        "12,346",
        "123",
        "12.3",
        "1.23",
        "0",
    ]


def test_a_row_that_is_a_median_has_its_best_sample_too() -> None:
    samples = {BRIDGE: [3.0, 1.0, 2.0], MCP_STDIO: [1.0]}
    call, parallel, tail = _row("call", {}), _row("parallel", {}, more_is_better=True), _row("call-p99", {})
    call.missing[MCP_STDIO] = "it failed half-way"
    fill(call, samples)
    fill(parallel, samples)
    fill(tail, samples, max)
    assert (call.values, call.best) == ({BRIDGE: 2.0}, {BRIDGE: 1.0})
    assert parallel.best == {BRIDGE: 3.0, MCP_STDIO: 1.0}
    assert tail.best == {}


def test_the_best_samples_are_printed_on_demand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report.json"
    assert main(["--quick", "--best", "--columns", "floor", "--only", "call", "--json", str(report)]) == 0
    row = json.loads(report.read_text())["rows"][0]
    assert row["values"] == row["best"]
    assert "this is the best sample" in capsys.readouterr().out


def test_check_fails_when_a_goal_is_not_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report.json"
    wanted = ["--quick", "--columns", "floor", "--only", "call", "--json", str(report)]
    assert main(wanted) == 0
    assert main([*wanted, "--check"]) == 1
    said = capsys.readouterr().out
    assert "a call, median (ms)" in said
    assert "not known: a call, median" in said
    assert '"key": "call"' in report.read_text()


def test_unknown_rows_and_columns_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "speed"])
    assert "speed: choose from start" in capsys.readouterr().err
