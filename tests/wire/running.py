"""A piece of equipment, running: on free ports, in a folder of its own, without privileges, ended for certain."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.support.ports import free_port, free_ports
from tests.support.waits import stretched
from tests.wire.equipment import Debian, Equipment, Site

START_DEADLINE = 30.0
"""Seconds until every door has to be open."""
END_DEADLINE = 5.0
"""Seconds to end in good order."""
ATTEMPTS = 3
"""How often it is started where another program took one of its ports in between."""
_KEPT = ("PATH", "SYSTEMROOT", "SYSTEMDRIVE", "TEMP", "TMP", "LANG", "LD_LIBRARY_PATH")
_NOBODY = 65534


@dataclass(frozen=True)
class Running:
    """Equipment that runs."""

    row: Equipment
    site: Site
    log: Path
    version: str

    def ran(self) -> list[str]:
        """The marks of what its own program ran; see `paths`."""
        file = self.site.folder / "ran.txt"
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text("utf-8", "replace")[-3000:]


@contextlib.contextmanager
def running(row: Equipment, site: Site) -> Iterator[Running]:
    """Run it. `site` has no folder and no ports yet; the folder goes with it. Raises `AssertionError`."""
    with tempfile.TemporaryDirectory(prefix=f"wire-{row.name}-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        drops = drops_privileges(row)
        if drops:
            folder.chmod(0o755)
        for attempt in range(ATTEMPTS):
            own = folder / str(attempt)
            own.mkdir()
            ready = replace(site, folder=own, ports=ports_of(row.doors), closed=free_port())
            with contextlib.ExitStack() as stack:
                try:
                    yielded = _start(row, ready, stack)
                except AssertionError:
                    if attempt == ATTEMPTS - 1:
                        raise
                    continue
                yield yielded
                return


def drops_privileges(row: Equipment) -> bool:
    """Whether it is run as nobody: servers of the system refuse to be, or misbehave as, root."""
    return isinstance(row.source, Debian) and sys.platform != "win32" and os.geteuid() == 0


def ports_of(doors: tuple[str, ...]) -> dict[str, int]:
    """A port for each door; nothing listens at them, and they are all different."""
    return dict(zip(doors, free_ports(len(doors)), strict=True))


def _start(row: Equipment, site: Site, stack: contextlib.ExitStack) -> Running:
    log = site.folder / "log.txt"
    file = stack.enter_context(log.open("wb"))
    commands = row.start(site)
    if drops_privileges(row):
        for path in (site.folder, *site.folder.rglob("*")):
            os.chown(path, _NOBODY, _NOBODY)
    processes = []
    for command in commands:
        own = {name: os.environ[name] for name in _KEPT if name in os.environ}
        own |= {"HOME": str(site.folder), "PYTHONUNBUFFERED": "1", **command.variables}
        identity = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if drops_privileges(row) else {}
        process = subprocess.Popen(
            command.arguments,
            cwd=site.folder,
            env=own,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **identity,  # type: ignore[call-overload]
        )
        stack.callback(_end, process)
        processes.append(process)
    _wait_until_open(row, site, processes, log)
    return Running(row, site, log, _version(row, site))


def _wait_until_open(row: Equipment, site: Site, processes: list[subprocess.Popen[bytes]], log: Path) -> None:
    deadline = time.monotonic() + stretched(START_DEADLINE)
    for door, port in site.ports.items():
        while not _is_open(port):
            ended = [process.args for process in processes if process.poll() is not None]
            said = log.read_text("utf-8", "replace")[-3000:]
            assert not ended, f"{row.name} ended: {ended}\n{said}"
            assert time.monotonic() < deadline, f"{row.name} does not open {door}\n{said}"
            time.sleep(0.02)


def _is_open(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def _version(row: Equipment, site: Site) -> str:
    done = subprocess.run(
        row.version(site),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=stretched(20),
        check=False,
    )
    return next(iter(done.stdout.splitlines()), "")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it and what it started, which is a group of its own."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=stretched(END_DEADLINE))
    if sys.platform == "win32":
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=stretched(END_DEADLINE))
