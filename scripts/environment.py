"""Private Python environments under `.work/`, made on first use and then taken as they are.

Every script starts here, on whatever Python the machine has, so this module needs the standard library only
and has to be importable by an old Python too: that one gets a sentence, not a syntax error.

A finished environment carries a stamp: a hash of everything that decides what is in it. Same stamp, same
environment, nothing to do. No stamp (making it was interrupted) or another stamp: it is thrown away and made
again, since an environment that was only added to is one that no fresh machine has.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / ".work"
OLDEST_PYTHON = (3, 11)

STAMP = "stamp"
LOCK_PATIENCE = 600.0
"""Seconds to wait for another script that is making the same environment."""

# Settings that would send an installation somewhere else than into the environment.
_MISLEADING = (
    "PYTHONHOME",
    "PYTHONPATH",
    "PIP_USER",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_REQUIRE_VIRTUALENV",
)


class SetupError(Exception):
    """The machine lacks something; the message says what, and what to do about it."""


def too_old(version: Sequence[int]) -> str | None:
    """Say why a Python of this version cannot run the project, or nothing when it can."""
    if tuple(version[:2]) >= OLDEST_PYTHON:
        return None
    wanted, found = (".".join(map(str, v[:2])) for v in (OLDEST_PYTHON, version))
    return (
        f"This needs Python {wanted} or newer; this one is {found} ({sys.executable}).\n"
        f"Run the script with a newer one, for example: python3.13 {' '.join(sys.argv)}"
    )


_too_old = too_old(sys.version_info[:2])
if _too_old:
    raise SystemExit(_too_old)


@dataclass(frozen=True)
class Environment:
    """A finished environment."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.program("python")

    def program(self, name: str) -> Path:
        """Return where a console command of this environment is, whether or not it is installed."""
        if sys.platform == "win32":
            return self.folder / "Scripts" / f"{name}.exe"
        return self.folder / "bin" / name


def run_script(main: Callable[[Sequence[str]], int]) -> int:
    """Call a script's `main` with its arguments; what stops it becomes a sentence and an exit code."""
    try:
        return main(sys.argv[1:])
    except SetupError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read along has gone (`| head`); nothing may try to write what is still in the buffer.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def environment(
    purpose: str, *, extras: Sequence[str] = (), requirements: Sequence[str] = (), project: bool = True
) -> Environment:
    """Return the environment `.work/venv-<purpose>`, made or remade when it is not up to date.

    It holds the project, editable, with `extras`, and `requirements`; without `project` only the latter.
    Raises `SetupError`.
    """
    made = Environment(WORK / f"venv-{purpose}")
    content = _content(extras, requirements, project=project)
    if stamped(made.folder, content) and made.python.exists():
        return made
    with lock(f"venv-{purpose}") as held:
        # Another script may have made it while this one waited.
        if not (stamped(made.folder, content) and made.python.exists()):
            _make(made, extras, requirements, project=project, held=held)
            stamp(made.folder, content)
    return made


def stamped(folder: Path, content: str) -> bool:
    """Tell whether `folder` was finished with exactly this content."""
    try:
        return (folder / STAMP).read_text(encoding="utf-8") == content
    except OSError:
        return False


def stamp(folder: Path, content: str) -> None:
    """Mark `folder` as finished; a crash leaves it with the whole stamp or with none."""
    fresh = folder / f"{STAMP}.new"
    fresh.write_text(content, encoding="utf-8")
    fresh.replace(folder / STAMP)


@contextlib.contextmanager
def lock(name: str, patience: float = LOCK_PATIENCE) -> Iterator[int]:
    """Hold `.work/<name>.lock`, waiting up to `patience` seconds. It falls with its holder, crash or not.

    Yields the descriptor for `run_step`. Raises `SetupError` when the other holder does not finish in time.
    """
    WORK.mkdir(exist_ok=True)
    with (WORK / f"{name}.lock").open("a+b") as file:
        deadline = time.monotonic() + patience
        told = False
        while not _try_lock(file.fileno()):
            if not told:
                print(f"Another script is preparing {name}; waiting for it.", flush=True)
                told = True
            if time.monotonic() > deadline:
                raise SetupError(f"Another script has held {WORK / name}.lock for {patience:.0f} s. Is it stuck?")
            time.sleep(0.2)
        try:
            yield file.fileno()
        finally:
            _unlock(file.fileno())


