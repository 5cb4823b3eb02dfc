"""Starting a process that outlives us: told what to do by one line, answering with one line, then on its own.

Hosts kill what they started, with all its children: by process group, by terminal, by job (Windows). So the process
gets a session of its own, none of our streams, no folder that somebody may want to remove, and on Windows it leaves
the job where the job lets it:

| the host's job (Windows) | what becomes of the process | what is done |
|---|---|---|
| none, or BREAKAWAY_OK or SILENT_BREAKAWAY_OK | it leaves | nothing |
| lets none go | it cannot be started so (ERROR_ACCESS_DENIED) | it is started in the job, and the log says so |
| lets it go, but a job around it does not | it stays in that one, and nothing tells (Nested Jobs) | nothing |

One that dies with its job leaves what any killed login leaves, and the next copy begins another
(`oauth/prompt_backoff`).
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
    """The system did not start the process."""


def surroundings_of(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for such a process: ours without `MCP_BRIDGE_*`.

    Those are settings, which it gets in its order, and may be secrets. Its folder is another, so a relative path that
    names certificates is made absolute.
    """
    kept = child_environment(environ)
    return kept | {name: str(Path(kept[name]).absolute()) for name in _CERTIFICATES if kept.get(name)}


def detachments(platform: str) -> tuple[dict[str, Any], ...]:
    """Return the arguments of `Popen` that set a process apart on a `platform` (as `sys.platform`), best first.

    The next is for where the system forbids the one before: not every job lets its processes go.
    """
    if platform != "win32":
        return (detachment(platform),)
    apart = _CREATE_NEW_PROCESS_GROUP | _CREATE_NO_WINDOW
    return ({"creationflags": apart | _CREATE_BREAKAWAY_FROM_JOB}, {"creationflags": apart})


def root(environ: Mapping[str, str], platform: str) -> str:
    """Return a folder that is always there, and that nobody misses: the root of the system's drive."""
    if platform != "win32":
        return "/"
    system = environ.get("SystemRoot") or environ.get("SYSTEMROOT") or ""
    return PureWindowsPath(system).anchor or "C:\\"


async def start_detached(
    command: Sequence[str], environ: Mapping[str, str], order: bytes, seconds: float
) -> bytes | None:
    """Start `command` on its own, with `order` on its stdin; return the first line it writes to stdout.

    None if it ends or closes stdout without one. `order` is all that it reads. What it writes to stderr is thrown away.
    Raises `BridgeError` where it cannot be started, `TimeoutError` after `seconds` without a line; it goes on then.
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
        with contextlib.suppress(RuntimeError):  # The loop is closed: nobody is interested any more.
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
    """Start the process, and wait for it, however long it stays, so that it leaves no zombie."""
    try:
        child = _start(command, environ)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        tell(CannotStart(f"{command[0]} could not be started: {why}.", hint=f"Reinstall {PROGRAM}."))
        return
    assert child.stdin is not None and child.stdout is not None  # noqa: S101, PT018 - both are pipes
    with contextlib.suppress(OSError), child.stdin:  # It may have ended, or not want to read.
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
            "The host lets no process leave its job, so the sign-in ends when the host ends this copy of the bridge; "
            f"the next copy begins it again. To sign in apart from the host, run in a terminal: {PROGRAM} login "
            "URL"
        )
    return child


def _popen(command: Sequence[str], environ: Mapping[str, str], how: dict[str, Any]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - an argument list
        list(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # A buffer's lock, held by a thread that waits, would be in the way of our own end.
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
    """What comes before the first newline; None where there is none, or more than `MAX_ANSWER` before it."""
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
