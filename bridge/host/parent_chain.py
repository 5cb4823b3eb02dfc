"""The ancestors of this process up to the host: launchers, nearest first, then the first that is not a launcher.

| system | source | how a reused process id is noticed |
|---|---|---|
| Linux | `/proc/<pid>/stat`, `exe` and `cmdline` (proc(5)) | by the start time, in ticks since the system's start |
| macOS, Windows, others | psutil | by the start time; a clock that was set back may confuse it |

A process that is younger than its child is not its parent: the id was reused, and the chain ends there. The owner of
the processes does not matter, for none of their data is kept.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from bridge.host.launchers import is_launcher, owns_its_children

MOST = 40
"""How many ancestors are read."""

_LONGEST_COMMAND = 64 * 1024
# Fields of /proc/<pid>/stat, counted from the one after the name, which stands in parentheses.
_PARENT, _STARTED = 1, 19


class ParentProcess(msgspec.Struct, frozen=True):
    """An ancestor of this process. `is_there()` tells whether it still runs, and its id was not reused."""

    pid: int
    name: str
    arguments: Sequence[str]
    is_there: Callable[[], bool]


def others_above(parent: int, platform: str = sys.platform) -> list[ParentProcess]:
    """The ancestors to watch besides the `parent`; empty if it is not the parent any more.

    Quick on Linux; elsewhere psutil is imported. Raises nothing: a process that cannot be read ends the chain.
    """
    above = from_proc(Path("/proc"), os.getpid()) if platform == "linux" else from_psutil()
    chain = up_to_host(above, sys.orig_argv)
    return chain[1:] if chain and chain[0].pid == parent else []


def up_to_host(above: Iterable[ParentProcess], own: Sequence[str]) -> list[ParentProcess]:
    """The processes to watch, of those `above`, nearest first: each launcher, and the first that is not one.

    A host kills the process that it started, which may be the farthest launcher. The bridge ends with any of them.
    `own` are this process's arguments (`sys.orig_argv`).
    """
    chain: list[ParentProcess] = []
    for one in above:
        if one.pid <= 1 or not owns_its_children(one.name, one.arguments):
            break
        chain.append(one)
        if not is_launcher(one.name, one.arguments, own):
            break
    return chain


def from_proc(proc: Path, pid: int) -> Iterator[ParentProcess]:
    """Yield the ancestors of `pid`, from Linux's `proc`."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        _, parent, since = stat_of(proc / str(pid))
        for _ in range(MOST):
            if parent <= 0:
                return
            folder, pid = proc / str(parent), parent
            name, parent, started = stat_of(folder)
            if started > since:
                return
            since = started
            yield ParentProcess(pid, program_of(folder) or name, _arguments(folder), _presence(folder, started))


def stat_of(folder: Path) -> tuple[str, int, int]:
    """The name, the parent's id and the start time (ticks since the system's start), from a folder of /proc.

    Raises OSError, ValueError or IndexError if it cannot be read.
    """
    data = (folder / "stat").read_bytes()
    head, _, rest = data.rpartition(b")")
    fields = rest.split()
    return head.partition(b"(")[2].decode(errors="replace"), int(fields[_PARENT]), int(fields[_STARTED])


def program_of(folder: Path) -> str:
    """The name of the program's file; empty if unknown. A process may name itself anything (Node: "MainThread")."""
    with contextlib.suppress(OSError):
        return Path(os.readlink(folder / "exe")).name.removesuffix(" (deleted)")  # noqa: PTH115 - need not be a path
    return ""


def _arguments(folder: Path) -> Sequence[str]:
    with contextlib.suppress(OSError), (folder / "cmdline").open("rb") as file:
        return os.fsdecode(file.read(_LONGEST_COMMAND)).removesuffix("\0").split("\0")
    return ()


def _presence(folder: Path, started: int) -> Callable[[], bool]:
    def is_there() -> bool:
        with contextlib.suppress(OSError, ValueError, IndexError):
            return stat_of(folder)[2] == started
        return False

    return is_there


def from_psutil() -> Iterator[ParentProcess]:
    """Yield the ancestors of this process, from psutil."""
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        process = psutil.Process()
        for _ in range(MOST):
            # None if it has ended: psutil compares the start times.
            parent = process.parent()
            if parent is None:
                return
            arguments: Sequence[str] = ()
            with contextlib.suppress(psutil.Error, OSError):  # Those of a process with more rights are hidden.
                arguments = parent.cmdline()
            yield ParentProcess(parent.pid, parent.name(), arguments, parent.is_running)
            process = parent
