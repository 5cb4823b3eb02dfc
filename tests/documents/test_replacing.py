"""A configuration file changed: planned, shown and replaced, or an error and nothing lost."""

import codecs
import errno
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.documents import backups, files, reading, replacing
from bridge.documents.editing import with_value, without
from bridge.documents.replacing import DocumentError, planned, replace
from bridge.errors import BridgeError

ON_POSIX = os.name == "posix"
posix_only = pytest.mark.skipif(not ON_POSIX, reason="Windows has other permissions, and links need a privilege")
PATH = ("mcpServers", "x")
SECRET = "pl4nted-s3cret"


def added(text: str) -> str:
    return with_value(text, "json", PATH, {"command": "b"})


def refused(work: Callable[[], object]) -> BridgeError:
    with pytest.raises(BridgeError) as raised:
        work()
    assert SECRET not in str(raised.value)
    return raised.value


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def removed(text: str) -> str:
    return without(text, "json", PATH, 2)


def test_a_file_that_is_missing_is_made_for_the_user_only_and_taken_away_again(tmp_path: Path) -> None:
    path, folder = tmp_path / "a" / "b" / "config.json", tmp_path / "backups"
    assert replace(planned(path, added), folder) is None
    assert path.read_text("utf-8") == added("")
    assert mode_of(path) == 0o600 or not ON_POSIX
    kept = replace(planned(path, removed, removes_empty=True), folder)
    assert not path.exists()
    assert kept is not None
    assert kept.read_text("utf-8") == added("")


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ],
)
def test_byte_order_mark_encoding_and_line_ends_are_kept(tmp_path: Path, mark: bytes, encoding: str) -> None:
    path = tmp_path / "config.json"
    text = '{\r\n\t"ä": "\N{GRINNING FACE}" // c\r\n}\r\n'
    path.write_bytes(mark + text.encode(encoding))
    path.chmod(0o644)
    replace(planned(path, added), tmp_path / "backups")
    assert path.read_bytes() == mark + added(text).encode(encoding)
    assert mode_of(path) == 0o644 or not ON_POSIX
    replace(planned(path, removed), tmp_path / "backups")
    assert path.read_bytes() == mark + text.encode(encoding)


