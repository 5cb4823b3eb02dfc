"""Private files: whole or not at all, for their owner alone, and never through a link."""

import errno
import os
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.store.errors import StoreError
from bridge.store.file import LIMIT, PrivateFiles
from tests.support.waits import stretched

posix = pytest.mark.skipif(os.name != "posix", reason="the mode bits and links of POSIX")

NAME = "tokens-0123456789abcdef.secret"


@pytest.fixture
def files(tmp_path: Path) -> PrivateFiles:
    return PrivateFiles(tmp_path / "data" / "credentials")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def failing(times: int, error: OSError, real: Callable[..., Any]) -> Callable[..., Any]:
    left = times

    def call(*arguments: Any, **options: Any) -> Any:
        nonlocal left
        left -= 1
        if left >= 0:
            raise error
        return real(*arguments, **options)

    return call


def sharing_violation() -> PermissionError:
    """What Windows says of a file that somebody has open."""
    error = PermissionError(errno.EACCES, "The process cannot access the file")
    error.winerror = 32  # type: ignore[attr-defined, unused-ignore]
    return error


def refused_open(number: int = errno.EACCES) -> PermissionError:
    """What `os.open` says on Windows of the same file: it goes through the C runtime, which knows `errno` only."""
    error = PermissionError(number, os.strerror(number))
    assert getattr(error, "winerror", None) is None
    return error


def test_what_was_written_is_read_and_deleted(files: PrivateFiles) -> None:
    assert files.read(NAME) is None
    assert not files.exists(NAME)
    files.write(NAME, b"\x00\r\n\x1a\xff")
    assert files.read(NAME) == b"\x00\r\n\x1a\xff"
    files.write(NAME, b"")
    assert files.read(NAME) == b""
    files.delete(NAME)
    files.delete(NAME)
    assert files.read(NAME) is None


@posix
def test_only_the_owner_may_look(files: PrivateFiles) -> None:
    before = os.umask(0)
    try:
        files.write(NAME, b"x")
    finally:
        os.umask(before)
    assert mode(files.path(NAME)) == 0o600
    assert mode(files.path(NAME).parent) == 0o700


