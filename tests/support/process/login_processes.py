"""The login processes of one person: found by what they are and whose they are, whoever started them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.support.oauth.user import Person, until
from tests.support.process.fork_server import fork_server
from tests.support.waits import stretched

WORD = "login-process"
"""What their arguments hold."""


def logins_of(person: Person) -> list[psutil.Process]:
    """Every login process of this person that runs."""
    mine = person.environment()["LOGIN_BROWSER_FILE"]
    forked = fork_server().running() if sys.platform == "linux" else {}
    found = []
    for pid, (words, environment) in forked.items():
        with contextlib.suppress(psutil.Error):
            if WORD in words and environment.get("LOGIN_BROWSER_FILE") == mine and is_alive(psutil.Process(pid)):
                found.append(psutil.Process(pid))
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if WORD in process.cmdline() and process.environ().get("LOGIN_BROWSER_FILE") == mine:
                found.append(process)
    return found


async def the_login(person: Person, deadline: float = 10.0) -> psutil.Process:
    """Wait for the one login process of this person."""
    await until(lambda: logins_of(person), "a login process", deadline)
    (process,) = logins_of(person)
    return process


async def kill_login(person: Person) -> None:
    """Kill the one login process of this person, as a power cut does."""
    process = await the_login(person)
    process.kill()
    await until(lambda: not is_alive(process), "the end of the login process")


async def no_login_left(person: Person, deadline: float = 5.0) -> None:
    """Wait until every login process of this person has ended by itself."""
    known = logins_of(person)
    await until(lambda: not any(map(is_alive, known)), "the end of every login process", deadline)
    assert not logins_of(person), "a login was started that nobody waits for"


def end_logins(person: Person) -> None:
    """End what a test has left behind: a login waits for its person much longer than a test does."""
    for process in logins_of(person):
        with contextlib.suppress(psutil.Error):
            process.kill()


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs, or holds anything; one that only its parent has still to take note of does not."""
    try:
        # The threads of one that was killed may be there a moment longer, and with them its sockets.
        return process.is_running() and (process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1)
    except psutil.Error:
        return False


def data_folder(person: Person) -> Path:
    """Where the bridge keeps what it keeps for this person."""
    name = "mcp-remote-bridge"
    if sys.platform == "win32":
        return person.home / f".{name}"
    if sys.platform == "darwin":
        return person.home / "Library" / "Application Support" / name
    return person.home / "data" / name


def notice_of(person: Person) -> Path:
    """The file in which the one login of this person says where it is."""
    (found,) = (path for path in person.files() if path.suffix == ".notice")
    return found


@contextlib.contextmanager
def lock_held(person: Person, store_key: str) -> Iterator[None]:
    """Hold the system's lock on a store key, as another bridge at work on it does."""
    from filelock import FileLock

    folder = data_folder(person) / "locks"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(folder / f"{store_key}.lock", timeout=stretched(5), mode=0o600):
        yield
