"""Keyrings that live in memory, each with one way to misbehave."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

from keyring.errors import KeyringError, KeyringLocked, PasswordDeleteError, PasswordSetError

from bridge.store.chunks import KeyringBackend
from bridge.store.disk import DiskStore
from bridge.store.errors import KeyringUnavailable
from bridge.store.paths import StorePaths
from bridge.store.system import KeyringEntries
from tests.support.waits import stretched

SLOT = "tokens-0123456789abcdef"
OTHER = "client-fedcba9876543210"


class MemoryRing:
    """Keeps entries by (service, user name), and a log of the calls."""

    priority = 5.0

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}
        self.calls: list[str] = []
        self.before: Callable[[str], None] = lambda _: None

    def get_password(self, service: str, username: str) -> str | None:
        self._called("get")
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._called("set")
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._called("delete")
        del self.entries[service, username]

    def _called(self, what: str) -> None:
        self.calls.append(what)
        self.before(what)


class WindowsRing(MemoryRing):
    """Refuses what Windows refuses, and keeps two entries of one service as its backend does."""

    def set_password(self, service: str, username: str, password: str) -> None:
        if len(password.encode("utf-16-le")) > 2560:
            raise OSError(1783, "CredWrite", "The stub received bad data.")
        assert not any(kept == service for kept, _ in self.entries), "an entry was written over another"
        super().set_password(service, username, password)


class FolderRing(MemoryRing):
    """Keeps each entry as a file in `folder`, so that processes may share it, and changes it as a whole."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def get_password(self, service: str, username: str) -> str | None:
        self._called("get")
        with contextlib.suppress(FileNotFoundError):
            return (self._folder / username).read_text("ascii")
        return None

    def set_password(self, service: str, username: str, password: str) -> None:
        self._called("set")
        self._folder.mkdir(exist_ok=True)
        draft = self._folder / f"{username}.{os.urandom(4).hex()}.draft"
        draft.write_text(password, "ascii")
        draft.replace(self._folder / username)

    def delete_password(self, service: str, username: str) -> None:
        self._called("delete")
        (self._folder / username).unlink()


class MacRing(MemoryRing):
    """Gives an entry to the program that made it and to no other, as macOS does where asking is forbidden.

    `program` is who calls. `foreign` are the numbers with which another's entry is refused: to be read, and, where it
    is refused at all, to be removed. While `is_locked` everything is refused.
    """

    def __init__(self) -> None:
        super().__init__()
        self.program = "Python 3.12"
        self.is_locked = False
        self.foreign: tuple[int, int | None] = (-25308, None)
        self._made_by: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        self._check("get", service, username, self.foreign[0], KeyringError)
        return super().get_password(service, username)

    def set_password(self, service: str, username: str, password: str) -> None:
        # The package removes what there is, and adds.
        self._check("set", service, username, self.foreign[1], PasswordSetError)
        super().set_password(service, username, password)
        self._made_by[service, username] = self.program

    def delete_password(self, service: str, username: str) -> None:
        self._check("delete", service, username, self.foreign[1], PasswordDeleteError)
        super().delete_password(service, username)

    def _check(self, what: str, service: str, username: str, number: int | None, kind: type[Exception]) -> None:
        is_foreign = self._made_by.get((service, username), self.program) != self.program
        if (service, username) not in self.entries:
            is_foreign = False
        if self.is_locked and (what == "set" or (service, username) in self.entries):
            number = -25308
        elif not is_foreign:
            return
        if number is not None:
            self.calls.append(what)
            # As the package has it: the system's number is in the cause, and -128 makes it `KeyringLocked`.
            kind = KeyringLocked if number == -128 and kind is not PasswordDeleteError else kind
            raise kind(f"hunter2: ({number}, 'Unknown Error')") from SecurityError(number, "Unknown Error")


class SecurityError(Exception):
    """`keyring.backends.macOS.api.Error`, which can be imported on macOS only."""


class HangingRing(MemoryRing):
    """Answers nothing until `answer` is set, as a keyring does while its prompt waits."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = threading.Event()
        self.asked = threading.Event()
        self.done = threading.Event()

    def set_password(self, service: str, username: str, password: str) -> None:
        super().set_password(service, username, password)
        self.done.set()

    def _called(self, what: str) -> None:
        self.asked.set()
        assert self.answer.wait(stretched(30))
        super()._called(what)


class ForgetfulRing(MemoryRing):
    """Takes everything and keeps nothing, without a word."""

    def set_password(self, service: str, username: str, password: str) -> None:
        self.calls.append("set")


class Killed(BaseException):
    """The process died here."""


def failing_at(ring: MemoryRing, what: str, times: int, error: BaseException) -> None:
    """Make every call of a kind fail from the `times`th on, counted from now."""
    count = 0

    def before(called: str) -> None:
        nonlocal count
        count += called == what
        if called == what and count >= times:
            raise error

    ring.before = before


def unavailable(reason: str = "it is locked") -> Callable[[], KeyringBackend]:
    """A search that finds no keyring."""

    def find() -> KeyringBackend:
        raise KeyringUnavailable(reason)

    return find


class Home:
    """One machine's data folder and keyring. Each store it opens is a new run of the bridge."""

    def __init__(self, root: Path) -> None:
        self.paths = StorePaths(root / "data")
        self.ring = MemoryRing()
        self.locked = ""
        self.found = 0
        self.notices: list[str] = []

    def open(self, choice: str = "auto", deadline: float = stretched(10.0)) -> DiskStore:
        keyring = KeyringEntries(self._find, self._require, deadline)
        return DiskStore(choice, self.paths, keyring, self.notices.append)  # type: ignore[arg-type]

    def names(self) -> list[str]:
        folder = self.paths.credentials
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    def generations(self) -> list[str]:
        """Those of which the keyring holds something, in the order in which they came."""
        return list(dict.fromkeys(name.split(".")[1] for _, name in self.ring.entries))

    def _find(self) -> KeyringBackend:
        self.found += 1
        return self.ring

    def _require(self, _: KeyringBackend) -> None:
        if self.locked:
            raise KeyringUnavailable(self.locked)