@posix
def test_the_draft_is_private_from_its_first_byte(files: PrivateFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    before = os.umask(0)
    try:
        files.write(NAME, b"x")
    finally:
        os.umask(before)
    assert seen == [0o600, 0o700]  # The file, then its folder.


@posix
def test_a_readable_file_and_folder_are_closed(files: PrivateFiles) -> None:
    files.write(NAME, b"x")
    files.path(NAME).chmod(0o644)
    files.path(NAME).parent.chmod(0o755)
    assert files.read(NAME) == b"x"
    assert mode(files.path(NAME)) == 0o600
    files.write("other", b"y")
    assert mode(files.path(NAME).parent) == 0o700


@posix
@pytest.mark.parametrize("loose", [0o620, 0o602, 0o666])
def test_a_file_others_can_write_is_not_believed(files: PrivateFiles, loose: int) -> None:
    files.write(NAME, b"hunter2")
    files.path(NAME).chmod(loose)
    with pytest.raises(StoreError, match="does not trust it") as error:
        files.read(NAME)
    assert "hunter2" not in str(error.value)
    assert mode(files.path(NAME)) == loose


@posix
def test_another_users_file_is_refused(files: PrivateFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write(NAME, b"x")
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    with pytest.raises(StoreError, match="another user"):
        files.read(NAME)
    with pytest.raises(StoreError, match="another user"):
        files.write(NAME, b"y")


@posix
def test_a_link_is_neither_read_nor_written_through(files: PrivateFiles, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"theirs")
    files.write("other", b"x")
    files.path(NAME).symlink_to(victim)
    with pytest.raises(StoreError, match="link"):
        files.read(NAME)
    files.write(NAME, b"mine")
    assert victim.read_bytes() == b"theirs"
    assert not files.path(NAME).is_symlink()
    assert files.read(NAME) == b"mine"


@posix
def test_a_link_put_there_while_the_file_is_opened_is_not_followed(
    files: PrivateFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"theirs")
    victim.chmod(0o600)
    files.write(NAME, b"mine")
    real = os.open

    def swapped(path: Any, flags: int, *rest: Any) -> int:
        files.path(NAME).unlink()
        files.path(NAME).symlink_to(victim)
        # As on a platform that cannot be told not to follow.
        return real(path, flags & ~os.O_NOFOLLOW, *rest)

    monkeypatch.setattr(os, "open", swapped)
    with pytest.raises(StoreError, match="link"):
        files.read(NAME)


@posix
def test_a_folder_that_is_a_link_is_refused(files: PrivateFiles, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    files.path(NAME).parent.parent.mkdir()
    files.path(NAME).parent.symlink_to(elsewhere)
    with pytest.raises(StoreError, match="link"):
        files.write(NAME, b"x")
    assert list(elsewhere.iterdir()) == []


@posix
def test_a_pipe_in_the_files_place_does_not_hang_the_reader(files: PrivateFiles) -> None:
    files.write("other", b"x")
    os.mkfifo(files.path(NAME), 0o600)
    with pytest.raises(StoreError, match="not a plain file"):
        files.read(NAME)


def test_a_write_killed_before_its_end_leaves_the_old_content(
    files: PrivateFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write(NAME, b"old")

    class PowerCut(BaseException):
        pass

    def cut(*_: Any) -> None:
        raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", cut)
        patch.setattr(Path, "unlink", cut)
        with pytest.raises(PowerCut):
            files.write(NAME, b"new")
    assert files.read(NAME) == b"old"
    [draft] = files.path(NAME).parent.glob(".*.tmp")
    files.write(NAME, b"newer")
    assert draft.exists()  # It might be another process's, at work right now.
    long_ago = time.time() - 7200
    os.utime(draft, (long_ago, long_ago))
    files.write(NAME, b"newest")
    assert not draft.exists()


def test_deleting_takes_what_a_killed_writer_left(files: PrivateFiles) -> None:
    files.write(NAME, b"x")
    draft = files.path(f".{NAME}.0123.tmp")
    draft.write_bytes(b"secret")
    files.delete(NAME)
    assert list(draft.parent.iterdir()) == []


def test_a_full_disk_is_said_and_leaves_the_old_content(files: PrivateFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write(NAME, b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing(9, OSError(errno.ENOSPC, "No space left on device"), os.fsync))
        with pytest.raises(StoreError, match="No space left on device") as error:
            files.write(NAME, b"hunter2")
    assert "hunter2" not in str(error.value)
    assert files.read(NAME) == b"old"
    assert [path.name for path in files.path(NAME).parent.iterdir()] == [NAME]


@pytest.mark.parametrize("what", ["replace", "lstat", "unlink"])
def test_windows_is_asked_again_while_the_file_is_open_elsewhere(
    files: PrivateFiles, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    files.write(NAME, b"old")
    with monkeypatch.context() as patch:
        if what == "replace":
            patch.setattr(Path, "replace", failing(3, sharing_violation(), Path.replace))
            files.write(NAME, b"new")
        elif what == "lstat":
            patch.setattr(Path, "lstat", failing(3, sharing_violation(), Path.lstat))
            assert files.read(NAME) == b"old"
        else:
            patch.setattr(Path, "unlink", failing(3, sharing_violation(), Path.unlink))
            files.delete(NAME)
    assert files.read(NAME) == {"replace": b"new", "lstat": b"old", "unlink": None}[what]


@pytest.mark.parametrize("what", ["read", "write"])
def test_windows_is_asked_again_where_opening_says_no_more_than_access_denied(
    files: PrivateFiles, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    files.write(NAME, b"old")
    monkeypatch.setattr("bridge.store.file._ON_WINDOWS", True)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", failing(3, refused_open(), os.open))
        if what == "read":
            assert files.read(NAME) == b"old"
        else:
            files.write(NAME, b"new", is_lasting=False)
    assert files.read(NAME) == {"read": b"old", "write": b"new"}[what]


def test_windows_is_not_asked_for_ever_where_opening_is_denied_for_good(
    files: PrivateFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write(NAME, b"old")
    monkeypatch.setattr("bridge.store.file._ON_WINDOWS", True)
    monkeypatch.setattr("bridge.store.file._PATIENCE", 0.05)
    monkeypatch.setattr(os, "open", failing(10_000, refused_open(), os.open))
    with pytest.raises(StoreError, match="cannot be read: Permission denied"):
        files.read(NAME)


@pytest.mark.parametrize(("on_windows", "number"), [(False, errno.EACCES), (True, errno.EPERM)])
def test_opening_that_is_denied_for_another_reason_is_not_tried_again(
    files: PrivateFiles, monkeypatch: pytest.MonkeyPatch, on_windows: bool, number: int
) -> None:
    files.write(NAME, b"old")
    monkeypatch.setattr("bridge.store.file._ON_WINDOWS", on_windows)
    monkeypatch.setattr(os, "open", failing(1, refused_open(number), os.open))
    with pytest.raises(StoreError, match="cannot be read"):
        files.read(NAME)


def test_windows_is_not_asked_for_ever(files: PrivateFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write(NAME, b"old")
    monkeypatch.setattr("bridge.store.file._PATIENCE", 0.05)
    monkeypatch.setattr(Path, "replace", failing(10_000, sharing_violation(), Path.replace))
    start = time.monotonic()
    with pytest.raises(StoreError, match="cannot access"):
        files.write(NAME, b"new")
    assert time.monotonic() - start < stretched(5)
    assert files.read(NAME) == b"old"


def test_an_ordinary_refusal_is_not_tried_again(files: PrivateFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write(NAME, b"old")
    for_good = PermissionError(errno.EACCES, "Permission denied")
    for_good.winerror = 1314  # type: ignore[attr-defined, unused-ignore]
    refusal = failing(1, for_good, Path.replace)
    monkeypatch.setattr(Path, "replace", refusal)
    with pytest.raises(StoreError, match="Permission denied"):
        files.write(NAME, b"new")


def test_too_much_is_neither_written_nor_read(files: PrivateFiles) -> None:
    with pytest.raises(StoreError, match="larger"):
        files.write(NAME, bytes(LIMIT + 1))
    files.write(NAME, bytes(LIMIT))
    assert files.read(NAME) == bytes(LIMIT)
    with files.path(NAME).open("ab") as file:
        file.write(b"x")
    with pytest.raises(StoreError, match="larger"):
        files.read(NAME)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"a file where a folder should be")
    files = PrivateFiles(tmp_path / "data" / "credentials")
    with pytest.raises(StoreError, match=r"cannot be created.*--token-store memory"):
        files.write(NAME, b"x")


def test_readers_among_writers_see_whole_values_only(files: PrivateFiles) -> None:
    values = [bytes([number]) * 50_000 for number in range(4)]
    files.write(NAME, values[0])
    failures: list[BaseException] = []

    def write(value: bytes) -> None:
        try:
            for _ in range(20):
                files.write(NAME, value)
        except BaseException as error:
            failures.append(error)

    writers = [threading.Thread(target=write, args=(value,), daemon=True) for value in values]
    for writer in writers:
        writer.start()
    deadline = time.monotonic() + stretched(30)
    while any(writer.is_alive() for writer in writers):
        assert files.read(NAME) in values
        assert time.monotonic() < deadline
        if sys.platform == "win32":  # There one that never lets go keeps all writers out.
            time.sleep(0.001)
    assert failures == []
    assert [path.name for path in files.path(NAME).parent.iterdir()] == [NAME]
