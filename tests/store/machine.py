"""A user's profile and keyring on Windows, with the bridge in an earlier version and in this one."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from bridge import PROGRAM
from bridge.store.disk import DiskStore
from bridge.store.errors import KeyringUnavailable
from bridge.store.paths import StorePaths
from bridge.store.roots import data_root, former_roots
from bridge.store.system import KeyringEntries
from tests.store.packaged import Profile, Rule, packaged
from tests.store.rings import MemoryRing
from tests.support.waits import stretched

VIEWS = ("the package", "a terminal")


class Machine:
    """A user's profile and keyring on Windows, and the bridge in an earlier version and in this one."""

    def __init__(self, folder: Path) -> None:
        self.profile = Profile(folder)
        self.ring = MemoryRing()
        self.is_locked = False

    def earlier(self) -> DiskStore:
        return self.open(StorePaths(self.profile.local / PROGRAM))

    def now(self, choice: str = "auto") -> DiskStore:
        return self.open(self.paths(), choice)

    def paths(self) -> StorePaths:
        environ = self.profile.environ
        return StorePaths(data_root("win32", environ), former_roots("win32", environ))

    def old_files(self) -> list[str]:
        """What is left of earlier versions' secrets and markers, wherever."""
        found = self.profile.local.rglob("credentials/*")
        return sorted(str(path.relative_to(self.profile.local)) for path in found)

    def open(self, paths: StorePaths, choice: str = "auto") -> DiskStore:
        keyring = KeyringEntries(lambda: self.ring, self._require, stretched(10))
        return DiskStore(choice, paths, keyring, lambda _: None)  # type: ignore[arg-type]

    def _require(self, _: object) -> None:
        if self.is_locked:
            raise KeyringUnavailable("it is locked")


def made_older(folder: Path) -> None:
    """Make everything in the folder a minute older than it is."""
    for path in folder.rglob("*"):
        at = path.lstat().st_mtime_ns - 60 * 10**9
        os.utime(path, ns=(at, at))


@contextlib.contextmanager
def seen_from(machine: Machine, where: str, rule: Rule = "everywhere") -> Iterator[None]:
    with packaged(machine.profile, rule) if where == "the package" else contextlib.nullcontext():
        yield


VIEWS = ("the package", "a terminal")
