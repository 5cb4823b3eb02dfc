"""The file of `--log-file`: what several copies write follows line by line, and nobody else decides where it goes.

| system | how a line comes to the end of the file | source |
|---|---|---|
| POSIX | O_APPEND: nothing comes between finding the end and writing there | write(2) |
| Windows | a handle with FILE_APPEND_DATA and not FILE_WRITE_DATA: it writes at the end only | NtCreateFile |

The C runtime of Windows makes two steps of O_APPEND, so of lines that copies write at once some are lost
(python/cpython#86772); a descriptor for such a handle, without O_APPEND, makes one. On network file systems there may
be two anywhere.

| what bears the name | what follows |
|---|---|
| nothing | it is made, for this user alone |
| a plain file of this user | appended to |
| a link, or a file with another name besides | refused: who made it decides what is written to |
| another user's file | refused: they may read it, or be made to; on Windows its protection is its folder's |
| a device, a pipe, a folder | refused: a pipe would be waited for; stderr has the log anyway |

What leads to the file's folder may be links. Others may read, rename and remove the file while it is written to.
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
# Neither waits for a pipe's reader, nor takes a terminal for its own.
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

_OTHER = "Give another file with --log-file; one that is not there yet is made for you alone."


class LogFile:
    """An open log file. Raises `UsageError` where it cannot be opened, or is not to be written to."""

    def __init__(self, path: Path) -> None:
        with suppress(FileNotFoundError, NotADirectoryError):
            _check(path, _looked_at(path))
        try:
            self._file = _open_on_windows(path) if sys.platform == "win32" else os.open(path, _FLAGS, 0o600)
        except FileNotFoundError:
            # Not made: a path with a mistake in it would leave folders nobody wanted, and its log would not be found.
            raise UsageError(
                f"The log file {path} cannot be opened: the folder {path.absolute().parent} does not exist.",
                hint="Make that folder, or give another file with --log-file.",
            ) from None
        except OSError as error:
            raise _cannot(path, error) from None
        try:
            _check(path, os.fstat(self._file))  # Another may have taken its place.
        except UsageError:
            self.close()
            raise

    def write(self, data: bytes) -> None:
        """Append `data` in one step. Raises OSError."""
        os.write(self._file, data)

    def close(self) -> None:
        """Close the file. Closing twice does no harm."""
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
            f"The log file {path} is a device or a pipe, not a plain file, so it is not written to.",
            hint="Name a plain file, or leave --log-file out: the log is on stderr too.",
        )
    if is_foreign(found):
        raise UsageError(f"The log file {path} belongs to another user, so it is not written to.", hint=_OTHER)
    if found.st_nlink > 1:
        raise UsageError(
            f"The log file {path} has another name besides (a hard link), so it is not written to.", hint=_OTHER
        )


def _is_link(path: Path) -> UsageError:
    return UsageError(
        f"The log file {path} is a link, so it is not written to: whoever made it would decide which file grows.",
        hint="Name the file itself with --log-file.",
    )


def _cannot(path: Path, error: OSError) -> UsageError:
    if path.is_symlink():  # O_NOFOLLOW says so with another number on each system.
        return _is_link(path)
    hint = "Give another file with --log-file."
    return UsageError(f"The log file {path} cannot be opened: {reason_of(error)}.", hint=hint)


def _open_on_windows(path: Path) -> int:
    """A descriptor that appends in one step, through no link. Raises OSError, and `UsageError` for a link."""
    import ctypes
    import msvcrt

    system: Any = ctypes  # Whoever checks the types on another system finds none of this.
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
