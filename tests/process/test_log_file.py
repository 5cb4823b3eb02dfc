"""The log file: no line of several copies is lost, and it is written through no link and to nobody else's file."""

from __future__ import annotations

import ctypes
import os
import socket
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bridge.errors import UsageError
from bridge.process import log_file
from bridge.process.log_file import LogFile
from tests.support.waits import stretched

posix = pytest.mark.skipif(os.name != "posix", reason="links, owners and pipes of POSIX")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bridge.log"


def refusal(path: Path) -> str:
    """What is said of a file; opening it waits for nothing."""
    said: list[str] = []

    def open_it() -> None:
        with pytest.raises(UsageError) as caught:
            LogFile(path)
        said.append(str(caught.value))

    thread = threading.Thread(target=open_it, daemon=True)
    thread.start()
    thread.join(stretched(10))
    assert said, "it waits"
    assert f"The log file {path} " in said[0]
    return said[0]


def test_a_new_file_is_made_and_an_old_one_appended_to(path: Path) -> None:
    for line in (b"one\n", b"two\n"):
        file = LogFile(path)
        file.write(line)
        file.close()
        file.close()
    assert path.read_bytes() == b"one\ntwo\n"


@posix
@pytest.mark.parametrize("exists", [True, False], ids=["to-a-file", "to-nothing"])
def test_a_link_is_not_followed(exists: bool, path: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    if exists:
        target.write_text("mine\n")
    path.symlink_to(target)
    assert "is a link" in refusal(path)
    assert (target.read_text() == "mine\n") if exists else not target.exists()


@posix
def test_a_link_that_comes_in_between_is_not_followed_either(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = path.with_name("target")
    target.write_text("mine\n")
    path.symlink_to(target)

    def nothing(path: Path) -> os.stat_result:
        raise FileNotFoundError

    monkeypatch.setattr(log_file, "_looked_at", nothing)
    assert "is a link" in refusal(path)
    assert target.read_text() == "mine\n"


@posix
def test_another_name_of_a_file_is_refused(path: Path) -> None:
    target = path.with_name("target")
    target.write_text("mine\n")
    path.hardlink_to(target)
    assert "hard link" in refusal(path)


@posix
def test_a_folder_that_is_a_link_is_fine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "folder").symlink_to(tmp_path / "real")
    file = LogFile(tmp_path / "folder" / "bridge.log")
    file.write(b"line\n")
    file.close()
    assert (tmp_path / "real" / "bridge.log").read_bytes() == b"line\n"


@posix
@pytest.mark.parametrize("when", ["before", "in-between"])
def test_another_users_file_is_refused(when: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text("theirs\n")
    if when == "in-between":
        monkeypatch.setattr(log_file, "_looked_at", lambda path: Path(__file__).stat())
    owner = path.stat().st_uid
    theirs = path.stat().st_ino
    monkeypatch.setattr(log_file, "is_foreign", lambda found: found.st_ino == theirs and found.st_uid == owner)
    assert "belongs to another user" in refusal(path)
    assert path.read_text() == "theirs\n"


@posix
@pytest.mark.parametrize("has_reader", [True, False])
def test_a_pipe_with_a_name_is_refused_and_not_waited_for(has_reader: bool, path: Path) -> None:
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK) if has_reader else -1
    assert "not a plain file" in refusal(path)
    if has_reader:
        os.close(reader)


@posix
def test_devices_and_sockets_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "not a plain file" in refusal(Path(os.devnull))
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        assert "not a plain file" in refusal(Path("socket"))


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "it is a folder" in refusal(tmp_path)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "new" / "bridge.log")


# -- Windows

APPEND_DATA, WRITE_DATA, OPEN_REPARSE_POINT = 0x4, 0x2, 0x00200000


