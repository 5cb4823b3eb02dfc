"""The bridge as a desktop host runs it: a child process, pipes, and raw lines in both directions.

Whatever a test is about, the harness holds the rules that are always true when the process is let go: every
line on stdout is one JSON value, no request was answered twice, no answer came that nobody asked for, and no
traceback was printed. A process is always killed at the end, however the test went.
"""

import asyncio
import contextlib
import json
import os
import shlex
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.process.fork_server import ForkedProcess, can_fork, command_to_fork, fork_server
from tests.support.revisions import Wire
from tests.support.servers.fault_http import DEADLINE, Bell
from tests.support.waits import stretched

ROOT = Path(__file__).resolve().parents[3]

CREATE_NEW_PROCESS_GROUP = 0x00000200
"""Windows' flag for a process that leads a group (winbase.h)."""

CLIENT_INFO = {"name": "test-host", "version": "1.0"}
INITIALIZE: dict[str, Any] = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": CLIENT_INFO}
"""The parameters of a legacy host's `initialize`, for a test that makes the handshake itself."""
TOOLS_CHANGED = "notifications/tools/list_changed"

_KEPT = (
    "PATH",
    "SYSTEMROOT",
    "SYSTEMDRIVE",
    "TEMP",
    "TMP",
    "COMSPEC",
    "LANG",
    "LD_LIBRARY_PATH",
    "VIRTUAL_ENV",
)


@dataclass(frozen=True)
class Line:
    """One line of stdout: its bytes without the newline, and the JSON value in it."""

    raw: bytes
    value: Any

    @property
    def result(self) -> Any:
        """The result of an answer; fails with the line where it is an error."""
        assert "result" in self.value, f"expected a result: {self.raw[:2000]!r}"
        return self.value["result"]

    @property
    def error(self) -> dict[str, Any]:
        """The error of an answer; fails with the line where it is a result."""
        assert "error" in self.value, f"expected an error: {self.raw[:2000]!r}"
        error: dict[str, Any] = self.value["error"]
        return error

    @property
    def kind(self) -> str | None:
        """What the bridge calls the error it made; None for an error of the server's own."""
        data = self.error.get("data")
        return data.get("kind") if isinstance(data, dict) else None


