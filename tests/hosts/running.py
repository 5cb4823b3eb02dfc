"""A host as a user starts it: a home folder of its own, a desktop, a deadline, and nothing left when it is over."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.hosts.host import Host, Setting, Start
from tests.support.oauth.browser_program import __file__ as BROWSER_SCRIPT  # noqa: N812
from tests.support.waits import stretched

_KEPT = ("PATH", "SYSTEMROOT", "SYSTEMDRIVE", "TEMP", "TMP", "COMSPEC", "LD_LIBRARY_PATH")
NOWHERE = "http://127.0.0.1:9/"
"""Where nothing is: a port that is for throwing away."""
DISPLAY = ":97"
"""A display that is not there: nothing but the stand-in for a browser is started."""


@dataclass(frozen=True)
class Ended:
    """A run of a host that is over."""

    code: int | None
    """The exit code; None where it had to be ended."""
    seconds: float
    output: str
    """What it wrote to stdout and stderr, as it came."""
    log: str
    """What it wrote to its log files."""


def desktop(home: Path, setting_node: Path, browser: Path) -> dict[str, str]:
    """The variables of a host that is started on a desktop."""
    own = {name: os.environ[name] for name in _KEPT if name in os.environ}
    own |= dict.fromkeys(("HOME", "USERPROFILE"), str(home))
    # npm hosts call `node` by name, for themselves and for what they start.
    own["PATH"] = f"{setting_node.parent}{os.pathsep}{own.get('PATH', '')}"
    own |= {"LANG": "C.UTF-8", "TERM": "dumb", "NO_COLOR": "1", "SHELL": "/bin/sh", "USER": "user", "LOGNAME": "user"}
    # Some fetch plugins or newer versions of themselves by the way.
    own |= {"NPM_CONFIG_REGISTRY": NOWHERE, "PIP_INDEX_URL": NOWHERE}
    return own | {"DISPLAY": DISPLAY, "BROWSER": str(browser)}


def write_browser(folder: Path, kind: str) -> Path:
    """Write the program that `BROWSER` names: `tests/support/oauth/browser_program.py` with its settings fixed."""
    record = folder / "browser.jsonl"
    script = folder / "browser"
    script.write_text(
        f"#!/bin/sh\nLOGIN_BROWSER_DO={kind} LOGIN_BROWSER_FILE={shlex.quote(str(record))} "
        f'exec {shlex.quote(sys.executable)} {shlex.quote(BROWSER_SCRIPT)} "$1"\n',
        encoding="utf-8",
    )
    script.chmod(0o755)
    return script


def make_project(folder: Path) -> None:
    """Make the folder the user works in, a repository: hosts look no further for what belongs to a project."""
    repository = folder / ".git"
    for name in ("objects", "refs"):
        (repository / name).mkdir(parents=True)
    (repository / "HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")


async def run(host: Host, setting: Setting, browser: Path, stop: Callable[[], bool], limit: float) -> Ended:
    """Start the host, wait until it ends, `stop` says so or `limit` seconds are over, and leave nothing behind."""
    start = host.start(setting)
    began = time.monotonic()
    try:
        process = await _launch(start, setting, desktop(setting.home, setting.node, browser))
        said: list[bytes] = []
        reading = asyncio.create_task(_read(process, said))
        while process.returncode is None and not stop() and time.monotonic() - began < limit:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    await process.wait()
        code, seconds = process.returncode, time.monotonic() - began
    finally:
        end_all(setting.home)
    await process.wait()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(stretched(5)):
            await reading
    return Ended(code, seconds, b"".join(said).decode("utf-8", "replace"), _logs(host, setting.home))


async def _launch(start: Start, setting: Setting, variables: dict[str, str]) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        *start.command,
        cwd=setting.folder,
        env=variables | dict(start.variables),
        stdin=subprocess.DEVNULL if start.stdin is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    if start.stdin is not None:
        assert process.stdin is not None
        process.stdin.write(start.stdin.encode())
        await process.stdin.drain()
        process.stdin.close()
    return process


async def _read(process: asyncio.subprocess.Process, said: list[bytes]) -> None:
    assert process.stdout is not None
    while data := await process.stdout.read(1 << 16):
        said.append(data)


def end_all(home: Path) -> None:
    """End every process whose home folder is this one: hosts leave some, and a login outlives its host."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("HOME") == str(home):
                process.send_signal(signal.SIGKILL)


def _logs(host: Host, home: Path) -> str:
    files = [path for pattern in host.logs for path in sorted(home.glob(pattern)) if path.is_file()]
    return "\n".join(path.read_text("utf-8", "replace") for path in files)
