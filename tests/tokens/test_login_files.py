"""What logins leave on disk for one another."""

import errno
import os
from pathlib import Path

import msgspec
import pytest

from bridge.oauth.prompt_backoff import PromptHistory
from bridge.store.errors import StoreError
from bridge.store.file import PrivateFiles
from bridge.store.paths import StorePaths
from bridge.tokens.login_files import LoginFiles, Notice

SLOT, OTHER = f"login-{'0' * 40}", f"login-{'1' * 40}"
NOW = 1_000_000.0


def notice(store_key: str = SLOT, port: int = 4711) -> Notice:
    return Notice(
        store_key=store_key,
        pid=1,
        port=port,
        key="00ff",
        server="https://mcp.example/mcp",
        profile="default",
        since=NOW,
    )


@pytest.fixture
def files(tmp_path: Path) -> LoginFiles:
    return LoginFiles(StorePaths(tmp_path / "data"))


def test_nothing_is_there_before_a_login(files: LoginFiles) -> None:
    assert (files.notice(SLOT), files.notices(), files.history(SLOT)) == (None, [], PromptHistory())


def test_a_notice_is_found_until_it_is_dropped(files: LoginFiles, tmp_path: Path) -> None:
    files.put_notice(notice())
    files.put_notice(notice(OTHER, 1))
    assert files.notice(SLOT) == notice()
    assert files.notices() == [notice(), notice(OTHER, 1)]
    files.drop_notice(notice())
    files.drop_notice(notice())
    assert files.notices() == [notice(OTHER, 1)]


def test_who_ends_leaves_the_notice_of_another_login_alone(files: LoginFiles) -> None:
    """Where there are no locks there may be two."""
    files.put_notice(notice(port=4711))
    files.put_notice(notice(port=4712))
    files.drop_notice(notice(port=4711))
    assert files.notice(SLOT) == notice(port=4712)


@pytest.mark.skipif(os.name != "posix", reason="Windows protects the folder of the user instead")
def test_nobody_else_can_read_the_key(files: LoginFiles, tmp_path: Path) -> None:
    files.put_notice(notice())
    (path,) = (tmp_path / "data" / "logins").iterdir()
    assert path.stat().st_mode & 0o077 == 0
    assert "00ff" not in repr(notice())


@pytest.mark.parametrize("damaged", [b"", b"null", b"{", b"[" * 5000, b"\xff\xfe", b'{"store key":1}'])
def test_what_is_damaged_counts_as_not_there(damaged: bytes, files: LoginFiles, tmp_path: Path) -> None:
    files.put_notice(notice())
    files.put_history(SLOT, PromptHistory(failures=3))
    for path in (tmp_path / "data" / "logins").iterdir():
        path.write_bytes(damaged)
    assert (files.notice(SLOT), files.notices(), files.history(SLOT)) == (None, [], PromptHistory())


def test_a_history_is_kept(files: LoginFiles) -> None:
    history = PromptHistory().tab_opened(NOW).ended("refused", NOW + 1)
    files.put_history(SLOT, history)
    assert files.history(SLOT) == history
    files.log_out(SLOT, NOW + 2)
    assert files.history(SLOT) == PromptHistory(logged_out_at=NOW + 2)


def test_a_history_that_could_not_be_read_is_not_written_over(
    files: LoginFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where Windows refuses it while a scanner has it open: it may say that the user signed out."""
    kept = PromptHistory(failures=3, tab_at=NOW, ended_at=NOW, outcome="refused")
    files.put_history(SLOT, kept)
    files.put_history(OTHER, kept)
    with monkeypatch.context() as patch:
        patch.setattr("bridge.store.file._PATIENCE", 0.0)
        patch.setattr(os, "open", _refuse)
        unread = files.history(SLOT)
    assert unread == PromptHistory()
    files.put_history(SLOT, unread.tab_opened(NOW + 1))
    files.log_out(OTHER, NOW + 1)  # Another's is no worse for it.
    assert LoginFiles(StorePaths(tmp_path / "data")).history(SLOT) == kept
    assert files.history(SLOT) == kept
    files.put_history(SLOT, kept.ended("done", NOW + 2))
    assert files.history(SLOT) == kept.ended("done", NOW + 2)
    assert files.history(OTHER) == PromptHistory(logged_out_at=NOW + 1)


def test_signing_out_does_not_write_over_a_history_that_cannot_be_read(
    files: LoginFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.put_history(SLOT, PromptHistory(failures=3))
    with monkeypatch.context() as patch:
        patch.setattr("bridge.store.file._PATIENCE", 0.0)
        patch.setattr(PrivateFiles, "read", _refuse_reading)
        files.log_out(SLOT, NOW)
    assert files.history(SLOT) == PromptHistory(failures=3)


def test_a_damaged_history_is_written_over(files: LoginFiles, tmp_path: Path) -> None:
    files.put_history(SLOT, PromptHistory(failures=3))
    (path,) = (tmp_path / "data" / "logins").iterdir()
    path.write_bytes(b"{")
    files.put_history(SLOT, files.history(SLOT).ended("done", NOW))
    assert files.history(SLOT) == PromptHistory(outcome="done", ended_at=NOW)


def _refuse(*_: object, **__: object) -> int:
    raise PermissionError(errno.EACCES, "Permission denied")


def _refuse_reading(_: PrivateFiles, name: str) -> bytes | None:
    raise StoreError(f"{name} cannot be read: Permission denied.")


def test_a_history_of_a_later_version_is_read_as_far_as_it_goes(files: LoginFiles, tmp_path: Path) -> None:
    files.put_history(SLOT, PromptHistory(failures=3))
    (path,) = (tmp_path / "data" / "logins").iterdir()
    path.write_bytes(msgspec.json.encode({"failures": 3, "new": True}))
    assert files.history(SLOT) == PromptHistory(failures=3)


def test_a_disk_that_cannot_be_written_costs_the_history_only(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no folder")
    files = LoginFiles(StorePaths(tmp_path / "data"))
    files.put_history(SLOT, PromptHistory(failures=3))
    files.drop_notice(notice())
    assert files.history(SLOT) == PromptHistory()