def id_key(value: object) -> str:
    """Ids compared as JSON writes them: 1, 1.0 and "1" are three ids."""
    return json.dumps(value)


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment without the user's HOME, desktop, proxies or bridge settings."""
    own = {name: os.environ[name] for name in _KEPT if name in os.environ}
    for name in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"):
        own[name] = str(home)
    for name in ("CONFIG", "DATA", "STATE", "CACHE"):
        own[f"XDG_{name}_HOME"] = str(home / name.lower())
    own["PYTHONPATH"] = str(ROOT)
    own["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
    # What is there is not looked for elsewhere: no test opens a tab on the desktop of whoever runs it.
    own |= dict.fromkeys(("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"), "")
    return own | dict(extra or {})


def command(*words: str) -> list[str]:
    """What a host runs. MCP_BRIDGE_TEST_COMMAND puts another program in its place."""
    other = os.environ.get("MCP_BRIDGE_TEST_COMMAND")
    program = shlex.split(other) if other else [sys.executable, "-m", "bridge"]
    return [*program, *words]


def forked_command(*words: str) -> tuple[list[str], dict[str, str]]:
    """What a host runs, and the variables that it needs: a program that has the bridge forked, where that may be."""
    if forking := command_to_fork("bridge"):
        return [*forking, *words], fork_server().variables
    return command(*words), {}


class BridgeProcess:
    """A running bridge. Made by `launch`."""

    def __init__(self, process: asyncio.subprocess.Process | ForkedProcess, wire: Wire | None = None) -> None:
        self.process = process
        self.wire = wire
        """What checks each line in both directions, where the host speaks one revision."""
        self.lines: list[Line] = []
        self.stderr: list[str] = []
        self.asked: list[str] = []
        """The ids of every request sent by `ask`, as `id_key` writes them."""
        self.checks_answers = True
        """Whether answers nobody asked for are a failure at the end (tests that send raw bytes say False)."""
        self.may_break_off = False
        """Whether the last line may be cut: a host that does not read cannot have it whole."""
        self.stdout_closed = False
        self.bell = Bell()
        self._reading = asyncio.Event()
        self._reading.set()
        self._stray: list[bytes] = []
        self._taken: set[int] = set()
        self._next = 1000
        self._tasks = [asyncio.create_task(self._read_stdout()), asyncio.create_task(self._read_stderr())]

    # -- towards the bridge

    async def send(self, message: object, deadline: float = DEADLINE) -> None:
        """Write one message as a line, or bytes exactly as they are."""
        data = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
        if self.wire:
            for line in data.splitlines():
                self.wire.from_client(line)
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        async with asyncio.timeout(stretched(deadline)):
            await self.process.stdin.drain()

    async def ask(self, method: str, params: object = None, *, id: object = None) -> Any:  # noqa: A002
        """Send a request and return its id without waiting for the answer."""
        if id is None:
            self._next += 1
            id = self._next  # noqa: A001
        self.asked.append(id_key(id))
        message: dict[str, object] = {"jsonrpc": "2.0", "id": id, "method": method}
        if params is not None:
            message["params"] = params
        await self.send(message)
        return id

    async def request(
        self,
        method: str,
        params: object = None,
        *,
        id: object = None,  # noqa: A002
        deadline: float = DEADLINE,
    ) -> Line:
        """Send a request and wait for its answer."""
        return await self.answer(await self.ask(method, params, id=id), deadline)

    async def call(self, tool: str, deadline: float = DEADLINE, **arguments: object) -> Line:
        """Call a tool and wait for its answer."""
        return await self.request("tools/call", {"name": tool, "arguments": arguments}, deadline=deadline)

    async def notify(self, method: str, params: object = None) -> None:
        """Send a notification."""
        message: dict[str, object] = {"jsonrpc": "2.0", "method": method}
        if params is not None:
            message["params"] = params
        await self.send(message)

    async def initialize(self, version: str = "2025-11-25", deadline: float = DEADLINE) -> Line:
        """The handshake a host makes; returns the answer to `initialize`."""
        params = {"protocolVersion": version, "capabilities": {}, "clientInfo": CLIENT_INFO}
        answer = await self.request("initialize", params, id="init", deadline=deadline)
        assert "result" in answer.value, answer.raw
        await self.notify("notifications/initialized")
        return answer

    def close_stdin(self) -> None:
        """End of input."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    # -- from the bridge

    def answers(self, id: object) -> list[Line]:  # noqa: A002
        """Every answer line to the id so far."""
        key = id_key(id)
        return [line for line in self.lines if _answers(line) == key]

    async def answer(self, id: object, deadline: float = DEADLINE) -> Line:  # noqa: A002
        """Wait for the answer to a request."""
        await self._until(lambda: bool(self.answers(id)), f"an answer to {id!r}", deadline)
        return self.answers(id)[0]

    async def receive(self, method: str, deadline: float = DEADLINE) -> Line:
        """Wait for the next request or notification of the method that was not taken before."""
        found: list[int] = []

        def look() -> bool:
            found[:] = [
                n
                for n, line in enumerate(self.lines)
                if n not in self._taken and isinstance(line.value, dict) and line.value.get("method") == method
            ]
            return bool(found)

        await self._until(look, f"{method} from the bridge", deadline)
        self._taken.add(found[0])
        return self.lines[found[0]]

    def messages(self, method: str) -> list[Line]:
        """Every request or notification of the method so far."""
        return [line for line in self.lines if isinstance(line.value, dict) and line.value.get("method") == method]

    async def stderr_says(self, text: str, deadline: float = DEADLINE) -> str:
        """Wait for a line on stderr that holds the text, whatever the case of its letters."""

        def found() -> list[str]:
            return [line for line in self.stderr if text.lower() in line.lower()]

        await self._until(lambda: bool(found()), f"{text!r} on stderr", deadline)
        return found()[0]

    async def wait(self, deadline: float = 2.0) -> int:
        """Wait for the process to end by itself, and for its last lines; returns the exit code."""
        try:
            async with asyncio.timeout(stretched(deadline)):
                code = await self.process.wait()
        except TimeoutError:
            raise AssertionError(f"still running after {deadline} s; stderr: {self.stderr[-20:]}") from None
        async with asyncio.timeout(stretched(DEADLINE)):
            await asyncio.gather(*self._tasks)
        return code

    async def gone(self, deadline: float = 2.0) -> None:
        """Wait for the process to end while its stdout is not read; the end of stderr tells."""
        async with asyncio.timeout(stretched(deadline)):
            await asyncio.shield(self._tasks[1])

    def stop_reading(self) -> None:
        """Be the host that no longer reads: at most what pipes and buffers take is consumed."""
        self._reading.clear()

    def read_on(self) -> None:
        """Read again."""
        self._reading.set()

    async def _until(self, condition: Any, what: str, deadline: float) -> None:
        await self.bell.until(lambda: condition() or self._over(), what, deadline)
        assert condition(), f"the bridge ended without {what}; stderr: {self.stderr[-20:]}"

    def _over(self) -> bool:
        return self.stdout_closed

    async def _read_stdout(self) -> None:
        assert self.process.stdout is not None
        pending: list[bytes] = []
        while True:
            await self._reading.wait()
            data = await self.process.stdout.read(1 << 18)
            if not data:
                break
            first, *rest = data.split(b"\n")
            pending.append(first)
            for part in rest:
                self._line(b"".join(pending))
                pending = [part]
            self.bell.ring()
        if any(pending) and not self.may_break_off:
            self._stray.append(b"".join(pending))
        self.stdout_closed = True
        self.bell.ring()

    def _line(self, raw: bytes) -> None:
        if self.wire:
            with contextlib.suppress(AssertionError):  # Kept by the wire: nobody awaits this task in time.
                self.wire.from_server(raw)
        try:
            value = json.loads(raw)
            raw.decode()
        except (ValueError, RecursionError):
            self._stray.append(raw)
            return
        if isinstance(value, dict | list):
            self.lines.append(Line(raw, value))
        else:
            self._stray.append(raw)

    async def _read_stderr(self) -> None:
        assert self.process.stderr is not None
        rest = b""
        while data := await self.process.stderr.read(1 << 16):
            *whole, rest = (rest + data).split(b"\n")
            self.stderr += [line.decode(errors="replace").rstrip("\r") for line in whole]
            self.bell.ring()
        if rest:
            self.stderr.append(rest.decode(errors="replace"))

    def check(self) -> None:
        """The rules that hold in every test."""
        assert not self._stray, f"stdout carried something else than JSON lines: {[s[:300] for s in self._stray]}"
        assert not any("Traceback" in line for line in self.stderr), f"a traceback on stderr: {self.stderr}"
        if self.checks_answers:
            answered = [key for line in self.lines if (key := _answers(line)) is not None]
            assert len(answered) == len(set(answered)), f"answered twice: {answered}"
            unasked = set(answered) - set(self.asked)
            assert not unasked, f"answers nobody asked for: {unasked}"
        if self.wire:
            self.wire.check()

    async def end(self) -> None:
        """Kill the process if it still runs, and let go of its pipes."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
        self._reading.set()
        await self.process.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        let_go_of(self.process)


def _answers(line: Line) -> str | None:
    value = line.value
    if not isinstance(value, dict) or "method" in value or "id" not in value:
        return None
    return id_key(value["id"])


def let_go_of(process: asyncio.subprocess.Process | ForkedProcess) -> None:
    """Close the pipes to a process that has ended."""
    if isinstance(process, ForkedProcess):
        process.close()
    elif (transport := getattr(process, "_transport", None)) is not None:
        transport.close()


async def start_bridge(
    words: Sequence[str], env: Mapping[str, str], *, own_session: bool = False, as_program: bool = False
) -> asyncio.subprocess.Process | ForkedProcess:
    """Start `mcp-remote-bridge` with these words and this environment, and pipes to it.

    It is forked, which is quicker, where it may be, unless `as_program` says that the system has to show it as a
    program of its own (`fork_server`).
    """
    if not as_program and can_fork(env, environment(Path())):
        return await fork_server().start(words, env, ROOT, own_session=own_session)
    more: dict[str, Any] = {}
    if own_session:
        is_windows = sys.platform == "win32"
        more = {"creationflags": CREATE_NEW_PROCESS_GROUP} if is_windows else {"start_new_session": True}
    return await asyncio.create_subprocess_exec(
        *command(*words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=env,
        cwd=ROOT,
        **more,
    )


@contextlib.asynccontextmanager
async def launch(
    url: str,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    patience: float | None = None,
    wire: Wire | None = None,
    own_session: bool = False,
    as_program: bool = False,
) -> AsyncIterator[BridgeProcess]:
    """Run the bridge for one test; `patience` in seconds shortens its 30 s, `wire` checks what passes.

    `as_program` is for what the system shows of a process (`fork_server`), `own_session` as desktop hosts start it.
    """
    extra = dict(env or {})
    if patience is not None:
        extra["MCP_BRIDGE_PATIENCE"] = f"{stretched(patience):g}"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        own = environment(Path(home), extra)
        process = await start_bridge([url, *arguments], own, own_session=own_session, as_program=as_program)
        bridge = BridgeProcess(process, wire)
        try:
            yield bridge
        finally:
            await bridge.end()
    bridge.check()
