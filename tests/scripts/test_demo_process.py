"""The demo's processes: a demo that hangs, or passes though something is off, shows nothing."""

import json
import sys
from collections.abc import Callable, Iterator

import pytest

from scripts.demo_process import DemoError, Host, Message, Process, nothing_left_behind, own_variables
from scripts.demo_stage import describe

Run = Callable[[str], Process]

ECHO = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if "id" in asked:
        answer = {"jsonrpc": "2.0", "id": asked["id"], "result": {"asked": asked["method"]}}
        print(json.dumps(answer), flush=True)
"""


def child_of(code: str, words: list[tuple[str, str]]) -> Process:
    return Process("child", [sys.executable, "-c", code], lambda *said: words.append(said))


@pytest.fixture
def words() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def run(words: list[tuple[str, str]]) -> Iterator[Run]:
    with nothing_left_behind() as start:
        yield lambda code: start(child_of(code, words))


def quiet(_sender: str, _message: Message) -> None:
    pass


def test_a_session_from_first_request_to_exit_code(run: Run) -> None:
    shown: list[tuple[str, Message]] = []
    child = run(ECHO)
    host = Host(child, lambda sender, message: shown.append((sender, message)))
    assert host.result(host.request("ping")) == {"asked": "ping"}
    host.notify("notifications/initialized")
    assert host.result(host.request("tools/list", {"cursor": "2"})) == {"asked": "tools/list"}
    assert child.end_input() == 0
    assert child.rest() == []
    assert [sender for sender, _ in shown] == ["host", "server", "host", "host", "server"]
    assert shown[3][1] == {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"cursor": "2"}}


def test_an_answer_to_another_request_is_a_failure(run: Run) -> None:
    host = Host(run(ECHO), quiet)
    host.request("ping")
    with pytest.raises(DemoError, match="request 1"):
        host.result(host.request("ping"))


@pytest.mark.parametrize("line", ["Connected!", "[]", '{"id": 0, "result": {}}'])
def test_a_line_that_is_no_message_is_a_failure(run: Run, line: str) -> None:
    host = Host(run(f"print({line!r}); input()"), quiet)
    with pytest.raises(DemoError, match="not "):
        host.receive()


def test_a_child_that_dies_is_named_with_its_last_words(run: Run, words: list[tuple[str, str]]) -> None:
    child = run("import sys; sys.exit('no route to host')")
    with pytest.raises(DemoError, match="the child: its output ended too early, exit code 1"):
        child.line()
    assert words == [("child", "no route to host")]


def test_silence_is_a_failure(run: Run) -> None:
    with pytest.raises(DemoError, match="no line within"):
        run("input()").line(patience=0.05)


def test_what_comes_after_the_last_answer_is_seen(run: Run) -> None:
    child = run("import sys; sys.stdin.read(); print('late')")
    assert child.end_input() == 0
    assert child.rest() == ["late"]


def test_nothing_is_left_behind_whatever_happens(words: list[tuple[str, str]]) -> None:
    children: list[Process] = []

    def interrupted() -> None:
        with nothing_left_behind() as start:
            deaf = "import threading; threading.Event().wait(60)"
            children.append(start(child_of(deaf, words)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    # It would not have gone by itself within the time this waits.
    assert children[0].end_input() != 0


def test_this_machines_settings_do_not_reach_the_demo() -> None:
    machine = {"https_proxy": "http://proxy.example", "MCP_BRIDGE_SILENT": "1", "PYTHONPATH": "/x", "PATH": "/bin"}
    assert own_variables(machine) == {"PATH": "/bin"}


def test_messages_are_told_by_what_matters_in_them() -> None:
    call = {"id": 2, "method": "tools/call", "params": {"name": "add", "arguments": {"a": 1}}}
    assert describe(call) == '[2] tools/call add {"a": 1}'
    assert describe({"id": 0, "result": {"tools": [{"name": "add"}, {"name": "count"}]}}) == "[0] tools: add, count"
    assert describe({"id": "x", "result": {"content": [{"type": "text", "text": "42"}]}}) == '["x"] "42"'
    error = {"code": -32000, "message": "refused"}
    assert describe({"id": 3, "error": error}) == f"[3] error {json.dumps(error)}"
    assert describe({"method": "notifications/initialized"}) == "notifications/initialized"
