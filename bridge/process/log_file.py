"""The file of `--log-file`: several copies append whole lines to it, and no other user can choose which file it is.

| system | how a line is appended | source |
|---|---|---|
| POSIX | O_APPEND: finding the end and writing there are one step | write(2) |
| Windows | a handle with FILE_APPEND_DATA and without FILE_WRITE_DATA: it writes at the end only | NtCreateFile |

The C runtime of Windows makes two steps of O_APPEND, so some lines that copies write at the same time are lost
(python/cpython#86772). A descriptor for such a handle, without O_APPEND, makes one step. On network file systems there
may be two steps anywhere.

| what has the name | what follows |
|---|---|
| nothing | the file is created, for this user alone |
| a plain file of this user | it is appended to |
| a link, or a file with another name too | refused: its owner would choose which file is written to |
| another user's file | refused: that user may read it; on Windows the folder protects it |
| a device, a pipe, a folder | refused: a pipe would block; stderr has the log anyway |

The path of the folder may contain links. Other programs may read, rename and remove the file during a run.
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from bridge.errors import UsageError
from bridge.store.paths import is_foreign, reason_of

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT
# These neither wait for a pipe's reader nor make a terminal the process's own.
_FLAGS |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)

_FILE_APPEND_DATA, _FILE_READ_ATTRIBUTES, _SYNCHRONIZE = 0x4, 0x80, 0x100000
_FILE_SHARE_ALL = 0x7
_OPEN_ALWAYS = 4
_FILE_ATTRIBUTE_NORMAL = 0x80
_FILE_ATTRIBUTE_REPARSE_POINT = 0x400
_FILE_FLAG_OPEN_REPARSE_POINT = 0x00200000
_FILE_ATTRIBUTE_TAG_INFO = 9
# A tag with this bit names another file (IsReparseTagNameSurrogate): links and mount points, not files kept in a cloud.
_NAME_SURROGATE = 0x20000000

_OTHER = "Name another file with --log-file; a new file is created so that only you can read it."


class LogFile:
    """An open log file. Raises `UsageError` where it cannot be opened, or must not be written to."""

    def __init__(self, path: Path) -> None:
        with suppress(FileNotFoundError, NotADirectoryError):
            _check(path, _looked_at(path))
        try:
            self._file = _open_on_windows(path) if sys.platform == "win32" else os.open(path, _FLAGS, 0o600)
        except FileNotFoundError:
            # The folder is not created: a misspelled path would leave unwanted folders, and the log would be elsewhere.
            raise UsageError(
                f"The log file {path} cannot be opened: the folder {path.absolute().parent} does not exist.",
                hint="Create that folder, or name another file with --log-file.",
            ) from None
        except OSError as error:
            raise _cannot(path, error) from None
        try:
            _check(path, os.fstat(self._file))  # Another file may have replaced it since.
        except UsageError:
            self.close()
            raise

    def write(self, data: bytes) -> None:
        """Append `data` in one step. Raises OSError."""
        os.write(self._file, data)

    def close(self) -> None:
        """Close the file. Closing it twice is allowed."""
        file, self._file = self._file, -1
        if file >= 0:
            with suppress(OSError):
                os.close(file)


def _looked_at(path: Path) -> os.stat_result:
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise _cannot(path, error) from None


def _check(path: Path, found: os.stat_result) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise _is_link(path)
    if stat.S_ISDIR(found.st_mode):
        raise UsageError(f"The log file {path} cannot be opened: it is a folder.", hint="Name a file in it.")
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(
            f"The log file {path} is a device or a pipe, not a plain file, so the bridge does not write to it.",
            hint="Name a plain file, or leave --log-file out: the log is on stderr too.",
        )
    if is_foreign(found):
        raise UsageError(
            f"The log file {path} belongs to another user, so the bridge does not write to it.", hint=_OTHER
        )
    if found.st_nlink > 1:
        raise UsageError(
            f"The log file {path} also has another name (a hard link), so the bridge does not write to it.", hint=_OTHER
        )


def _is_link(path: Path) -> UsageError:
    return UsageError(
        f"The log file {path} is a link, so the bridge does not write to it: the link's owner would choose the file.",
        hint="Name the file itself with --log-file.",
    )


def _cannot(path: Path, error: OSError) -> UsageError:
    if path.is_symlink():  # O_NOFOLLOW fails with a different error on each system.
        return _is_link(path)
    hint = "Name another file with --log-file."
    return UsageError(f"The log file {path} cannot be opened: {reason_of(error)}.", hint=hint)


def _open_on_windows(path: Path) -> int:
    """A descriptor that appends in one step, through no link. Raises OSError, and `UsageError` for a link."""
    import ctypes
    import msvcrt

    system: Any = ctypes  # A type checker on another system finds none of its members.
    kernel = system.WinDLL("kernel32", use_last_error=True)
    number, handle = ctypes.c_uint32, ctypes.c_void_p
    kernel.CreateFileW.argtypes = (ctypes.c_wchar_p, number, number, handle, number, number, handle)
    kernel.CreateFileW.restype = handle
    kernel.GetFileInformationByHandleEx.argtypes = (handle, ctypes.c_int, handle, number)
    kernel.CloseHandle.argtypes = (handle,)
    invalid = handle(-1).value

    def opened(flags: int) -> int:
        access = _FILE_APPEND_DATA | _FILE_READ_ATTRIBUTES | _SYNCHRONIZE
        flags |= _FILE_ATTRIBUTE_NORMAL
        found = kernel.CreateFileW(str(path), access, _FILE_SHARE_ALL, None, _OPEN_ALWAYS, flags, None)
        if found in (None, invalid):
            raise system.WinError(system.get_last_error())
        return int(found)

    file = opened(_FILE_FLAG_OPEN_REPARSE_POINT)
    about = (number * 2)()  # FILE_ATTRIBUTE_TAG_INFO: attributes, tag
    size = ctypes.sizeof(about)
    told = kernel.GetFileInformationByHandleEx(file, _FILE_ATTRIBUTE_TAG_INFO, ctypes.byref(about), size)
    if told and about[0] & _FILE_ATTRIBUTE_REPARSE_POINT:
        kernel.CloseHandle(file)
        if about[1] & _NAME_SURROGATE:
            raise _is_link(path)
        file = opened(0)
    make: Any = msvcrt
    try:
        return int(make.open_osfhandle(file, 0))  # Neither O_APPEND nor O_TEXT.
    except OSError:
        kernel.CloseHandle(file)
        raise