class Windows:
    """Files as Windows and its C runtime have them, over those of Linux.

    O_APPEND is a seek and a write (`between` happens between them); a handle that may append and not write appends in
    one step. A handle to a link is one to the link itself where that is asked for.
    """

    O_WRONLY, O_APPEND, O_CREAT = os.O_WRONLY, os.O_APPEND, os.O_CREAT
    fspath, fstat = staticmethod(os.fspath), staticmethod(os.fstat)

    def __init__(self) -> None:
        self.between: Callable[[], None] = lambda: None
        self.tag = 0
        self.opened: list[tuple[int, int, int]] = []
        self.closed: list[int] = []
        self._seeks: set[int] = set()
        self.CreateFileW: Any = self._callable(self._create)
        self.GetFileInformationByHandleEx: Any = self._callable(self._tell)
        self.CloseHandle: Any = self._callable(self.closed.append)
        self.error = 0

    @staticmethod
    def _callable(what: Callable[..., Any]) -> Any:
        return lambda *arguments: what(*arguments)

    # The C runtime

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        descriptor = os.open(path, flags & ~os.O_APPEND, mode)
        if flags & os.O_APPEND:
            self._seeks.add(descriptor)
        return descriptor

    def open_osfhandle(self, handle: int, flags: int) -> int:
        if flags & os.O_APPEND:
            self._seeks.add(handle)
        return handle

    def write(self, descriptor: int, data: bytes) -> int:
        if descriptor in self._seeks:
            end = os.lseek(descriptor, 0, os.SEEK_END)
            self.between()
            return os.pwrite(descriptor, data, end)
        self.between()
        return os.write(descriptor, data)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    # kernel32

    def _create(self, name: str, access: int, share: int, security: None, how: int, flags: int, like: None) -> int:
        self.opened.append((access, share, flags))
        if self.error:
            return ctypes.c_void_p(-1).value or 0
        assert how == 4, "it is made where it is not there"
        appends = access & APPEND_DATA and not access & WRITE_DATA
        return os.open(name, os.O_WRONLY | os.O_CREAT | (os.O_APPEND if appends else 0), 0o600)

    def _tell(self, handle: int, kind: int, about: Any, size: int) -> int:
        assert (kind, size) == (9, 8)  # FileAttributeTagInfo
        about._obj[0], about._obj[1] = (0x420, self.tag) if self.tag else (0x20, 0)
        return 1


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Iterator[Windows]:
    windows = Windows()
    monkeypatch.setattr(log_file, "os", windows)
    monkeypatch.setattr(log_file, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(open_osfhandle=windows.open_osfhandle))
    monkeypatch.setattr(ctypes, "WinDLL", lambda name, use_last_error: windows, raising=False)
    monkeypatch.setattr(ctypes, "get_last_error", lambda: windows.error, raising=False)
    errors = {2: FileNotFoundError(2, "cannot find"), 5: PermissionError(13, "Access is denied")}
    monkeypatch.setattr(ctypes, "WinError", errors.__getitem__, raising=False)
    yield windows
    assert not windows.closed or windows.tag


def both_write(windows: Windows, first: LogFile, second: LogFile) -> None:
    """One copy writes, and another writes while it does."""

    def meanwhile() -> None:
        windows.between = lambda: None
        second.write(b"second\n")

    windows.between = meanwhile
    first.write(b"the first\n")


@posix
def test_on_windows_no_line_of_two_copies_is_lost(windows: Windows, path: Path) -> None:
    first, second = LogFile(path), LogFile(path)
    both_write(windows, first, second)
    assert sorted(path.read_bytes().splitlines()) == [b"second", b"the first"]
    (access, share, flags), _ = windows.opened
    assert access & APPEND_DATA
    assert not access & WRITE_DATA
    assert share == 7, "others may read, write, rename and remove it"
    assert flags & OPEN_REPARSE_POINT
    first.close()
    second.close()


@posix
def test_the_c_runtimes_way_would_lose_one(windows: Windows, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_file, "sys", SimpleNamespace(platform="linux"))
    first, second = LogFile(path), LogFile(path)
    both_write(windows, first, second)
    assert len(path.read_bytes().splitlines()) == 1
    first.close()
    second.close()


@posix
def test_on_windows_a_link_is_not_written_through(windows: Windows, path: Path) -> None:
    windows.tag = 0xA000000C  # IO_REPARSE_TAG_SYMLINK
    assert "is a link" in refusal(path)
    assert len(windows.closed) == 1


@posix
def test_on_windows_a_file_of_a_cloud_folder_is_opened_as_any_other(windows: Windows, path: Path) -> None:
    windows.tag = 0x9000001A  # IO_REPARSE_TAG_CLOUD
    file = LogFile(path)
    file.write(b"line\n")
    file.close()
    assert [bool(flags & OPEN_REPARSE_POINT) for _, _, flags in windows.opened] == [True, False]
    assert path.read_bytes() == b"line\n"


@posix
@pytest.mark.parametrize(("error", "words"), [(2, "does not exist"), (5, "Access is denied")])
def test_on_windows_what_cannot_be_opened_is_told(error: int, words: str, windows: Windows, path: Path) -> None:
    windows.error = error
    assert words in refusal(path)


@posix
def test_the_file_is_its_owners(path: Path) -> None:
    before = os.umask(0)
    try:
        LogFile(path).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
