"""Runs a command of the user's and returns what it prints.

| what | how |
|---|---|
| the program | looked for in PATH, and never in the working folder, which may be a project that a host has opened |
| stdin | closed: the host's messages are on the bridge's, and nothing can ask there |
| stdout | what it prints, up to a limit |
| stderr | its last line is told where the command fails, freed of secrets |
| time | limited; then the command ends, with all that it has started in its process group |
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, cast

from bridge.process.redact import Redactor
from bridge.protocol.sanitize import shown

_ERROR_BYTES = 8 * 1024
_LAST_LINE = 200
_AFTER = 1.0  # Seconds for what is still in the pipes once the command has ended.
_POLL = 0.25
_KILLED = 5.0
_PATHEXT = ".COM;.EXE;.BAT;.CMD"
_CREATE_NEW_PROCESS_GROUP, _CREATE_NO_WINDOW = 0x00000200, 0x08000000


class CommandFailed(Exception):
    """A command gave nothing that can be used. `what` ends a sentence that begins with the command."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


def output_of_child(
    arguments: Sequence[str] | str,
    environ: Mapping[str, str],
    *,
    seconds: float,
    limit: int,
    secrets_in: Callable[[str], Iterable[str]],
    redact: Callable[[str], str] = str,
    is_stopped: Callable[[], bool] = lambda: False,
) -> bytes:
    """What the command prints, run with the variables `environ`; at most `limit` bytes, within `seconds`.

    `arguments` are the program's whole path and its arguments, or on Windows a command line. `secrets_in` finds the
    secrets in what was printed, and `redact` masks those that are known already: neither is told of in an error.
    `is_stopped` is asked several times a second; once it says yes, the command ends.

    Raises `CommandFailed`, and never shows an argument, because it may be a secret.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - The user wrote it.
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environ),
            **_apart(),
        )
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise CommandFailed(f"could not be started: {why}") from None
    out = _Pipe(cast("IO[bytes]", process.stdout), limit)
    errors = _Pipe(cast("IO[bytes]", process.stderr), _ERROR_BYTES, keeps_last=True)
    try:
        code = _wait(process, out, seconds, is_stopped)
    except BaseException:
        _end(process)
        raise
    if code is None:
        _end(process)
    printed = out.rest(_AFTER)
    if out.is_full:
        raise CommandFailed(f"printed more than {limit} bytes")
    if code is None and is_stopped():
        raise CommandFailed("was ended, because the bridge ends")
    if code is None:
        raise CommandFailed(f"did not end within {seconds:g} s", "Check whether it waits for an answer.")
    if code != 0:
        last = _last_line(errors.rest(_AFTER), printed, secrets_in, redact)
        raise CommandFailed(f"failed with exit code {code}{f': {last}' if last else ''}")
    return printed


def program_path(word: str, environ: Mapping[str, str]) -> str:
    """The whole path of the program that a command begins with. Raises `CommandFailed` where it is not there."""
    if found := _found(word, environ):
        return found
    raise CommandFailed(
        "was not found", "Write its whole path, because hosts often start the bridge with another PATH."
    )


def program_name(word: str) -> str:
    """The name of a program without its folder, to be shown."""
    return shown(re.split(r"[/\\]", word)[-1])


def file_names(word: str, environ: Mapping[str, str], platform: str) -> list[str]:
    """The names that the file of a program may have: on Windows (a `sys.platform`) with each suffix of PATHEXT."""
    if platform != "win32":
        return [word]
    suffixes = [suffix for suffix in (environ.get("PATHEXT") or _PATHEXT).split(";") if suffix]
    return [word] if word.lower().endswith(tuple(map(str.lower, suffixes))) else [word + end for end in suffixes]


def _found(word: str, environ: Mapping[str, str]) -> str | None:
    """The program's path; None where there is none."""
    if re.search(r"[/\\]" if sys.platform == "win32" else "/", word):
        path = _at_home(word)
        places = [path] if path.is_absolute() else []
    else:
        # `shutil.which` looks into the working folder on Windows, and an empty part of PATH means that folder too.
        folders = [Path(folder) for folder in environ.get("PATH", os.defpath).split(os.pathsep)]
        places = [folder / word for folder in folders if folder.is_absolute()]
    for place in places:
        for name in file_names(place.name, environ, sys.platform):
            if found := shutil.which(str(place.with_name(name))):
                return found
    return None


def _at_home(word: str) -> Path:
    try:
        return Path(word).expanduser()
    except RuntimeError:
        return Path(word)


class _Pipe:
    """Reads one pipe of a process in a thread, up to a limit; beyond it, the first or the last bytes are kept."""

    def __init__(self, pipe: IO[bytes], limit: int, *, keeps_last: bool = False) -> None:
        self._pipe, self._limit, self._keeps_last = pipe, limit, keeps_last
        self._data = b""
        self.is_full = False
        self._thread = threading.Thread(target=self._read, name="secret", daemon=True)
        self._thread.start()

    def rest(self, seconds: float) -> bytes:
        """What came. A program that the command left running may hold the pipe open, so this waits only so long."""
        self._thread.join(seconds)
        return self._data

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError), self._pipe:
            while chunk := os.read(self._pipe.fileno(), 4096):
                data = self._data + chunk
                if self._keeps_last:
                    self._data = data[-self._limit :]
                elif len(data) > self._limit:
                    self.is_full = True
                    return
                else:
                    self._data = data


def _wait(process: subprocess.Popen[bytes], out: _Pipe, seconds: float, is_stopped: Callable[[], bool]) -> int | None:
    """The exit code; None where the time is over, too much was printed, or the command is to end."""
    end = time.monotonic() + seconds
    while not out.is_full and not is_stopped():
        try:
            return process.wait(max(min(end - time.monotonic(), _POLL), 0.0))
        except subprocess.TimeoutExpired:
            if time.monotonic() >= end:
                break
    return None


def _apart() -> dict[str, Any]:
    """The arguments of `Popen` that give the process a group of its own, and on Windows no window."""
    if sys.platform == "win32":
        return {"creationflags": _CREATE_NEW_PROCESS_GROUP | _CREATE_NO_WINDOW}
    return {"start_new_session": True}


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and all that it has started."""
    if sys.platform == "win32":
        system = os.environ.get("SYSTEMROOT", r"C:\Windows")
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(  # noqa: S603
                [rf"{system}\System32\taskkill.exe", "/T", "/F", "/PID", str(process.pid)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_KILLED,
                check=False,
                creationflags=_CREATE_NO_WINDOW,
            )
    else:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_KILLED)


def _last_line(
    said: bytes, printed: bytes, secrets_in: Callable[[str], Iterable[str]], redact: Callable[[str], str]
) -> str:
    """The last line of stderr as it may be told: on one line, short, and without secrets."""
    lines = [line for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    if not lines:
        return ""
    redactor = Redactor()
    for secret in secrets_in(printed.decode("utf-8", "replace")):
        redactor.add(secret)
    return shown(redact(redactor(lines[-1])), _LAST_LINE).rstrip(".")
