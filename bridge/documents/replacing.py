r"""Replaces a configuration file as a whole, after what was to be changed has been shown.

| what is found | what follows |
|---|---|
| no file | it is made, readable by the user only, with the folders that are missing |
| a symbolic link, as programs for dotfiles make them | the file that it leads to is replaced, and the link stays |
| a byte order mark, UTF-16, `\r\n` | the new text has them too |
| a file that changed after it was read | nothing is written |
| anything that cannot be read, written or understood | nothing is written |

The old content is kept in a folder of backups before the new one takes its place, at once and whole.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import shlex
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bridge.documents.backups import kept
from bridge.documents.files import reason_of, retried, written_whole
from bridge.documents.reading import LIMIT, BrokenConfig, decoded
from bridge.documents.splices import RefusedEdit
from bridge.errors import BridgeError

_NEW_MODE = 0o600
_AGAIN = "Run the command again."
_CORRECT = "Correct it in an editor, and run the command again."


class DocumentError(BridgeError):
    """A configuration file cannot be changed; nothing was written. `broken` has the place, where it is not valid."""

    def __init__(self, message: str, *, hint: str = "", broken: BrokenConfig | None = None) -> None:
        super().__init__(message, hint=hint)
        self.broken = broken


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file's content before and after; None where there is no file. `target` is the file that `path` leads to."""

    path: Path
    target: Path
    before: bytes | None = field(repr=False)
    after: bytes | None = field(repr=False)

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return self.before == self.after

    def diff(self, mask: Callable[[str], str] = str) -> str:
        """The change as a unified diff with three lines around it. `mask` hides the secrets of a line."""
        before, after = (_lines(data) for data in (self.before, self.after))
        old, new = (str(self.path) if data is not None else os.devnull for data in (self.before, self.after))
        lines = list(difflib.unified_diff(before, after, old, new, lineterm=""))
        return "\n".join([*lines[:2], *(line[:1] + mask(line[1:]) for line in lines[2:])])


def planned(path: Path, change: Callable[[str], str], *, removes_empty: bool = False) -> FileChange:
    """The change that `change` makes of the file's text, which is empty where there is no file. Nothing is written.

    The text has no byte order mark. `removes_empty`: a file of which nothing is left is to be removed. Raises
    `DocumentError`.
    """
    target = _target(path)
    before = _read(path, target)
    try:
        text, mark, encoding = decoded(before or b"")
        changed = change(text)
    except BrokenConfig as why:
        raise DocumentError(f"{path} cannot be changed: {why}.", hint=_CORRECT, broken=why) from None
    except RefusedEdit as why:
        raise DocumentError(f"{path} cannot be changed: {why}.", hint=why.hint) from None
    if changed == text:
        return FileChange(path, target, before, before)
    if removes_empty and not changed.strip():
        return FileChange(path, target, before, None)
    return FileChange(path, target, before, mark + changed.encode(encoding))


def replace(change: FileChange, backups: Path) -> Path | None:
    """Make the change. Returns where the old content is kept; None where there was none, or nothing changes.

    Raises `DocumentError`, or `BridgeError` where no backup can be kept; then the file is as it was.
    """
    if change.is_empty:
        return None
    path, target = change.path, change.target
    if change.after is not None and len(change.after) > LIMIT:
        raise DocumentError(f"{path} would be larger than {LIMIT // 1_000_000} MB, so nothing was written.")
    _check_unchanged(change)
    _check_writable(change)
    kept_in = kept(change.before, target, backups) if change.before is not None else None
    try:
        if change.after is None:
            retried(target.unlink)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(target, change.after, _mode_and_owner(target)) as draft:
                _check_unchanged(change)
                retried(lambda: draft.replace(target))
    except OSError as problem:
        raise _not_written(path, target, problem) from None
    return kept_in


def _target(path: Path) -> Path:
    """The file that `path` leads to, whether or not it exists."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # RuntimeError: Python before 3.13, for links that lead to one another.
        raise DocumentError(f"{path} is a symbolic link that leads nowhere.", hint="Remove it.") from None


def _read(path: Path, target: Path) -> bytes | None:
    try:
        if not stat.S_ISREG(target.stat().st_mode):
            raise DocumentError(f"{path} is not a plain file, so nothing was written.", hint="Name a file.")
        with retried(lambda: target.open("rb")) as stream:
            data = stream.read(LIMIT + 1)
    except FileNotFoundError:
        return None
    except OSError as problem:
        hint = f"Make it readable, and run the command again. {_place_hint(path, target)}".strip()
        raise DocumentError(f"{path} cannot be read: {reason_of(problem)}.", hint=hint) from None
    if len(data) > LIMIT:
        limit = f"{LIMIT // 1_000_000} MB"
        raise DocumentError(f"{path} is larger than {limit}, so nothing was written.", hint="Is it the right file?")
    return data


def _lines(data: bytes | None) -> list[str]:
    lines = decoded(data or b"")[0].replace("\r\n", "\n").split("\n")
    return lines if lines[-1] else lines[:-1]


def _check_unchanged(change: FileChange) -> None:
    """Raises `DocumentError` where the file is not what it was when the change was planned."""
    if _target(change.path) != change.target or _read(change.path, change.target) != change.before:
        message = f"{change.path} changed meanwhile, so nothing was written."
        raise DocumentError(message, hint=_AGAIN)


def _check_writable(change: FileChange) -> None:
    """Raises `DocumentError` for a file that its owner has made read-only, although its folder may be written to."""
    path, target = change.path, change.target
    if change.before is not None and not target.stat().st_mode & stat.S_IWUSR:
        run = f'attrib -R "{target}"' if os.name == "nt" else f"chmod u+w {shlex.quote(str(target))}"
        raise _unwritten(path, target, "it is read-only", f"To allow it, run: {run}")


def _mode_and_owner(target: Path) -> tuple[int, int, int]:
    """The permissions, user and group that the new file is to have; -1 for what the system chooses."""
    with contextlib.suppress(FileNotFoundError):
        found = target.stat()
        return stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid
    return _NEW_MODE, -1, -1


def _not_written(path: Path, target: Path, problem: OSError) -> DocumentError:
    hint = "Make room on the disk, or allow writing to the file and its folder, and run the command again."
    return _unwritten(path, target, f"{reason_of(problem)}. It is as it was", hint)


def _unwritten(path: Path, target: Path, why: str, hint: str) -> DocumentError:
    return DocumentError(f"{path} cannot be written: {why}.", hint=f"{hint} {_place_hint(path, target)}".strip())


def _place_hint(path: Path, target: Path) -> str:
    """What to say of a link, whose file may be made by another program (home-manager, chezmoi)."""
    return (
        f"It is a link to {target}; where another program makes that file, change it there."
        if path.is_symlink()
        else ""
    )
