"""The record of what was written, and what it says of the time before."""

from pathlib import Path

import pytest

from bridge.errors import BridgeError
from bridge.install import installed
from bridge.install.installed import Installed, InstalledEntry, InstalledFile, digest

ORIGINAL, WITH_A, WITH_B = b"{ }", b"{a}", b"{a,b}"
FILE = InstalledFile("/f", digest(ORIGINAL), "/b", 1, ("/x",))


def entry(name: str, before: bytes | None, after: bytes, path: str = "/f", backup: str = "") -> InstalledEntry:
    was = "" if before is None else digest(before)
    return InstalledEntry("cursor", path, ("mcpServers", name), was, digest(after), backup)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    record = Installed((entry("a", ORIGINAL, WITH_A), entry("b", None, WITH_B)), (FILE,))
    installed.save(record, tmp_path / "new")
    assert installed.load(tmp_path / "new") == record
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["installed.json"]


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b'{"entries": [{"host": 1}]}'])
def test_a_damaged_record_counts_as_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "installed.json").write_bytes(data)
    assert installed.load(tmp_path) == Installed()


def test_a_record_that_cannot_be_written_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BridgeError, match=r"installed\.json"):
        installed.save(Installed(), tmp_path / "file")


def test_an_entry_of_ours_that_is_replaced_keeps_what_was_before_it() -> None:
    record = Installed().added(entry("a", ORIGINAL, WITH_A, backup="/b"), FILE)
    [kept] = record.added(entry("a", WITH_A, b"{A}", backup="/c"), FILE).entries
    assert (kept.before, kept.after, kept.backup) == (digest(ORIGINAL), digest(b"{A}"), "/b")


def test_a_file_is_known_as_it_was_before_its_first_entry_until_the_last_goes() -> None:
    first, second = entry("a", ORIGINAL, WITH_A), entry("b", WITH_A, WITH_B)
    other = entry("a", ORIGINAL, WITH_A, path="/other")
    record = Installed().added(first, FILE)
    record = record.added(second, InstalledFile("/f", digest(WITH_A))).added(other, InstalledFile("/other"))
    assert record.file(Path("/f")) == FILE
    assert not record.is_last(first)
    record = record.without(first)
    assert record.is_last(second)
    assert record.file(Path("/f")) == FILE
    record = record.without(second)
    assert record.file(Path("/f")) is None
    assert record.entries == (other,)


def test_the_original_is_the_backup_only_if_nothing_changed(tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    backup.write_bytes(ORIGINAL)
    one = entry("a", ORIGINAL, WITH_A, backup=str(backup))
    assert installed.original(one, WITH_A) == ORIGINAL
    assert installed.original(one, WITH_B) is None
    backup.write_bytes(b"something else")
    assert installed.original(one, WITH_A) is None
    backup.unlink()
    assert installed.original(one, WITH_A) is None
    assert installed.original(entry("a", None, WITH_A), WITH_A) is None


def test_what_differs_in_white_space_only_is_the_original(tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    backup.write_bytes(ORIGINAL)
    file = InstalledFile("/f", digest(ORIGINAL), str(backup))
    assert installed.original_but_for_space(file, b"{\n}\n") == ORIGINAL
    assert installed.original_but_for_space(file, b"{ x }") is None
    assert installed.original_but_for_space(InstalledFile("/f"), b"{ }") is None