def clean_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without those that would lead an installation or an interpreter elsewhere."""
    return {name: value for name, value in variables.items() if name not in _MISLEADING}


def missing_venv_advice(*, is_root: bool, has_sudo: bool, has_apt: bool) -> tuple[list[list[str]], str]:
    """Say what a Python without `ensurepip` needs: the commands this script may run itself, and what to tell.

    Debian and Ubuntu split `ensurepip` off into a package; its name carries the version, since the plain
    `python3-venv` serves the distribution's default Python only.
    """
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    if not has_apt:
        return [], (
            f"{sys.executable} cannot make virtual environments: its `ensurepip` is missing.\n"
            "Install that part of Python with the system's package manager, or use another Python."
        )
    if steps := apt_steps([package], is_root=is_root, has_sudo=has_sudo):
        how = "apt-get" if is_root else "sudo apt-get"
        return steps, f"Python's `ensurepip` is missing here. Installing Debian's {package} with {how} first."
    return [], (
        f"{sys.executable} cannot make virtual environments: Debian keeps that part in {package}.\n"
        "Run this once, then the same script again:\n\n"
        f"    sudo apt-get update && sudo apt-get install -y --no-install-recommends {package}"
    )


def apt_steps(packages: Sequence[str], *, is_root: bool, has_sudo: bool) -> list[list[str]]:
    """The commands that install Debian packages; none where this user may not."""
    # A machine that has just started is often upgrading itself; wait for it rather than fail.
    steps = [
        ["apt-get", "update"],
        ["apt-get", "install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120", *packages],
    ]
    if is_root:
        return steps
    return [["sudo", "-n", *step] for step in steps] if has_sudo else []


def install_packages(packages: Sequence[str], *, timeout: float) -> bool:
    """Install Debian packages where apt-get is there and this user may; return whether it was tried.

    Each step has `timeout` seconds. Raises `SetupError` where it failed.
    """
    if shutil.which("apt-get") is None:
        return False
    steps = apt_steps(packages, is_root=_is_root(), has_sudo=_has_passwordless_sudo())
    _run_apt(steps, timeout)
    return bool(steps)


def _run_apt(steps: Sequence[Sequence[str]], timeout: float) -> None:
    with lock("apt"):
        for step in steps:
            # A broken third-party source makes `update` fail though Debian's own was read: `install` decides.
            run_step(
                step,
                timeout=timeout,
                doing="install it",
                variables={"DEBIAN_FRONTEND": "noninteractive"},
                must_succeed=step is steps[-1],
            )


def _is_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0


def _content(extras: Sequence[str], requirements: Sequence[str], *, project: bool) -> str:
    """Hash what decides an environment's content. The folder is in it: an environment cannot be moved."""
    decides: list[object] = [str(ROOT), sys.version_info[:2], sorted(extras), sorted(requirements)]
    if project:
        import tomllib

        settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        # A change of a linter's settings is no reason to install everything again.
        decides += [
            settings.get("build-system"),
            settings.get("project"),
            settings.get("tool", {}).get("hatch"),
        ]
        # The version, which the installed metadata repeats.
        decides.append((ROOT / "bridge" / "__init__.py").read_text(encoding="utf-8"))
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


def remove(folder: Path) -> None:
    """Remove a folder and what is in it, if it is there. Raises `SetupError`."""
    try:
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise SetupError(f"Could not remove {folder}: {error}.\nIs a program of it still running?") from error


def run_step(
    command: Sequence[str],
    *,
    doing: str,
    timeout: float,
    folder: Path = ROOT,
    variables: Mapping[str, str] | None = None,
    held: int | None = None,
    must_succeed: bool = True,
) -> None:
    """Run one step of the set-up within `timeout` seconds; what it says is shown only when it failed.

    The step shares the lock `held`: should this script be killed and the step live on, nobody starts anew
    beside it. Raises `SetupError`.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=clean_variables(os.environ) | dict(variables or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
            # Windows cannot, and need not: it does not let a file go that a program still uses.
            pass_fds=() if held is None or sys.platform == "win32" else (held,),
        )
    except subprocess.TimeoutExpired as error:
        raise SetupError(f"Could not {doing}: no end after {timeout:.0f} s.\n    {shlex.join(command)}") from error
    except OSError as error:
        raise SetupError(f"Could not {doing}: {error}.\n    {shlex.join(command)}") from error
    if must_succeed and done.returncode != 0:
        said = done.stdout.decode(errors="replace").strip()
        raise SetupError(f"{said}\n\nCould not {doing}; this failed:\n    {shlex.join(command)}")


def _make(made: Environment, extras: Sequence[str], requirements: Sequence[str], *, project: bool, held: int) -> None:
    where = made.folder.relative_to(ROOT)
    began = time.monotonic()
    _ensure_ensurepip()
    print(f"Preparing {where} (once; the next run starts at once).", flush=True)
    remove(made.folder)
    create = [sys.executable, "-m", "venv", str(made.folder)]
    run_step(create, timeout=180, held=held, doing="make a virtual environment")
    wanted = list(requirements)
    if project:
        wanted += ["--editable", f".[{','.join(extras)}]" if extras else "."]
    install = [
        str(made.python),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
    ]
    doing = "install the Python packages (is the network there?)"
    run_step([*install, *wanted], timeout=540, held=held, doing=doing)
    print(f"Prepared {where} in {time.monotonic() - began:.0f} s.", flush=True)


def _ensure_ensurepip() -> None:
    if importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv"):
        return
    steps, words = missing_venv_advice(
        is_root=_is_root(),
        has_sudo=_has_passwordless_sudo(),
        has_apt=shutil.which("apt-get") is not None,
    )
    if not steps:
        raise SetupError(words)
    print(words, flush=True)
    _run_apt(steps, timeout=420)


def _has_passwordless_sudo() -> bool:
    if shutil.which("sudo") is None:
        return False
    asked = subprocess.run(
        ["sudo", "-n", "true"], stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False
    )
    return asked.returncode == 0


if sys.platform == "win32":

    def _try_lock(descriptor: int) -> bool:
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
