"""Where a secret goes and from where it comes back, with the keyring open, locked, silent, and gone."""

import asyncio

import pytest

from bridge.store.errors import KeyringUnavailable, StoreError
from tests.store.rings import OTHER, SLOT, Home, WindowsRing, failing_at

pytestmark = pytest.mark.anyio

LONG = bytes(range(256)) * 16
"""4,096 bytes, of every value."""


async def test_auto_keeps_it_in_the_keyring_and_the_next_run_finds_it(home: Home) -> None:
    await home.open().save(SLOT, LONG)
    assert await home.open().load(SLOT) == LONG
    assert home.names() == [f"{SLOT}.keyring"]
    assert home.notices == []


async def test_a_value_within_the_limit_of_windows_entries(home: Home) -> None:
    home.ring = WindowsRing()
    await home.open("keyring").save(SLOT, LONG)
    await home.open("keyring").save(SLOT, LONG[::-1])
    assert await home.open("keyring").load(SLOT) == LONG[::-1]


async def test_an_unknown_slot_never_asks_the_keyring(home: Home) -> None:
    store = home.open()
    assert not store.exists_hint(SLOT)
    assert await store.load(SLOT) is None
    assert home.found == 0
    assert not home.paths.root.exists()


@pytest.mark.parametrize("choice", ["auto", "keyring", "file"])
async def test_the_hint_says_yes_to_what_was_saved_and_no_to_what_was_deleted(home: Home, choice: str) -> None:
    await home.open(choice).save(SLOT, b"x")
    assert home.open(choice).exists_hint(SLOT)
    assert not home.open(choice).exists_hint(OTHER)
    await home.open(choice).delete(SLOT)
    assert not home.open(choice).exists_hint(SLOT)
    assert await home.open(choice).load(SLOT) is None


async def test_without_a_keyring_it_goes_to_a_file_and_a_notice_says_so_once(home: Home) -> None:
    home.locked = "it is locked"
    store = home.open()
    await store.save(SLOT, b"one")
    await store.save(SLOT, b"two")
    await store.save(OTHER, b"three")
    assert await home.open().load(SLOT) == b"two"
    [notice] = home.notices
    assert "it is locked" in notice
    assert store.place(SLOT) == str(home.paths.credentials / f"{SLOT}.secret")
    assert store.place(SLOT) in notice


async def test_the_notice_is_not_repeated_in_later_runs(home: Home) -> None:
    home.locked = "it is locked"
    await home.open().save(SLOT, b"one")
    await home.open().save(SLOT, b"two")
    await home.open().save(OTHER, b"three")
    assert len(home.notices) == 1


async def test_a_sign_in_that_leaves_the_keyring_is_told_although_another_is_in_a_file(home: Home) -> None:
    await home.open().save(SLOT, b"one")
    home.locked = "it is locked"
    await home.open().save(OTHER, b"two")
    await home.open().save(SLOT, b"three")
    assert len(home.notices) == 2


async def test_back_to_the_keyring_once_it_is_open_and_the_file_goes(home: Home) -> None:
    home.locked = "it is locked"
    await home.open().save(SLOT, b"one")
    home.locked = ""
    store = home.open()
    assert await store.load(SLOT) == b"one"
    await store.save(SLOT, b"two")
    assert home.names() == [f"{SLOT}.keyring"]
    assert await home.open().load(SLOT) == b"two"
    assert store.place(SLOT) == "the system keyring"


async def test_a_locked_keyring_is_an_error_not_an_absence(home: Home) -> None:
    await home.open().save(SLOT, b"one")
    home.locked = "it is locked"
    with pytest.raises(KeyringUnavailable, match="it is locked") as error:
        await home.open().load(SLOT)
    assert "--token-store file" in error.value.hint
    home.locked = ""
    assert await home.open().load(SLOT) == b"one"


async def test_what_was_saved_in_the_file_last_wins_over_the_keyring(home: Home) -> None:
    await home.open().save(SLOT, b"old")
    home.locked = "it is locked"
    await home.open().save(SLOT, b"new")
    home.locked = ""
    assert await home.open().load(SLOT) == b"new"
    await home.open().save(SLOT, b"newest")
    assert await home.open().load(SLOT) == b"newest"
    assert len(home.ring.entries) == 1  # The old generation went with it.


async def test_the_keyring_alone_says_why_it_cannot_be_used_and_what_else_there_is(home: Home) -> None:
    home.locked = "no keyring service is running"
    with pytest.raises(KeyringUnavailable, match=r"no keyring service is running.*--token-store file"):
        await home.open("keyring").save(SLOT, b"x")
    assert home.names() == []


async def test_the_file_alone_never_asks_the_keyring(home: Home) -> None:
    await home.open("file").save(SLOT, b"x")
    assert await home.open("file").load(SLOT) == b"x"
    assert home.found == 0
    assert home.notices == []
    assert home.names() == [f"{SLOT}.secret"]


async def test_the_file_alone_replaces_what_the_keyring_has(home: Home) -> None:
    await home.open("auto").save(SLOT, b"old")
    assert await home.open("file").load(SLOT) is None
    await home.open("file").save(SLOT, b"new")
    assert await home.open("auto").load(SLOT) == b"new"


