"""Kept answers on the disk: found again, never another's, within their limits, and never in the way."""

from __future__ import annotations

import os
import re
import stat
import sys
import threading
import time
from pathlib import Path

import pytest

from bridge.session.response_cache import LARGEST, STALE_FOR, CachedResult, CacheQuery
from bridge.store import response_files
from bridge.store.response_files import (
    ALL_BYTES,
    SERVER_BYTES,
    SERVER_FILES,
    ResponseFiles,
    Summary,
    cache_folder,
    forget,
    forget_private,
    summary_of,
    summary_of_others,
)

posix = pytest.mark.skipif(os.name != "posix", reason="the mode bits, links and pipes of POSIX")

URL = "https://mcp.example.com/mcp?key=very-secret"
NOW = 1_785_283_200.75
QUESTION = CacheQuery("tools", False, b'["tools/list",{}]')
PAGE = CacheQuery("tools", True, b'["tools/list",{"cursor":"b"}]')
READ = CacheQuery("read", False, b'["resources/read",{"uri":"file:///a"}]')
RESULT = b'{"resultType":"complete","tools":[]}'


def kept(
    result: bytes = RESULT, *, received_at: float = NOW, ttl: float = 60.0, is_private: bool = False
) -> CachedResult:
    return CachedResult(result, received_at, ttl, is_private)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "cache" / "responses"
    monkeypatch.setattr(response_files, "cache_folder", lambda: found)
    return found


def save(
    store: ResponseFiles, question: CacheQuery = QUESTION, what: CachedResult | None = None, as_: str = ""
) -> None:
    store.save(question, what or kept(), as_, starts_anew=False)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("server-*/*") if path.is_file())


def the_file(folder: Path) -> Path:
    (found,) = files(folder)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="the folders of Linux")
def test_linux_has_them_in_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "mcp-remote-bridge" / "responses"


def test_what_was_kept_is_found_by_every_copy(folder: Path) -> None:
    assert ResponseFiles(URL).load(QUESTION, None) is None
    assert not folder.exists()
    save(ResponseFiles(URL))
    found = ResponseFiles(URL).load(QUESTION, None)
    assert found is not None
    assert (found.result, found.ttl, found.is_private) == (RESULT, 60.0, False)
    assert abs(found.received_at - NOW) < 0.001


def test_the_last_answer_counts_also_where_its_scope_changed(folder: Path) -> None:
    store = ResponseFiles(URL)
    save(store)
    save(store, what=kept(b'{"a":1}', is_private=True), as_="ann")
    assert store.load(QUESTION, None) is None
    found = store.load(QUESTION, "ann")
    assert found is not None
    assert found.result == b'{"a":1}'
    save(store, what=kept(b'{"a":2}'), as_="ann")
    assert store.load(QUESTION, "ann") is None
    assert len(files(folder)) == 1
    store.save(QUESTION, None, "ann", starts_anew=False)
    assert files(folder) == []


def test_nothing_is_found_for_another_url_header_or_question() -> None:
    save(ResponseFiles(URL, [b"authorization: a"]))
    assert ResponseFiles(URL, [b"authorization: a"]).load(QUESTION, None) is not None
    for store in (
        ResponseFiles(URL),
        ResponseFiles(URL, [b"authorization: b"]),
        ResponseFiles(URL + "/", [b"authorization: a"]),
    ):
        assert store.load(QUESTION, None) is None
    assert ResponseFiles(URL, [b"authorization: a"]).load(PAGE, None) is None


def test_a_private_answer_is_found_by_its_own_sign_in_alone() -> None:
    store = ResponseFiles(URL)
    save(store, what=kept(is_private=True), as_="ann")
    assert store.has_private("tools")
    assert not store.has_private("read")
    assert store.load(QUESTION, "ann") is not None
    for other in ("bob", "", "an", "ann ", None):
        assert store.load(QUESTION, other) is None
    save(store, what=kept(b'{"b":1}', is_private=True), as_="bob")
    found = store.load(QUESTION, "ann")
    assert found is not None
    assert found.result == RESULT


def test_parts_of_a_digest_cannot_be_moved_from_one_to_the_next() -> None:
    save(ResponseFiles(URL, [b"a: b", b"c: d"]))
    for sent in ([b"a: bc: d"], [b"a: b", b"c: ", b"d"], [b"a: b"]):
        assert ResponseFiles(URL, sent).load(QUESTION, None) is None


