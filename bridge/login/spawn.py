"""Starting a process that outlives this one: it reads one line, writes one line, and then runs on its own.

Hosts kill what they started with all its children: by process group, by terminal, or by job (Windows). So the process
gets its own session, none of our streams, and a working folder that is always there. On Windows it leaves the host's
job if the job allows it:

| the host's job (Windows) | what happens to the process | what the bridge does |
|---|---|---|
| none, or one with BREAKAWAY_OK or SILENT_BREAKAWAY_OK | it leaves the job | nothing |
| one that allows no process to leave | it cannot start outside (ERROR_ACCESS_DENIED) | starts it inside, and logs it |
| one that allows it, inside a job that does not | it stays in the outer job (Nested Jobs) | nothing: it cannot know |

If the job ends the login process, the next copy of the bridge begins another login (`oauth/prompt_backoff`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

from bridge import PROGRAM
from bridge.config import child_environment
from bridge.errors import BridgeError
from bridge.login.browser import detachment

MAX_ANSWER = 64 * 1024
"""The longest answer, in bytes."""

_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_CREATE_NEW_PROCESS_GROUP = 0x00000200
_CREATE_BREAKAWAY_FROM_JOB = 0x01000000
# A console that is not seen, rather than none: programs that it starts would each open a window.
_CREATE_NO_WINDOW = 0x08000000

_logger = logging.getLogger("bridge.login")


class CannotStart(BridgeError):
    """The system could not start the process."""


def detached_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for such a process: ours without `MCP_BRIDGE_*`.

    Those variables are settings, which the process gets in its order, and may be secrets. Relative paths of
    certificates are made absolute, because the process has another working folder.
    """
    kept = child_environment(environ)
    return kept | {name: str(Path(kept[name]).absolute()) for name in _CERTIFICATES if kept.get(name)}


def detachments(platform: str) -> tuple[dict[str, Any], ...]:
    """Return the arguments of `Popen` that detach a process on a `platform` (as `sys.platform`), the best first.

    The second is used if the system forbids the first, because not every job lets its processes leave.
    """
    if platform != "win32":
        return (detachment(platform),)
    apart = _CREATE_NEW_PROCESS_GROUP | _CREATE_NO_WINDOW
    return ({"creationflags": apart | _CREATE_BREAKAWAY_FROM_JOB}, {"creationflags": apart})


def root(environ: Mapping[str, str], platform: str) -> str:
    """Return a folder that always exists and is never removed: the root of the system's drive."""
    if platform != "win32":
        return "/"
    system = environ.get("SystemRoot") or environ.get("SYSTEMROOT") or ""
    return PureWindowsPath(system).anchor or "C:\\"


async def start_detached(
    command: Sequence[str], environ: Mapping[str, str], order: bytes, seconds: float
) -> bytes | None:
    """Start `command` detached, with `order` on its stdin; return the first line that it writes to stdout.

    Returns None if it ends or closes stdout without a line. Its stderr is discarded. Raises `BridgeError` if it cannot
    be started, and `TimeoutError` after `seconds` without a line; the process then goes on.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bytes | None] = loop.create_future()

    def settle(outcome: bytes | BridgeError | None) -> None:
        if answer.done():
            return
        if isinstance(outcome, BridgeError):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)

    def tell(outcome: bytes | BridgeError | None) -> None:
        with contextlib.suppress(RuntimeError):  # The loop is closed.
            loop.call_soon_threadsafe(settle, outcome)

    # A daemon thread, not asyncio's subprocesses: those kill the process when the loop ends.
    threading.Thread(target=_run, args=(command, environ, order, tell), name="spawn", daemon=True).start()
    async with asyncio.timeout(seconds):
        return await answer


def _run(
    command: Sequence[str],
    environ: Mapping[str, str],
    order: bytes,
    tell: Callable[[bytes | BridgeError | None], None],
) -> None:
    """Start the process and wait until it ends, so that it leaves no zombie."""
    try:
        child = _start(command, environ)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        tell(CannotStart(f"{command[0]} could not be started: {why}.", hint=f"Reinstall {PROGRAM}."))
        return
    assert child.stdin is not None and child.stdout is not None  # noqa: S101, PT018 - both are pipes
    with contextlib.suppress(OSError), child.stdin:  # It may have ended, or closed its stdin.
        _write(child.stdin.fileno(), order)
    with child.stdout:
        tell(_first_line(child.stdout.fileno()))
    child.wait()


def _start(command: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    *better, last = detachments(sys.platform)
    for how in better:
        with contextlib.suppress(PermissionError):
            return _popen(command, environ, how)
    child = _popen(command, environ, last)
    if better:
        _logger.warning(
            "The host allows no process to outlive it, so the sign-in ends when the host ends this bridge, "
            "and the next one starts it again. To sign in independently of the host, run in a terminal: "
            f"{PROGRAM} login URL"
        )
    return child


def _popen(command: Sequence[str], environ: Mapping[str, str], how: dict[str, Any]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - an argument list
        list(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # With a buffer, a thread that waits for a line would hold a lock that our exit needs.
        bufsize=0,
        close_fds=True,
        cwd=root(environ, sys.platform),
        env=dict(environ),
        **how,
    )


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _first_line(descriptor: int) -> bytes | None:
    """The text before the first newline; None if there is no newline within `MAX_ANSWER` bytes."""
    received = b""
    while len(received) <= MAX_ANSWER:
        try:
            piece = os.read(descriptor, MAX_ANSWER)
        except OSError:
            return None
        if not piece:
            return None
        received += piece
        line, newline, _ = received.partition(b"\n")
        if newline:
            return line if len(line) <= MAX_ANSWER else None
    return None
