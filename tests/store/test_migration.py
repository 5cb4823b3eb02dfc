"""Claude's package and everybody else on Windows: one store, and what earlier versions kept is taken over."""

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest

from bridge import PROGRAM
from bridge.oauth.prompt_backoff import PromptHistory
from bridge.store import response_files
from bridge.store.disk import DiskStore
from bridge.store.errors import StoreError
from bridge.store.file import PrivateFiles
from bridge.store.lazy import LazyStore
from bridge.store.paths import StorePaths
from bridge.store.roots import cache_root, former_roots
from bridge.tokens.login_files import LoginFiles
from tests.store.machine import VIEWS, Machine, made_older, seen_from
from tests.store.packaged import Rule, packaged
from tests.store.rings import OTHER, SLOT, Killed

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(os.name != "posix", reason="a view made of POSIX calls")]

LONG = bytes(range(256)) * 8
RULES: tuple[Rule, ...] = ("everywhere", "at the root")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


# -- why


async def test_under_appdata_two_stores_share_one_keyring(machine: Machine) -> None:
    """The defect: what one removes from the keyring, the other's marker names."""
    await machine.earlier().save(SLOT, b"signed in")
    with packaged(machine.profile):
        assert await machine.earlier().load(SLOT) == b"signed in"
        await machine.earlier().save(SLOT, b"renewed")
        assert await machine.earlier().load(SLOT) == b"renewed"
    assert await machine.earlier().load(SLOT) is None


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("first", VIEWS)
async def test_in_the_profile_there_is_one_store_for_all(machine: Machine, rule: Rule, first: str) -> None:
    second = VIEWS[first == VIEWS[0]]
    for round_ in range(3):
        with seen_from(machine, first, rule):
            await machine.now().save(SLOT, b"by the first %d" % round_)
        with seen_from(machine, second, rule):
            assert await machine.now().load(SLOT) == b"by the first %d" % round_
            await machine.now().save(SLOT, b"by the second %d" % round_)
        with seen_from(machine, first, rule):
            assert await machine.now().load(SLOT) == b"by the second %d" % round_
    assert len(machine.ring.entries) == 1
    assert not list(machine.profile.local.rglob(PROGRAM))


async def test_locks_and_notices_and_answers_are_the_same_for_all(machine: Machine) -> None:
    with packaged(machine.profile):
        LoginFiles(machine.paths()).put_history(SLOT, PromptHistory(failures=3))
        inside = machine.paths(), cache_root("win32", machine.profile.environ)
    assert LoginFiles(machine.paths()).history(SLOT) == PromptHistory(failures=3)
    assert (machine.paths(), cache_root("win32", machine.profile.environ)) == inside
    assert not any(path.is_relative_to(machine.profile.folder / "AppData") for path in (inside[0].locks, inside[1]))


# -- taking over


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("reader", VIEWS)
@pytest.mark.parametrize("writer", VIEWS)
@pytest.mark.parametrize("is_locked", [False, True])
async def test_what_an_earlier_version_kept_is_taken_over(
    machine: Machine, writer: str, reader: str, rule: Rule, is_locked: bool
) -> None:
    machine.is_locked = is_locked  # Then it is in a file.
    with seen_from(machine, writer, rule):
        await machine.earlier().save(SLOT, LONG)
        await machine.earlier().save(OTHER, b"other")
    with seen_from(machine, reader, rule):
        store = machine.now()
        assert store.exists_hint(SLOT)
        assert store.keys("tokens") == [SLOT]
        assert store.keys("client") == [OTHER]
        assert await store.load(SLOT) == LONG
        assert await store.load(OTHER) == b"other"
    assert machine.old_files() == []
    for where in VIEWS:
        with seen_from(machine, where, rule):
            assert await machine.now().load(SLOT) == LONG
    machine.is_locked = False
    await machine.now().save(SLOT, b"new")
    await machine.now().delete(OTHER)
    assert len(machine.ring.entries) == 1


