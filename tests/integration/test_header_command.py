"""`--header-command` in a whole run: every request carries what it prints, and a 401 gets the next."""

import os
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.in_process.authorization_harness import until
from tests.support.process.bridge_process import INITIALIZE, launch
from tests.support.servers.fault_answers import plain
from tests.support.servers.fault_server import FaultServer

pytestmark = pytest.mark.anyio

COUNTING = """
import sys
with open(sys.argv[1], "a+") as file:
    file.write("x")
    file.seek(0)
    print("Authorization: Bearer token-%d" % len(file.read()))
"""


def quoted(*words: str | Path) -> str:
    return " ".join(f'"{word}"' for word in words)


def counting(folder: Path) -> tuple[str, Path]:
    """A command that prints another token each time, and the file whose length counts the runs."""
    program, runs = folder / "get_token.py", folder / "runs"
    program.write_text(COUNTING)
    return quoted(sys.executable, program, runs), runs


async def test_every_request_carries_them_and_after_a_401_the_next(tmp_path: Path) -> None:
    command, runs = counting(tmp_path)
    async with FaultServer() as server, launch(server.url, "--header-command", command) as host:
        await host.initialize()
        await server.stream()
        server.once("tools/call", plain(401, b"too old"))
        await host.call("echo")
        host.close_stdin()
        assert await host.wait() == 0
        refused, accepted = server.seen("tools/call")
        assert (refused.header("authorization"), accepted.header("authorization")) == (
            "Bearer token-1",
            "Bearer token-2",
        )
        await server.until_seen("DELETE")
        assert server.seen("DELETE")[0].header("authorization") == "Bearer token-2"
        assert all(request.header("authorization") for request in server.http.requests)
        assert runs.read_text() == "xx"


async def test_a_401_that_stays_is_told_once_with_what_the_server_said(tmp_path: Path) -> None:
    command, runs = counting(tmp_path)
    async with FaultServer() as server, launch(server.url, "--header-command", command) as host:
        await host.initialize()
        server.always("tools/call", plain(401, b"No such team.", "text/plain"))
        answer = await host.request("tools/call", {"name": "echo", "arguments": {}})
        assert answer.kind == "unauthorized"
        said = answer.error["message"]
        assert "refused (HTTP 401) the headers that the command of --header-command printed" in said
        assert "No such team" in said
        assert runs.read_text() == "xx"
        assert "token-" not in " ".join(host.stderr)


async def test_a_command_that_fails_is_told_to_the_host(tmp_path: Path) -> None:
    program = tmp_path / "get_token.py"
    program.write_text("import sys; sys.exit('Run: company login')")
    command = quoted(sys.executable, program)
    async with FaultServer() as server, launch(server.url, "--header-command", command) as host:
        answer = await host.request("initialize", INITIALIZE)
        assert answer.kind == "unauthorized"
        assert "failed with exit code 1: Run: company login." in answer.error["message"]
        assert not server.http.requests


@pytest.mark.skipif(os.name == "nt", reason="POSIX tells when the process is gone")
async def test_a_run_that_ends_leaves_no_command_behind(tmp_path: Path) -> None:
    program, pid = tmp_path / "hang.py", tmp_path / "pid"
    program.write_text(
        "import os, sys, time\nopen(sys.argv[1] + '.new', 'w').write(str(os.getpid()))\n"
        "os.rename(sys.argv[1] + '.new', sys.argv[1])\ntime.sleep(99)\n"
    )
    async with FaultServer() as server:
        async with launch(server.url, "--header-command", quoted(sys.executable, program, pid)) as host:
            await host.ask("initialize", INITIALIZE)
            await until(pid.exists)
            host.close_stdin()
            assert await host.wait() == 0
        await until(lambda: not psutil.pid_exists(int(pid.read_text())))
