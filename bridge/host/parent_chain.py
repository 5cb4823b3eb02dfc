"""The processes above this one, up to the host: its launchers, nearest first, and the first that is none.

| system | where it is read | what tells that a number is another process's by now |
|---|---|---|
| Linux | `/proc/<pid>/stat`, `exe` and `cmdline` (proc(5)) | the start, in ticks since the system's |
| macOS, Windows, others | psutil | the time of the start, which a clock that was set back may confuse |

A process that is younger than its child is not its parent: the parent's number was given away. The chain ends there.
Whose the processes are does not matter, for nothing of theirs is kept.
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
"""How many processes are looked at."""

_LONGEST_COMMAND = 64 * 1024
# Fields of /proc/<pid>/stat, counted from the one after the name, which stands in parentheses.
_PARENT, _STARTED = 1, 19


class Relative(msgspec.Struct, frozen=True):
    """A process above this one. `is_there` looks whether it still is, and not another with its number."""

    pid: int
    name: str
    arguments: Sequence[str]
    is_there: Callable[[], bool]


def others_above(parent: int, platform: str = sys.platform) -> list[Relative]:
    """The processes to watch beside the `parent`; none where it turns out to be the parent no more.

    Quick on Linux; elsewhere psutil is imported. Raises nothing: what cannot be read ends the chain.
    """
    above = from_proc(Path("/proc"), os.getpid()) if platform == "linux" else from_psutil()
    chain = up_to_host(above, sys.orig_argv)
    return chain[1:] if chain and chain[0].pid == parent else []


def up_to_host(above: Iterable[Relative], own: Sequence[str]) -> list[Relative]:
    """Of the processes `above`, nearest first, those to watch: each launcher, and the first that is none.

    A host kills the one that it started, which may be the farthest; each of the others takes the bridge with it, too.
    `own` are this process's arguments (`sys.orig_argv`).
    """
    chain: list[Relative] = []
    for one in above:
        if one.pid <= 1 or not owns_its_children(one.name, one.arguments):
            break
        chain.append(one)
        if not is_launcher(one.name, one.arguments, own):
            break
    return chain


def from_proc(proc: Path, pid: int) -> Iterator[Relative]:
    """Yield the processes above `pid`, as Linux shows them under `proc`."""
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
            yield Relative(pid, program_of(folder) or name, _arguments(folder), _presence(folder, started))


def stat_of(folder: Path) -> tuple[str, int, int]:
    """The name, the parent and the time of the start, in ticks since the system's, from a folder of /proc.

    Raises OSError, ValueError or IndexError where it cannot be read.
    """
    data = (folder / "stat").read_bytes()
    head, _, rest = data.rpartition(b")")
    fields = rest.split()
    return head.partition(b"(")[2].decode(errors="replace"), int(fields[_PARENT]), int(fields[_STARTED])


def program_of(folder: Path) -> str:
    """The name of the program's file: a process may call itself what it likes, and Node does ("MainThread")."""
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


def from_psutil() -> Iterator[Relative]:
    """Yield the processes above this one, as psutil shows them."""
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        process = psutil.Process()
        for _ in range(MOST):
            # None where there is none any more: psutil compares when both were started.
            parent = process.parent()
            if parent is None:
                return
            arguments: Sequence[str] = ()
            with contextlib.suppress(psutil.Error, OSError):  # Those of a process with more rights are not told.
                arguments = parent.cmdline()
            yield Relative(parent.pid, parent.name(), arguments, parent.is_running)
            process = parent