@pytest.mark.parametrize("reader", VIEWS)
@pytest.mark.parametrize("newer", VIEWS)
@pytest.mark.parametrize("kept_in", ["keyring", "file", "file, then keyring", "keyring, then file"])
async def test_of_two_the_newest_is_taken(machine: Machine, newer: str, reader: str, kept_in: str) -> None:
    older = VIEWS[newer == VIEWS[0]]
    paths = {"a terminal": machine.profile.local / PROGRAM, "the package": machine.profile.package / "Local" / PROGRAM}
    for where, data, is_locked in (
        (older, b"older", kept_in.startswith("file")),
        (newer, b"newer", kept_in.endswith("file")),
    ):
        machine.is_locked = is_locked
        await machine.open(StorePaths(paths[where])).save(SLOT, data)
        assert list(paths[where].rglob("tokens-*.*"))
        if where == older:
            made_older(paths[where])
    machine.is_locked = False
    with seen_from(machine, reader):
        assert await machine.now().load(SLOT) == b"newer"
    assert machine.old_files() == []
    await machine.now().save(SLOT, b"newest")
    assert len(machine.ring.entries) == 1  # The older one's went as well.
    assert await machine.now().load(SLOT) == b"newest"


async def test_what_is_newer_here_is_not_written_over_and_the_old_goes(machine: Machine) -> None:
    await machine.earlier().save(SLOT, b"old")
    kept = {path: path.read_bytes() for path in (machine.profile.local / PROGRAM / "credentials").iterdir()}
    times = {path: path.stat().st_mtime_ns for path in kept}
    await machine.now().load(SLOT)
    await machine.now().save(SLOT, b"new")
    for path, data in kept.items():  # As if it could not have been removed.
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o600)
        os.utime(path, ns=(times[path], times[path]))
    assert await machine.now().load(SLOT) == b"new"
    assert machine.old_files() == []


async def test_a_version_that_still_runs_is_followed(machine: Machine) -> None:
    """It keeps its new token where it always did, and removes from the keyring what today's marker names."""
    await machine.earlier().save(SLOT, b"one")
    still_running = machine.earlier()
    credentials = machine.profile.local / PROGRAM / "credentials"
    marker = (credentials / f"{SLOT}.keyring").read_bytes()
    assert await machine.now().load(SLOT) == b"one"
    credentials.mkdir(parents=True, exist_ok=True)
    (credentials / f"{SLOT}.keyring").write_bytes(marker)  # It had read it just before.
    (credentials / f"{SLOT}.keyring").chmod(0o600)
    await still_running.save(SLOT, b"two")
    assert await machine.now().load(SLOT) == b"two"
    assert machine.old_files() == []


