"""What the operating system says about a process and its children: memory, processor time, wake-ups.

Linux only, from ``/proc``; elsewhere `usage` raises `ColumnError` and the rows that need it stay empty.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmark.messages import ColumnError

_PROC = Path("/proc")


@dataclass(frozen=True)
class Usage:
    """A process tree's account: kilobytes, nanoseconds, and how often a thread went to sleep by itself."""

    resident_kb: int
    peak_kb: int
    cpu_ns: int
    sleeps: int


def usage(root: int) -> Usage:
    """Return the account of a process and its descendants; raises `ColumnError` if there is none."""
    if not (_PROC / "self" / "status").exists():
        raise ColumnError("needs /proc")
    parts = [_usage_of_one(pid) for pid in _tree(root)]
    if not parts:
        raise ColumnError("the process is gone")
    return Usage(
        sum(part.resident_kb for part in parts),
        sum(part.peak_kb for part in parts),
        sum(part.cpu_ns for part in parts),
        sum(part.sleeps for part in parts),
    )


def _tree(root: int) -> list[int]:
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        with contextlib.suppress(OSError):
            for task in (_PROC / str(pid) / "task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
            found.append(pid)
    return found


def _usage_of_one(pid: int) -> Usage:
    try:
        status = _status(_PROC / str(pid))
        cpu_ns = sleeps = 0
        for task in (_PROC / str(pid) / "task").iterdir():
            sleeps += _status(task)["voluntary_ctxt_switches"]
            cpu_ns += _cpu_ns(task)
    except (OSError, KeyError) as error:
        raise ColumnError(f"the process is gone ({type(error).__name__})") from None
    return Usage(status["VmRSS"], status["VmHWM"], cpu_ns, sleeps)


def _status(folder: Path) -> dict[str, int]:
    wanted = {}
    for line in (folder / "status").read_text().splitlines():
        name, _, value = line.partition(":")
        number = value.removesuffix("kB").strip()
        if number.isdigit():
            wanted[name] = int(number)
    return wanted


def _cpu_ns(task: Path) -> int:
    # The scheduler's account is in nanoseconds; the ticks of `stat`, ten milliseconds each, are too coarse
    # for an idle process but always there.
    with contextlib.suppress(OSError):
        return int((task / "schedstat").read_text().split()[0])
    user, system = (task / "stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) * (1_000_000_000 // os.sysconf("SC_CLK_TCK"))


def settled(root: int, deadline: float = 10.0, step: float = 0.25, calm: int = 4) -> Usage:
    """Return the account once memory and sleeps stood still for `calm` steps, or at the deadline."""
    last, same, end = usage(root), 0, time.monotonic() + deadline
    while same < calm and time.monotonic() < end:
        time.sleep(step)
        now = usage(root)
        same = same + 1 if (now.resident_kb, now.sleeps) == (last.resident_kb, last.sleeps) else 0
        last = now
    return last


def stop(process: subprocess.Popen[bytes], patience: float = 2.0) -> None:
    """Wait for a process that was told to end; kill it and its children if it does not."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(patience)
    # The process leads a group of its own, so what it left behind goes too.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(5)
