"""Which store keys there are, by the names of files alone."""

import pytest

from bridge.store.errors import StoreError
from bridge.store.memory import MemoryStore
from tests.store.rings import OTHER as CLIENT
from tests.store.rings import SLOT, Home

pytestmark = pytest.mark.anyio

KIND = SLOT.partition("-")[0]
SECOND = f"{KIND}-fedcba9876543210"


async def test_both_those_in_the_keyring_and_those_in_files_are_listed_in_order(home: Home) -> None:
    await home.open("keyring").save(SLOT, b"x")
    await home.open("file").save(SECOND, b"y")
    home.found = 0
    assert home.open().keys(KIND) == sorted([SLOT, SECOND])
    assert home.found == 0, "the keyring was asked"


async def test_only_those_of_the_kind_are_listed(home: Home) -> None:
    await home.open("file").save(SLOT, b"x")
    await home.open("file").save(CLIENT, b"y")
    assert home.open().keys("client") == [CLIENT]


async def test_what_was_deleted_is_not_listed_even_where_something_of_it_stays(home: Home) -> None:
    await home.open("keyring").save(SLOT, b"x")
    home.locked = "it is locked"
    with pytest.raises(StoreError):
        await home.open().delete(SLOT)
    assert home.names() != []
    assert home.open().keys(KIND) == []


async def test_a_choice_lists_what_it_can_load(home: Home) -> None:
    await home.open("file").save(SLOT, b"x")
    assert home.open("keyring").keys(KIND) == []


def test_without_a_folder_there_are_none_and_none_is_made(home: Home) -> None:
    assert home.open().keys(KIND) == []
    assert not home.paths.root.exists()


@pytest.mark.parametrize(
    "name", [f".{SLOT}.secret.0123.tmp", f"{KIND}-x.secret", f"{KIND}-.secret", f"{SLOT}x", "notes"]
)
def test_other_names_in_the_folder_are_no_slots(home: Home, name: str) -> None:
    home.paths.credentials.mkdir(parents=True)
    (home.paths.credentials / name).write_bytes(b"")
    assert home.open().keys(KIND) == []


def test_a_file_in_the_place_of_the_folder_is_an_error(home: Home) -> None:
    home.paths.root.mkdir(parents=True)
    home.paths.credentials.write_bytes(b"")
    with pytest.raises(StoreError, match="cannot be read"):
        home.open().keys(KIND)


async def test_memory_lists_its_own() -> None:
    store = MemoryStore()
    await store.save(SECOND, b"y")
    await store.save(SLOT, b"x")
    await store.save(CLIENT, b"z")
    assert store.keys(KIND) == sorted([SLOT, SECOND])