def test_names_tell_nothing_of_the_server_the_headers_or_the_user(folder: Path) -> None:
    store = ResponseFiles(URL, [b"authorization: Bearer hunter2"])
    save(store, what=kept(is_private=True), as_="ann")
    text = "".join(str(path.relative_to(folder)) for path in folder.rglob("*"))
    text += (folder / "key").read_bytes().hex() + the_file(folder).read_bytes().decode()
    for secret in ("example", "secret", "hunter2", "ann"):
        assert secret not in text
    assert re.fullmatch(r"private-tools-first-[0-9a-f]{40}", the_file(folder).name)


def test_the_same_answer_of_another_machine_has_another_name(folder: Path) -> None:
    save(ResponseFiles(URL))
    name = the_file(folder).name
    (folder / "key").unlink()
    assert ResponseFiles(URL).load(QUESTION, None) is None
    forget(URL)
    save(ResponseFiles(URL))
    assert the_file(folder).name != name


@posix
def test_files_and_folders_are_for_their_owner_alone(folder: Path) -> None:
    save(ResponseFiles(URL))
    for path in (folder, *folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


# -- damaged and hostile


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"response 1\n",
        b"response 2 1785283200000 60000 36\n" + RESULT,
        b"response 1 1785283200000 60000 35\n" + RESULT,
        b"response 1 1785283200000 60000 37\n" + RESULT,
        b"response 1 -5 60000 36\n" + RESULT,
        b"response 1 1785283200000 6e9 36\n" + RESULT,
        b"\x00" * 1000,
        b"response 1 1785283200000 60000 36\n" + RESULT[:-1],
    ],
)
def test_a_damaged_file_counts_as_none(text: bytes, folder: Path) -> None:
    save(ResponseFiles(URL))
    the_file(folder).write_bytes(text)
    assert ResponseFiles(URL).load(QUESTION, None) is None
    save(ResponseFiles(URL))
    assert ResponseFiles(URL).load(QUESTION, None) is not None


def test_a_time_to_live_of_years_is_a_day(folder: Path) -> None:
    save(ResponseFiles(URL))
    the_file(folder).write_bytes(b"response 1 1785283200000 999999999 %d\n" % len(RESULT) + RESULT)
    found = ResponseFiles(URL).load(QUESTION, None)
    assert found is not None
    assert found.ttl == 24 * 3600.0


@pytest.mark.parametrize("key", [b"", b"short", b"x" * 33])
def test_a_damaged_key_finds_nothing_and_is_made_anew(key: bytes, folder: Path) -> None:
    save(ResponseFiles(URL))
    (folder / "key").write_bytes(key)
    assert ResponseFiles(URL).load(QUESTION, None) is None
    save(ResponseFiles(URL))
    assert ResponseFiles(URL).load(QUESTION, None) is not None


@posix
def test_what_others_can_write_and_what_is_a_link_is_not_read(folder: Path, tmp_path: Path) -> None:
    save(ResponseFiles(URL))
    the_file(folder).chmod(0o666)
    assert ResponseFiles(URL).load(QUESTION, None) is None
    text = the_file(folder).read_bytes()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(text)
    elsewhere.chmod(0o600)
    the_file(folder).unlink()
    save(ResponseFiles(URL))
    path = the_file(folder)
    path.unlink()
    path.symlink_to(elsewhere)
    assert ResponseFiles(URL).load(QUESTION, None) is None
    save(ResponseFiles(URL))
    assert elsewhere.read_bytes() == text


