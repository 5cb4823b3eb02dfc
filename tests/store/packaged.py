"""A packaged app's view of AppData on Windows (MSIX), for a process or for a part of a test.

| what a process in the package does | what happens | source |
|---|---|---|
| opens a file | the package's own is opened, else the real one | Microsoft, `desktop-to-uwp-behind-the-scenes` |
| makes a file or folder | in the package's folder, see `Rule` | the same, and what users measured |
| changes a file that is there | where it is; a real one is not copied first (since Windows 10 1903) | the same |
| removes a file | where it is; a real one is really removed | the same |
| renames a file | to the folder that it is in: the package's or the real one | taken to be so; Microsoft does not say |
| lists a folder | both, each name once | the same as for opening |

The rest of the disk, and the package's own folder where its full path is named, are as they are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

Rule = Literal["everywhere", "at the root"]
"""Where what is new goes to the package: everywhere in AppData, as Microsoft says, or only where the first folder
below `Local` or `Roaming` is not there really, as users measured it (anthropics/claude-code#89113)."""

PACKAGE = "Claude_pzs8sxrjxfjjc"


class Profile:
    """A user's profile on Windows, in a folder of the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.local = folder / "AppData" / "Local"
        self.package = self.local / "Packages" / PACKAGE / "LocalCache"
        (self.package / "Local").mkdir(parents=True, exist_ok=True)

    @property
    def environ(self) -> dict[str, str]:
        """The variables that a host passes on. They are the same in a package."""
        return {"USERPROFILE": str(self.folder), "LOCALAPPDATA": str(self.local)}


@contextmanager
def packaged(profile: Profile, rule: Rule = "everywhere") -> Iterator[None]:
    """See the disk as a process in Claude's package does, until the block ends."""
    with pytest.MonkeyPatch.context() as patch:
        _View(profile, rule).put_on(patch)
        yield


class _View:
    def __init__(self, profile: Profile, rule: Rule) -> None:
        self._profile = profile
        self._rule = rule
        self._lstat = os.lstat
        self._makedirs = os.makedirs
        self._is_making = False

    def put_on(self, patch: pytest.MonkeyPatch) -> None:
        for name in ("stat", "lstat", "chmod", "utime", "unlink", "remove", "rmdir"):
            patch.setattr(os, name, self._over(getattr(os, name)))
        for name, how in (("open", self._opening), ("mkdir", self._making)):
            patch.setattr(os, name, how(getattr(os, name)))
        for name in ("replace", "rename"):
            patch.setattr(os, name, self._renaming(getattr(os, name)))
        for name in ("listdir", "scandir"):
            patch.setattr(os, name, self._listing(name, getattr(os, name)))

    # -- where a path leads

    def _private(self, path: Path) -> Path | None:
        """The package's own copy of a path in AppData; None for all other paths."""
        if not path.is_relative_to(self._profile.local) or path.is_relative_to(self._profile.local / "Packages"):
            return None
        return self._profile.package / "Local" / path.relative_to(self._profile.local)

    def _is_there(self, path: Path) -> bool:
        try:
            self._lstat(path)
        except OSError:
            return False
        return True

    def _found(self, path: Any) -> Any:
        if not isinstance(path, (str, os.PathLike)):
            return path
        private = self._private(Path(path))
        return private if private is not None and self._is_there(private) else path

    def _new(self, path: Any) -> Any:
        """Where a file or folder of this name is made, unless it is there."""
        private = self._private(Path(path)) if isinstance(path, (str, os.PathLike)) else None
        if private is None or self._is_there(private) or self._is_there(Path(path)):
            return self._found(path)
        first = Path(path).relative_to(self._profile.local).parts[0]
        private_first = self._profile.package / "Local" / first
        is_in_real_folder = self._is_there(self._profile.local / first) and not self._is_there(private_first)
        if self._rule == "at the root" and is_in_real_folder:
            return path
        if self._is_making or not self._is_there(Path(self._found(Path(path).parent))):
            return private
        self._is_making = True  # What makes the folders is not to be led astray.
        try:
            self._makedirs(private.parent, exist_ok=True)
        finally:
            self._is_making = False
        return private

    # -- the functions

    def _over(self, real: Any) -> Any:
        return lambda path, *rest, **options: real(self._found(path), *rest, **options)

    def _making(self, real: Any) -> Any:
        def mkdir(path: Any, *rest: Any, **options: Any) -> Any:
            private = None if self._is_making else self._private(Path(path))
            if private is not None and (self._is_there(private) or self._is_there(Path(path))):
                raise FileExistsError(17, "File exists", os.fspath(path))
            return real(path if private is None else self._new(path), *rest, **options)

        return mkdir

    def _opening(self, real: Any) -> Any:
        def opened(path: Any, flags: int, *rest: Any, **options: Any) -> Any:
            return real((self._new if flags & os.O_CREAT else self._found)(path), flags, *rest, **options)

        return opened

    def _renaming(self, real: Any) -> Any:
        def rename(source: Any, target: Any, **options: Any) -> Any:
            found = self._found(source)
            private = self._private(Path(target))
            is_private = private is not None and Path(found).is_relative_to(self._profile.package)
            return real(found, private if is_private else target, **options)

        return rename

    def _listing(self, name: str, real: Any) -> Any:
        def listed(path: Any = ".", *rest: Any) -> Any:
            private = self._private(Path(path)) if isinstance(path, (str, os.PathLike)) else None
            if private is None or not self._is_there(private):
                return real(path, *rest)
            if not self._is_there(Path(path)):
                return real(private, *rest)
            if name == "listdir":
                return sorted({*real(private), *real(path)})
            return _Entries(real(private), real(path))

        return listed


class _Entries:
    """What `os.scandir` gives, of two folders."""

    def __init__(self, upper: Any, lower: Any) -> None:
        with upper, lower:
            self._found = list({entry.name: entry for entry in (*lower, *upper)}.values())

    def __enter__(self) -> _Entries:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> Iterator[Any]:
        return iter(self._found)