async def test_what_it_writes_while_it_is_taken_over_is_not_removed(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await machine.earlier().save(SLOT, b"one")
    old = PrivateFiles(machine.profile.local / PROGRAM / "credentials")
    real = PrivateFiles.write
    other = f"keyring {'7' * 16}\n".encode()

    def write(files: PrivateFiles, name: str, data: bytes, **options: Any) -> None:
        real(files, name, data, **options)
        monkeypatch.setattr(PrivateFiles, "write", real)
        old.write(name, other)

    monkeypatch.setattr(PrivateFiles, "write", write)
    machine.ring.entries |= {
        (service.replace(known, "7" * 16), name.replace(known, "7" * 16)): text
        for (service, name), text in list(machine.ring.entries.items())
        for known in [name.split(".")[1]]
    }
    assert await machine.now().load(SLOT) == b"one"
    paths = machine.paths()
    assert (paths.credentials / f"{SLOT}.keyring").read_text().startswith("keyring 7777777777777777\n")


async def test_a_sign_out_that_was_not_finished_stays_one(machine: Machine) -> None:
    await machine.earlier().save(SLOT, b"x")
    machine.is_locked = True
    with pytest.raises(StoreError):
        await machine.earlier().delete(SLOT)
    machine.is_locked = False
    assert await machine.now().load(SLOT) is None
    assert not machine.now().exists_hint(SLOT)
    await machine.now().delete(SLOT)
    assert machine.ring.entries == {}


@pytest.mark.parametrize("where", VIEWS)
async def test_signing_out_removes_it_from_everywhere(machine: Machine, where: str) -> None:
    await machine.earlier().save(SLOT, b"real")
    with packaged(machine.profile):
        await machine.earlier().save(SLOT, b"private")
    with seen_from(machine, where):
        await machine.now().delete(SLOT)
    for view in VIEWS:
        with seen_from(machine, view):
            assert not machine.now().exists_hint(SLOT)
            assert await machine.now().load(SLOT) is None
    assert machine.ring.entries == {}
    assert machine.old_files() == []


@pytest.mark.parametrize("is_locked", [False, True])
async def test_what_cannot_be_removed_is_not_taken_over_again(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, is_locked: bool
) -> None:
    """As where an earlier version has it open, or the folder is not ours."""
    machine.is_locked = is_locked
    await machine.earlier().save(SLOT, b"old")
    machine.is_locked = False
    with monkeypatch.context() as patch:
        real = os.unlink

        def unlink(path: Any, *rest: Any, **options: Any) -> None:
            if "AppData" in os.fspath(path):
                raise PermissionError(13, "Permission denied")
            real(path, *rest, **options)

        patch.setattr(os, "unlink", unlink)
        assert await machine.now().load(SLOT) == b"old"
        await machine.now().save(SLOT, b"new")
        assert await machine.now().load(SLOT) == b"new"
        with pytest.raises(StoreError, match="cannot remove a copy") as error:
            await machine.now().delete(SLOT)
        assert "End every bridge" in error.value.hint
        assert await machine.now().load(SLOT) is None
    assert await machine.now().load(SLOT) is None
    assert machine.old_files() == []


async def test_one_that_cannot_be_read_is_left_and_the_other_taken(machine: Machine) -> None:
    await machine.earlier().save(SLOT, b"good")
    strange = machine.profile.package / "Local" / PROGRAM / "credentials" / f"{SLOT}.secret"
    strange.mkdir(parents=True)
    assert await machine.now().load(SLOT) == b"good"
    assert strange.is_dir()


# -- cut short


@pytest.mark.parametrize("is_locked", [False, True])
@pytest.mark.parametrize("what", ["replace", "unlink"])
@pytest.mark.parametrize("at", [1, 2, 3])
async def test_a_process_killed_while_it_takes_over_loses_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, what: str, at: int, is_locked: bool
) -> None:
    await machine.earlier().save(SLOT, b"in the keyring before")
    machine.is_locked = is_locked
    await machine.earlier().save(SLOT, LONG)
    with monkeypatch.context() as patch:
        real, calls = getattr(os, what), 0

        def killed(*arguments: Any, **options: Any) -> None:
            nonlocal calls
            calls += 1
            if calls >= at:
                raise Killed
            real(*arguments, **options)

        patch.setattr(os, what, killed)
        with contextlib.suppress(Killed):
            await machine.now().load(SLOT)
    assert machine.now().exists_hint(SLOT)
    assert await machine.now().load(SLOT) == LONG
    assert machine.old_files() == []
    machine.is_locked = False
    await machine.now().save(SLOT, b"new")
    assert len(machine.ring.entries) == 1


# -- what is beside the secrets


async def test_a_start_sees_what_an_earlier_version_kept_before_anything_is_put_together(machine: Machine) -> None:
    await machine.earlier().save(SLOT, b"x")
    made: list[DiskStore] = []

    def make() -> DiskStore:
        made.append(machine.now())
        return made[-1]

    late = LazyStore(machine.paths(), make)
    assert not late.exists_hint(OTHER)
    assert made == []
    assert late.exists_hint(SLOT)
    assert await late.load(SLOT) == b"x"


@pytest.mark.parametrize("newer", VIEWS)
def test_the_newest_history_is_known_and_kept_here_from_then_on(machine: Machine, newer: str) -> None:
    key = f"login-{'0' * 40}"
    for where, failures in ((VIEWS[newer == VIEWS[0]], 3), (newer, 7)):
        folder = machine.profile.package / "Local" if where == "the package" else machine.profile.local
        LoginFiles(StorePaths(folder / PROGRAM)).put_history(key, PromptHistory(failures=failures))
        if where != newer:
            made_older(folder / PROGRAM)
    files = LoginFiles(machine.paths())
    assert files.history(key) == PromptHistory(failures=7)
    files.put_history(key, files.history(key).ended("done", 1.0))
    assert LoginFiles(machine.paths()).history(key).outcome == "done"


def test_answers_that_an_earlier_version_kept_do_not_outlive_a_sign_out(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = machine.profile.package / "Local" / PROGRAM / "Cache" / "responses" / f"server-{'0' * 40}"
    server.mkdir(parents=True)
    (server / f"private-tools-first-{'1' * 40}").write_bytes(b"a user's own")
    monkeypatch.setattr(response_files, "former_roots", lambda: former_roots("win32", machine.profile.environ))
    monkeypatch.setattr(response_files, "cache_folder", lambda: machine.profile.folder / "cache" / "responses")
    assert response_files.forget_private("https://mcp.example/mcp") == ""
    assert not server.parent.exists()
    assert response_files.forget_private(None) == ""