@posix
def test_a_folder_that_cannot_be_made_keeps_nothing_and_stops_nothing(folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    folder.write_bytes(b"a file")
    store = ResponseFiles(URL)
    save(store)
    assert store.load(QUESTION, None) is None
    assert not store.has_private("tools")
    store.drop(["tools"])
    forget(URL)
    assert forget_private(URL) == ""
    assert summary_of(URL) == Summary()
    assert summary_of_others([]) == (0, Summary())


# -- forgetting


def test_what_changed_is_forgotten_for_everybody() -> None:
    store = ResponseFiles(URL)
    save(store)
    save(store, PAGE, kept(is_private=True), "ann")
    save(store, READ)
    store.drop(["tools", "prompts"])
    assert store.load(QUESTION, None) is None
    assert store.load(PAGE, "ann") is None
    assert store.load(READ, None) is not None


def test_pages_that_follow_go_where_the_list_starts_anew() -> None:
    store = ResponseFiles(URL)
    save(store, PAGE)
    store.save(QUESTION, kept(), "", starts_anew=True)
    assert store.load(PAGE, None) is None
    assert store.load(QUESTION, None) is not None
    store.save(PAGE, kept(), "", starts_anew=True)
    assert store.load(PAGE, None) is not None


def test_signing_out_forgets_what_was_for_one_sign_in_and_no_more() -> None:
    other = ResponseFiles("https://other.example/mcp")
    for store in (ResponseFiles(URL), other):
        save(store)
        save(store, READ, kept(is_private=True), "ann")
    assert forget_private(URL) == ""
    assert ResponseFiles(URL).load(READ, "ann") is None
    assert ResponseFiles(URL).load(QUESTION, None) is not None
    assert other.load(READ, "ann") is not None
    assert forget_private(None) == ""
    assert other.load(READ, "ann") is None
    forget(URL)
    assert ResponseFiles(URL).load(QUESTION, None) is None


# -- limits


def sized(number: int, size: int) -> tuple[CacheQuery, CachedResult]:
    return CacheQuery("read", False, b"%d" % number), kept(b'"' + b"a" * (size - 2) + b'"', received_at=NOW + number)


def age(folder: Path, seconds: float) -> None:
    """Make what is kept older; later files stay later."""
    for path in files(folder):
        at = path.stat().st_mtime - seconds
        os.utime(path, (at, at))


def test_one_server_has_a_limit_and_the_oldest_go_first(folder: Path) -> None:
    store = ResponseFiles(URL)
    for number in range(6):
        save(store, *sized(number, LARGEST))
        age(folder, 10.0)
    there = [number for number in range(6) if store.load(sized(number, 3)[0], None) is not None]
    assert there == [2, 3, 4, 5]
    assert sum(path.stat().st_size for path in files(folder)) <= SERVER_BYTES


def test_one_server_has_only_so_many_answers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert SERVER_FILES == 256
    monkeypatch.setattr(response_files, "SERVER_FILES", 3)
    store = ResponseFiles(URL)
    for number in range(5):
        save(store, *sized(number, 10))
        age(folder, 10.0)
    assert [number for number in range(5) if store.load(sized(number, 3)[0], None) is not None] == [2, 3, 4]


def test_all_servers_together_have_a_limit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ALL_BYTES == 32 * 1024 * 1024
    monkeypatch.setattr(response_files, "ALL_BYTES", 10_000)
    stores = [ResponseFiles(f"https://{number}.example/mcp") for number in range(5)]
    for number, store in enumerate(stores):
        save(store, *sized(number, 3000))
        age(folder, 10.0)
    there = [number for number, store in enumerate(stores) if store.load(sized(number, 3)[0], None) is not None]
    assert there == [2, 3, 4]
    save(stores[4], QUESTION)
    assert len(list(folder.glob("server-*"))) == 3


def test_what_is_a_week_old_goes_and_so_do_drafts_of_a_process_that_was_killed(folder: Path) -> None:
    other = ResponseFiles("https://other.example/mcp")
    save(other)
    draft = the_file(folder).parent / ".public-tools-first-0.0123456789abcdef.tmp"
    draft.write_bytes(b"half")
    age(folder, 7200.0)
    save(ResponseFiles(URL), what=kept(received_at=time.time()))
    assert not draft.exists()
    assert other.load(QUESTION, None) is not None
    age(folder, STALE_FOR)
    save(ResponseFiles(URL), READ, kept(received_at=time.time()))
    assert other.load(QUESTION, None) is None


def test_the_summary_counts_what_there_is() -> None:
    assert summary_of(URL) == Summary()
    save(ResponseFiles(URL))
    save(ResponseFiles(URL), READ)
    save(ResponseFiles("https://other.example/mcp"))
    found = summary_of(URL)
    assert found.results == 2
    assert found.bytes > 2 * len(RESULT)
    assert found.oldest is not None
    count, others = summary_of_others([URL])
    assert (count, others.results) == (1, 1)


def test_copies_that_write_at_the_same_time_leave_one_whole_answer(folder: Path) -> None:
    def write(number: int) -> None:
        for _ in range(10):
            save(ResponseFiles(URL), what=kept(b'"%d%s"' % (number, b"a" * 5000)))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = ResponseFiles(URL).load(QUESTION, None)
    assert found is not None
    assert len(found.result) == 5003
    assert not list(folder.rglob("*.tmp"))
