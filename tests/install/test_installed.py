"""The record of what was written, and what it says of the time before."""

from pathlib import Path

import pytest

from bridge.errors import BridgeError
from bridge.install import installed
from bridge.install.installed import InstalledEntry, digest

ORIGINAL, WITH_A, WITH_B, ONLY_B = b"{}", b"{a}", b"{a,b}", b"{b}"


def entry(name: str, before: bytes | None, after: bytes, **more: object) -> InstalledEntry:
    made = {"before": "" if before is None else digest(before), "after": digest(after)} | more
    return InstalledEntry("cursor", "/f", ("mcpServers", name), **made)  # type: ignore[arg-type]


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    entries = [entry("a", ORIGINAL, WITH_A, parents=1, folders=("/x",)), entry("b", None, WITH_B)]
    installed.save(entries, tmp_path / "new")
    assert installed.load(tmp_path / "new") == entries
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["installed.json"]


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b'[{"host": 1}]'])
def test_a_damaged_record_counts_as_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "installed.json").write_bytes(data)
    assert installed.load(tmp_path) == []


def test_a_record_that_cannot_be_written_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BridgeError, match=r"installed\.json"):
        installed.save([], tmp_path / "file")


def test_an_entry_of_ours_that_is_replaced_keeps_what_was_before_it() -> None:
    old = entry("a", ORIGINAL, WITH_A, parents=1, backup="/b")
    [kept] = installed.added([old], entry("a", WITH_A, b"{A}"))
    assert (kept.before, kept.after, kept.parents, kept.backup) == (digest(ORIGINAL), digest(b"{A}"), 1, "/b")


def test_the_next_entry_inherits_what_came_before_the_one_that_goes() -> None:
    first = entry("a", ORIGINAL, WITH_A, parents=1, backup="/b", folders=("/x",))
    second = entry("b", WITH_A, WITH_B, backup="/c")
    [left] = installed.removed([first, second], first, WITH_B, ONLY_B)
    assert (left.before, left.after, left.backup) == (digest(ORIGINAL), digest(ONLY_B), "/b")
    assert (left.parents, left.folders) == (1, ("/x",))


def test_a_file_that_changed_in_between_is_not_taken_for_the_original() -> None:
    first = entry("a", None, WITH_A, parents=1)
    second = entry("b", b"changed", WITH_B, backup="/c")
    [left] = installed.removed([first, second], first, b"changed again", ONLY_B)
    assert left.after == digest(WITH_B)
    assert left.made_file, "the file was made for the first entry"
    assert left.parents == 1


def test_entries_of_other_files_stay_as_they_are() -> None:
    gone = entry("a", ORIGINAL, WITH_A, parents=2)
    other = InstalledEntry("cursor", "/other", ("mcpServers", "a"), before=digest(WITH_A))
    assert installed.removed([gone, other], gone, WITH_A, ORIGINAL) == [other]


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
