"""The ancestors of this process that belong to the same user, nearest first, with some of their environment variables.

Hosts pass on only a few environment variables. The others are still in the environment of the host itself, or of the
terminal or desktop that started it, and the system shows them to the same user.

| system | source |
|---|---|
| Linux | `/proc/<pid>/stat`, `status` and `environ` (proc(5)) |
| macOS, Windows, others | psutil, as far as the system allows it |

A process of another user is skipped, not read; its parent may belong to this user again (`sudo`). The search ends at a
terminal multiplexer, whose environment may be from another day. An environment is what the process was started with,
and some programs overwrite it, so the caller has to check each value.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bridge.host.parent_chain import MOST, program_of, stat_of
from bridge.protocol.sanitize import shown

LONGEST = 4 << 20
"""How many bytes of an environment are read. Linux allows about 2 MB (execve(2))."""

_LONGEST_NAME = 40
_MULTIPLEXERS = frozenset({"tmux", "tmux: server", "screen", "SCREEN", "zellij", "dtach", "abduco"})


@dataclass(frozen=True, slots=True)
class Ancestor:
    """An ancestor of this process. `name` is printable; `environ` has only the variables asked for."""

    pid: int
    name: str
    environ: Mapping[str, str] = field(repr=False)


def ancestors(names: Collection[str], platform: str = sys.platform) -> Iterator[Ancestor]:
    """Yield the ancestors of this process that belong to this user, nearest first, with the variables in `names`.

    Quick; each process is read only when it is yielded. Raises nothing: processes that cannot be read are skipped.
    """
    user = getattr(os, "geteuid", lambda: None)()
    if user != getattr(os, "getuid", lambda: None)():
        return  # A set-user-ID program must trust no environment but its own.
    if platform == "linux" and user is not None:
        yield from from_proc(Path("/proc"), os.getpid(), user, names)
    else:
        yield from from_psutil(names)


def from_proc(proc: Path, pid: int, user: int, names: Collection[str]) -> Iterator[Ancestor]:
    """Yield the ancestors of `pid` that belong to `user`, from Linux's `proc`."""
    wanted = {os.fsencode(name): name for name in names}
    with contextlib.suppress(OSError, ValueError, IndexError):
        _, parent, since = stat_of(proc / str(pid))
        for _ in range(MOST):
            if parent <= 0:
                return
            folder = proc / str(parent)
            pid, (name, parent, started) = parent, stat_of(folder)
            if started > since or name in _MULTIPLEXERS:
                return  # The id was given to a younger process, or this is a terminal multiplexer.
            since = started
            if _is_of(folder, user):
                with contextlib.suppress(OSError):
                    name = program_of(folder) or name
                    yield Ancestor(pid, shown(name, _LONGEST_NAME) or "no name", _environ(folder, wanted))


def _is_of(folder: Path, user: int) -> bool:
    """Whether all user ids of the process are the user's: real, effective, saved, for files."""
    if folder.stat().st_uid != user:
        return False  # Also a process that must not be inspected (prctl(2), PR_SET_DUMPABLE).
    for line in (folder / "status").read_bytes().splitlines():
        if line.startswith(b"Uid:"):
            return set(map(int, line.split()[1:])) == {user}
    return False


def _environ(folder: Path, wanted: Mapping[bytes, str]) -> dict[str, str]:
    with (folder / "environ").open("rb") as file:
        data = file.read(LONGEST)
    found: dict[str, str] = {}
    whole, _, _ = data.rpartition(b"\0")  # An entry without an end was cut off.
    for entry in whole.split(b"\0"):
        name, equals, value = entry.partition(b"=")
        if equals and name in wanted:
            found.setdefault(wanted[name], os.fsdecode(value))
    return found


def from_psutil(names: Collection[str]) -> Iterator[Ancestor]:
    """Yield the ancestors of this process that belong to this user, from psutil."""
    import psutil

    try:
        own = psutil.Process()
        user = _user_of(own)
        above = own.parents()[:MOST]
    except (psutil.Error, OSError):
        return
    for process in above:
        try:
            name = process.name()
            if name in _MULTIPLEXERS:
                return
            if _user_of(process) != user:
                continue
            environ = process.environ()
        except (psutil.Error, OSError):
            continue
        kept = {name: environ[name] for name in names if name in environ}
        yield Ancestor(process.pid, shown(name, _LONGEST_NAME) or "no name", kept)


def _user_of(process: object) -> object:
    """The user of a process, for comparison: all its user ids, or on Windows the account's name."""
    uids = getattr(process, "uids", None)
    return tuple(uids()) if uids is not None else process.username()  # type: ignore[attr-defined]