def test_a_change_is_shown_with_three_lines_around_it(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(f'{{\n  "a": 1,\n  "b": 2,\n  "c": 3,\n  "key": "{SECRET}"\n}}\n')
    shown = planned(path, added).diff(lambda line: line.replace(SECRET, "***"))
    assert shown.splitlines() == [
        f"--- {path}",
        f"+++ {path}",
        "@@ -2,5 +2,10 @@",
        '   "a": 1,',
        '   "b": 2,',
        '   "c": 3,',
        '-  "key": "***"',
        '+  "key": "***",',
        '+  "mcpServers": {',
        '+    "x": {',
        '+      "command": "b"',
        "+    }",
        "+  }",
        " }",
    ]


def test_nothing_is_written_where_nothing_changes(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("{}")
    change = planned(path, removed)
    assert change.is_empty
    assert replace(change, tmp_path / "backups") is None
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("{}")
    change = planned(path, added)
    path.write_text('{"host": 1}')
    with pytest.raises(DocumentError, match="changed meanwhile, so nothing was written"):
        replace(change, tmp_path / "backups")
    assert path.read_text() == '{"host": 1}'


def test_a_file_that_appears_or_goes_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    change = planned(path, added)
    path.write_text("{}")
    refused(lambda: replace(change, tmp_path / "backups"))
    assert path.read_text() == "{}"
    change = planned(path, added)
    path.unlink()
    refused(lambda: replace(change, tmp_path / "backups"))
    assert not path.exists()


def test_a_change_between_the_backup_and_the_write_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.json"
    path.write_text("{}")
    change = planned(path, added)

    def late(data: bytes, target: Path, folder: Path) -> Path:
        path.write_text('{"host": 1}')
        return backups.kept(data, target, folder)

    monkeypatch.setattr("bridge.documents.replacing.kept", late)
    assert "changed meanwhile" in refused(lambda: replace(change, tmp_path / "backups")).message
    assert path.read_text() == '{"host": 1}'
    assert [one.name for one in tmp_path.iterdir() if one.name.endswith(".tmp")] == []


@posix_only
@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_stays_and_the_file_that_it_leads_to_is_replaced(tmp_path: Path, is_there: bool) -> None:
    target, link = tmp_path / "dotfiles" / "config.json", tmp_path / "config.json"
    if is_there:
        target.parent.mkdir()
        target.write_text("{}")
    link.symlink_to(target)
    replace(planned(link, added), tmp_path / "backups")
    assert link.is_symlink()
    assert target.read_text("utf-8") == added("{}" if is_there else "")


@posix_only
def test_a_link_that_was_turned_elsewhere_meanwhile_is_left_alone(tmp_path: Path) -> None:
    one, other, link = tmp_path / "one.json", tmp_path / "other.json", tmp_path / "config.json"
    one.write_text("{}")
    other.write_text("{}")
    link.symlink_to(one)
    change = planned(link, added)
    link.unlink()
    link.symlink_to(other)
    refused(lambda: replace(change, tmp_path / "backups"))
    assert (one.read_text(), other.read_text()) == ("{}", "{}")


@posix_only
def test_links_that_lead_to_one_another_are_an_error(tmp_path: Path) -> None:
    one, other = tmp_path / "one.json", tmp_path / "other.json"
    one.symlink_to(other)
    other.symlink_to(one)
    assert str(one) in refused(lambda: planned(one, added)).message


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"a": "' + SECRET.encode() + b'"\n"b": 1}', "it is not valid JSON, line 2, column 1: a comma or"),
        (b'{"mcpServers": {},\n"mcpServers": {}}', 'the name "mcpServers" is more than once in one object, in lines 1'),
        (b'{"a": "\xff"}', "it is not UTF-8 text (at byte 8)"),
        (b"\xff\xfe{", "it is not UTF-16 text (at byte 3)"),
        (b'{"mcpServers": "' + SECRET.encode() + b'"}', "its member mcpServers is not an object, but a string"),
        (b'{"a": ' * 100_000, "it is nested too deeply"),
    ],
)
def test_what_is_broken_is_told_with_its_place_and_stays(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    problem = refused(lambda: planned(path, added))
    assert problem.message.startswith(f"{path} cannot be changed: ")
    assert says in problem.message
    assert problem.hint.endswith((".", "again."))
    assert path.read_bytes() == content


def test_the_place_of_what_is_broken_can_be_shown(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{\n  "a" 1}')
    with pytest.raises(DocumentError) as raised:
        planned(path, added)
    assert raised.value.broken is not None
    assert (raised.value.broken.line, raised.value.broken.column) == (2, 7)


def test_what_is_too_large_or_no_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.json"
    path.write_text("{}")
    assert "is not a plain file" in refused(lambda: planned(tmp_path, added)).message
    assert "cannot be read" in refused(lambda: planned(path / "x.json", added)).message
    monkeypatch.setattr(replacing, "LIMIT", 10)
    assert "would be larger" in refused(lambda: replace(planned(path, added), tmp_path / "backups")).message
    path.write_text('{"a": 123456}')
    assert "is larger than" in refused(lambda: planned(path, added)).message


def test_a_file_that_is_read_only_is_told_with_the_command_that_allows_writing(tmp_path: Path) -> None:
    path = tmp_path / "a b.json"
    path.write_text("{}")
    path.chmod(0o444)
    problem = refused(lambda: replace(planned(path, added), tmp_path / "backups"))
    assert problem.message == f"{path} cannot be written: it is read-only."
    command = f"chmod u+w '{path}'" if ON_POSIX else f'attrib -R "{path}"'
    assert problem.hint == f"To allow it, run: {command}"
    assert path.read_text() == "{}"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("call", ["fsync", "open", "replace"])
def test_a_disk_that_refuses_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    """A full disk, a read-only file system, a folder that others own; the backup is written before."""
    path = tmp_path / "config.json"
    path.write_text("{}")
    change = planned(path, added)
    real = getattr(os, call)

    def fail(first: object, *rest: object, **more: object) -> object:
        is_draft = call == "fsync" or str(first).startswith(f"{tmp_path}{os.sep}.config.json")
        if is_draft and "backups" not in str(first):
            raise OSError(number, os.strerror(number))
        return real(first, *rest, **more)

    monkeypatch.setattr(os, call, fail)
    problem = refused(lambda: replace(change, tmp_path / "backups"))
    monkeypatch.undo()
    assert os.strerror(number) in problem.message
    assert "run the command again" in problem.hint
    assert path.read_text() == "{}"
    assert list(tmp_path.rglob("*.tmp")) == []


def test_windows_is_asked_again_while_another_program_has_the_file_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_PATIENCE", 60.0)
    monkeypatch.setattr(files, "_ON_WINDOWS", False)
    times = iter([32, 5, 33])

    def work() -> str:
        for number in times:
            problem = PermissionError()
            problem.winerror = number  # type: ignore[attr-defined, unused-ignore]
            raise problem
        return "done"

    assert files.retried(work) == "done"

    def never() -> None:
        raise PermissionError(errno.EACCES, "no")

    with pytest.raises(PermissionError):
        files.retried(never)


def test_an_open_that_windows_refuses_is_tried_again_without_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_PATIENCE", 60.0)
    monkeypatch.setattr(files, "_ON_WINDOWS", True)
    times = iter([1, 2])

    def work() -> str:
        for _ in times:
            raise PermissionError(errno.EACCES, "no")
        return "done"

    assert files.retried(work) == "done"


@posix_only
def test_user_and_group_are_kept_as_far_as_that_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.json"
    path.write_text("{}")
    path.chmod(0o664)
    asked = []

    def chown(_: Path, user: int, group: int) -> None:
        asked.append((user, group))
        raise PermissionError(errno.EPERM, "no")

    found = path.stat()
    monkeypatch.setattr(os, "chown", chown)
    replace(planned(path, added), tmp_path / "backups")
    assert asked[:2] == [(found.st_uid, found.st_gid), (-1, found.st_gid)]
    assert mode_of(path) == 0o604 or not ON_POSIX


def test_backups_are_private_bounded_and_hold_what_was_there(tmp_path: Path) -> None:
    path, other, folder = tmp_path / "Claude" / "config.json", tmp_path / "other.json", tmp_path / "backups"
    folder.mkdir(mode=0o755)
    for file in (path, other):
        replace(planned(file, lambda _: "0"), folder)
    replace(planned(other, lambda _: "x"), folder)
    for number in range(25):
        kept = replace(planned(path, lambda text: str(int(text) + 1)), folder)
        assert kept is not None
        assert kept.read_text() == str(number)
        assert mode_of(kept) == 0o600 or not ON_POSIX
        assert kept.name.endswith("-Claude-config.json")
    assert mode_of(folder) == 0o700 or not ON_POSIX
    assert sorted(int(one.read_text()) for one in folder.glob("*-Claude-config.json")) == list(range(5, 25))
    assert len(list(folder.iterdir())) == 21


def test_without_a_backup_nothing_is_written(tmp_path: Path) -> None:
    path, folder = tmp_path / "config.json", tmp_path / "backups"
    path.write_text("{}")
    folder.write_text("")
    problem = refused(lambda: replace(planned(path, added), folder))
    assert problem.message.startswith(f"No backup of {path} could be kept in {folder} (")
    assert path.read_text() == "{}"


def test_drafts_of_killed_processes_are_removed_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    old, young, foreign = (
        tmp_path / f".config.json.{'0' * 16}.tmp",
        tmp_path / f".config.json.{'1' * 16}.tmp",
        tmp_path / ".config.json.mine.tmp",
    )
    for one in (old, young, foreign):
        one.write_text("x")
    long_ago = time.time() - 7200
    os.utime(old, (long_ago, long_ago))
    os.utime(foreign, (long_ago, long_ago))
    replace(planned(path, added), tmp_path / "backups")
    assert (old.exists(), young.exists(), foreign.exists()) == (False, True, True)


def test_utf_16_is_read_wherever_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes('{"ä": 1}'.encode("utf-16"))
    assert reading.read_config(path) == {"ä": 1}
