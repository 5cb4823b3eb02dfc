"""A process that is started and left alone: what it is told, what it answers, what it outlives."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from bridge.errors import BridgeError
from bridge.login import spawn
from bridge.login.spawn import MAX_ANSWER, detached_environment, detachments, root, start_detached
from tests.login.token_endpoint_answers import DEADLINE
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

NOTHING = Path(os.devnull).stat().st_ino
REPOSITORY = Path(spawn.__file__).resolve().parents[2]


# The bridge's own processes write bytes; these print, which would end a line with two characters on Windows.
_ONE_NEWLINE = "import sys; sys.stdout.reconfigure(newline='\\n')\n" if sys.platform == "win32" else ""


def python(program: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", _ONE_NEWLINE + program]


async def start(program: str, order: bytes = b"", seconds: float = DEADLINE, **environ: str) -> bytes | None:
    return await start_detached(python(program), {**detached_environment(os.environ), **environ}, order, seconds)


def wait_for_file(file: Path) -> str:
    """The text of a file that is put in its place whole."""
    limit = time.monotonic() + stretched(DEADLINE)
    while not file.exists():
        assert time.monotonic() < limit, f"{file.name} never came"
        time.sleep(0.01)
    return file.read_text(encoding="utf-8")


def wait_for_end(pid: int) -> None:
    """Wait until there is nothing of a process, not even a zombie."""
    limit = time.monotonic() + stretched(DEADLINE)
    while psutil.pid_exists(pid):
        assert time.monotonic() < limit, f"process {pid} is still there"
        time.sleep(0.01)


async def test_it_reads_its_order_and_answers_with_a_line() -> None:
    echo = "import sys; order = sys.stdin.read(); print(order[::-1]); print('more')"
    assert await start(echo, b"drawkcab") == b"backward"


async def test_one_that_ends_without_a_line_has_no_answer() -> None:
    assert await start("import sys; sys.stdout.write('half a line')") is None
    assert await start("raise SystemExit(3)") is None


async def test_one_that_closes_its_stdout_has_no_answer(tmp_path: Path) -> None:
    program = f"import os, sys, time; os.close(1); sys.stdin.read(); {writes(tmp_path / 'on', 'str(os.getpid())')}"
    assert await start(program) is None
    wait_for_end(int(wait_for_file(tmp_path / "on")))


def writes(file: Path, expression: str) -> str:
    """A statement that puts the value of an expression into a file, whole."""
    return f"open({str(file) + '.new'!r}, 'w').write({expression}); os.replace({str(file) + '.new'!r}, {str(file)!r})"


async def test_one_that_is_silent_is_not_waited_for_and_goes_on(tmp_path: Path) -> None:
    """What it writes later is discarded."""
    gate = tmp_path / "gate"
    program = (
        f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)\n"
        f"print('late', flush=True)\n{writes(tmp_path / 'on', 'str(os.getpid())')}"
    )
    with pytest.raises(TimeoutError):
        await start(program, seconds=0.05)
    gate.touch()
    wait_for_end(int(wait_for_file(tmp_path / "on")))


@pytest.mark.parametrize(("length", "taken"), [(MAX_ANSWER, True), (MAX_ANSWER + 1, False)], ids=["fits", "too-long"])
async def test_a_long_line_is_no_answer(length: int, taken: bool) -> None:
    answer = await start(f"print('x' * {length})")
    assert (answer == b"x" * length) is taken
    assert taken or answer is None


async def test_a_large_order_arrives_whole() -> None:
    program = "import sys, hashlib; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())"
    order = b"0123456789" * 50_000
    assert await start(program, order) == hashlib.sha256(order).hexdigest().encode()


async def test_an_order_that_is_not_read_is_no_error() -> None:
    assert await start("import os; os.close(0); print('no', flush=True)", b"x" * 1_000_000) == b"no"


@pytest.mark.parametrize("command", [["/no/such/program"], ["nul\0"]], ids=["missing", "malformed"])
async def test_what_cannot_be_started_is_said(command: list[str]) -> None:
    with pytest.raises(BridgeError, match="could not be started"):
        await start_detached(command, os.environ, b"", stretched(DEADLINE))


async def test_it_gets_none_of_our_streams_and_no_folder_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    program = (
        "import os, sys, json\n"
        "print('an error', file=sys.stderr, flush=True)\n"
        "def is_open(n):\n"
        "    try: return bool(os.fstat(n))\n"
        "    except OSError: return False\n"
        "descriptors = [n for n in range(3, 256) if is_open(n)]\n"
        "own = os.getsid(0) == os.getpid() if hasattr(os, 'getsid') else None\n"
        "print(json.dumps([os.getcwd(), own, os.fstat(2).st_ino, descriptors]))"
    )
    kept, other = os.pipe()
    os.set_inheritable(kept, True)
    try:
        answer = await start(program)
    finally:
        os.close(kept)
        os.close(other)
    assert answer is not None
    folder, own_session, stderr, descriptors = json.loads(answer)
    assert folder == root(os.environ, sys.platform)
    assert capfd.readouterr() == ("", "")
    if os.name == "posix":
        assert own_session is True
        assert stderr == NOTHING
    assert descriptors == []


async def test_it_leaves_no_zombie() -> None:
    answer = await start("import os; print(os.getpid())")
    assert answer is not None
    wait_for_end(int(answer))


async def test_it_goes_on_when_nobody_waits_any_more(tmp_path: Path) -> None:
    program = f"import os, sys\norder = sys.stdin.read()\n{writes(tmp_path / 'on', 'order')}"
    starting = asyncio.create_task(start(program, b"all of it"))
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert wait_for_file(tmp_path / "on") == "all of it"


def parent(tmp_path: Path, wait_seconds: float) -> str:
    """A program that starts a process and tells its number; the process waits for a gate, then writes a file."""
    child = (
        "import os, sys, time\n"
        "order = sys.stdin.read()\n"
        f"{writes(tmp_path / 'pid', 'str(os.getpid())')}\n"
        f"limit = time.monotonic() + {stretched(DEADLINE)}\n"
        f"while not os.path.exists({str(tmp_path / 'gate')!r}) and time.monotonic() < limit: time.sleep(0.01)\n"
        f"{writes(tmp_path / 'on', 'order')}"
    )
    return (
        "import asyncio, os\n"
        "from bridge.login.spawn import start_detached\n"
        f"try: asyncio.run(start_detached({python(child)!r}, os.environ, b'told', {wait_seconds}))\n"
        "except TimeoutError: pass"
    )


def start_parent(program: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        start_new_session=True,
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows has no process group to kill")
def test_it_outlives_a_parent_that_is_killed_with_its_group(tmp_path: Path) -> None:
    host = start_parent(parent(tmp_path, stretched(DEADLINE)))
    pid = int(wait_for_file(tmp_path / "pid"))
    os.killpg(host.pid, signal.SIGKILL)
    # Its stdout ends with it: the process that it started holds none of it.
    assert host.communicate(timeout=stretched(DEADLINE))[0] == b""
    (tmp_path / "gate").touch()
    assert wait_for_file(tmp_path / "on") == "told"
    wait_for_end(pid)


def test_it_does_not_hold_up_the_parents_own_end(tmp_path: Path) -> None:
    host = start_parent(parent(tmp_path, 0.05))
    assert host.communicate(timeout=stretched(DEADLINE))[0] == b""
    assert host.returncode == 0
    assert not (tmp_path / "on").exists()
    (tmp_path / "gate").touch()
    assert wait_for_file(tmp_path / "on") == "told"


# -- surroundings, and other systems


def test_it_gets_our_surroundings_without_our_settings() -> None:
    environ = {"PATH": "/bin", "MCP_BRIDGE_CLIENT_SECRET": "hidden", "HTTPS_PROXY": "p"}
    assert detached_environment(environ) == {"PATH": "/bin", "HTTPS_PROXY": "p"}


@pytest.mark.parametrize(
    ("platform", "environ", "folder"),
    [
        ("linux", {"SystemRoot": "D:\\Win"}, "/"),
        ("darwin", {}, "/"),
        ("win32", {"SystemRoot": "D:\\Win"}, "D:\\"),
        ("win32", {"SYSTEMROOT": "E:\\Win"}, "E:\\"),
        ("win32", {}, "C:\\"),
    ],
    ids=["linux", "macos", "windows", "windows-capitals", "windows-bare"],
)
def test_the_folder_is_a_root(platform: str, environ: dict[str, str], folder: str) -> None:
    assert root(environ, platform) == folder


def test_each_system_sets_it_apart() -> None:
    assert detachments("linux") == detachments("darwin") == ({"start_new_session": True},)
    first, second = (how["creationflags"] for how in detachments("win32"))
    assert first == second | 0x01000000  # CREATE_BREAKAWAY_FROM_JOB
    assert second == 0x08000200  # CREATE_NO_WINDOW, CREATE_NEW_PROCESS_GROUP


class Windows:
    """`Popen` of a Windows whose job lets its processes go, or not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, forbidden: int) -> None:
        self.tried: list[int] = []
        self._forbidden = forbidden
        self._popen = subprocess.Popen
        monkeypatch.setattr(spawn, "detachments", lambda platform: detachments("win32"))
        monkeypatch.setattr(subprocess, "Popen", self.start)

    def start(self, command: list[str], *, creationflags: int, **rest: Any) -> "subprocess.Popen[bytes]":
        self.tried.append(creationflags)
        if creationflags & self._forbidden:
            raise PermissionError(13, "Access is denied")  # ERROR_ACCESS_DENIED
        return self._popen(command, start_new_session=True, **rest)