async def test_a_value_missing_from_the_keyring_is_none(home: Home) -> None:
    await home.open().save(SLOT, LONG)
    home.ring.entries.popitem()
    assert await home.open().load(SLOT) is None


def marked(home: Home, text: str) -> None:
    path = home.paths.credentials / f"{SLOT}.keyring"
    path.write_bytes(text.encode())
    path.chmod(0o600)


async def test_a_marker_that_names_a_missing_generation_is_a_reason_to_look_on(home: Home) -> None:
    """As where two stores shared one keyring, or a save was cut short: what was saved is there all the same."""
    await home.open().save(SLOT, b"older")
    older = home.generations()
    failing_at(home.ring, "delete", 1, RuntimeError())
    await home.open().save(SLOT, b"newer")
    home.ring.before = lambda _: None
    [newer] = set(home.generations()) - set(older)
    missing, other = "0" * 16, "1" * 16
    marked(home, f"keyring {missing}\n{older[0]}\n{newer}\n{other}\n")
    assert home.open().exists_hint(SLOT)
    assert await home.open().load(SLOT) == b"newer"
    assert await home.open("file").load(SLOT) is None
    await home.open().save(SLOT, b"newest")
    assert await home.open().load(SLOT) == b"newest"
    assert len(home.generations()) == 1


@pytest.mark.parametrize(("choice", "found"), [("auto", b"in the file"), ("keyring", None), ("file", None)])
async def test_then_the_file_is_looked_at_where_the_choice_allows_one(
    home: Home, choice: str, found: bytes | None
) -> None:
    await home.open("file").save(SLOT, b"in the file")
    marked(home, f"keyring {'0' * 16}\n")
    assert await home.open(choice).load(SLOT) == found


async def test_a_reader_overtaken_by_a_save_reads_the_new_value(home: Home) -> None:
    await home.open().save(SLOT, LONG)
    reader, writer = home.open(), home.open()
    loop = asyncio.get_running_loop()

    def before(what: str) -> None:
        home.ring.before = lambda _: None
        asyncio.run_coroutine_threadsafe(writer.save(SLOT, LONG[::-1]), loop).result(10)

    home.ring.before = before
    assert await reader.load(SLOT) == LONG[::-1]


async def test_delete_removes_file_marker_and_every_piece(home: Home) -> None:
    await home.open().save(SLOT, LONG)
    await home.open().save(OTHER, b"stays")
    await home.open().delete(SLOT)
    assert home.names() == [f"{OTHER}.keyring"]
    assert len(home.ring.entries) == 1
    assert await home.open().load(OTHER) == b"stays"


async def test_deleting_nothing_is_fine_and_asks_no_keyring(home: Home) -> None:
    await home.open().delete(SLOT)
    assert home.found == 0


async def test_delete_with_a_locked_keyring_says_so_but_the_value_is_not_found_again(home: Home) -> None:
    await home.open().save(SLOT, LONG)
    home.locked = "it is locked"
    with pytest.raises(StoreError, match="a copy of it stays in the system keyring"):
        await home.open().delete(SLOT)
    home.locked = ""
    assert await home.open().load(SLOT) is None
    await home.open().delete(SLOT)
    assert home.ring.entries == {}
    assert home.names() == []


async def test_a_value_too_large_for_a_keyring_goes_to_the_file(home: Home) -> None:
    await home.open().save(SLOT, b"x" * 100_000)
    assert await home.open().load(SLOT) == b"x" * 100_000
    assert home.ring.entries == {}


async def test_two_runs_that_save_at_once_leave_one_whole_value(home: Home) -> None:
    first, second = home.open(), home.open()
    values = [bytes([number]) * 3000 for number in range(6)]
    await asyncio.gather(*((first, second)[number % 2].save(SLOT, value) for number, value in enumerate(values)))
    found = await home.open().load(SLOT)
    assert found in values
    assert len(home.ring.entries) == 4  # 4,000 characters of one generation.


@pytest.mark.parametrize("marker", [b"", b"keyring\n", b"keyring ../../../../etc\n", b"\xff" * 40, b"file\nnonsense\n"])
async def test_a_marker_that_makes_no_sense_is_no_marker(home: Home, marker: bytes) -> None:
    await home.open("file").save(SLOT, b"x")
    (home.paths.credentials / f"{SLOT}.keyring").write_bytes(marker)
    (home.paths.credentials / f"{SLOT}.keyring").chmod(0o600)
    assert await home.open().load(SLOT) == b"x"


@pytest.mark.parametrize("key", ["", "tokens", "tokens-12", "../tokens-0123456789abcdef", "tokens-0123456789ABCDEF"])
async def test_a_malformed_slot_is_refused(home: Home, key: str) -> None:
    store = home.open()
    for call in (store.load(key), store.save(key, b""), store.delete(key)):
        with pytest.raises(ValueError, match="hex digits"):
            await call
    for name in ("exists_hint", "place"):
        with pytest.raises(ValueError, match="hex digits"):
            getattr(store, name)(key)
    with pytest.raises(ValueError, match="hex digits"):
        store.locked(key, 1)