async def test_where_the_job_lets_it_go_it_leaves_the_job(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    system = Windows(monkeypatch, forbidden=0)
    assert await start("print('yes')") == b"yes"
    assert system.tried == [0x09000200]
    assert caplog.messages == []


async def test_where_the_job_keeps_it_it_starts_all_the_same_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    system = Windows(monkeypatch, forbidden=0x01000000)
    assert await start("print('yes')") == b"yes"
    assert system.tried == [0x09000200, 0x08000200]
    (said,) = caplog.records
    assert said.levelname == "WARNING"
    assert "ends when the host ends this bridge, and the next one starts it again" in said.getMessage()


async def test_where_it_may_not_start_at_all_that_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    system = Windows(monkeypatch, forbidden=0x08000000)
    with pytest.raises(BridgeError, match="Access is denied"):
        await start("print('yes')")
    assert len(system.tried) == 2
    assert caplog.messages == []


async def test_the_thread_that_waits_is_no_reason_to_stay() -> None:
    answer = await start("import os, sys; print(os.getpid(), flush=True); sys.stdin.read()")
    assert answer is not None
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "spawn")
    wait_for_end(int(answer))


def test_certificates_are_found_from_another_folder_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"SSL_CERT_FILE": "own.pem", "SSL_CERT_DIR": ""}
    assert detached_environment(given) == {"SSL_CERT_FILE": str(Path.cwd() / "own.pem"), "SSL_CERT_DIR": ""}
