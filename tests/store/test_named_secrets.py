"""The user's named secrets in a store: their keys, and where they are found again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config.secret_reference import MOST_CHARACTERS
from bridge.store.errors import StoreError
from bridge.store.named_secrets import NamedSecrets, key_of, name_of
from bridge.store.paths import check_key
from tests.store.rings import SLOT, Home

SECRET = "hunter2-Zq4"


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True))
def test_every_name_has_a_key_of_its_own_from_which_it_is_read_again(name: str) -> None:
    assert name_of(check_key(key_of(name))) == name


@pytest.mark.parametrize(
    "key", [SLOT, "secret-0123456789abcde", "secret-00000000000000000", f"secret-{'00' * 8}", f"secret-{'ff' * 8}"]
)
def test_a_key_of_no_name_has_none(key: str) -> None:
    assert name_of(key) == ""


@pytest.mark.anyio
async def test_a_secret_goes_into_the_keyring_and_into_a_file_where_that_is_locked(home: Home) -> None:
    secrets = NamedSecrets(home.open())
    assert await secrets.save("a", SECRET) == "the system keyring"
    home.locked = "it is locked"
    place = await NamedSecrets(home.open()).save("b", SECRET)
    assert place.endswith(".secret")
    assert home.notices[0].startswith("The system keyring cannot be used (it is locked), so the secret is stored in ")
    home.locked = ""
    again = NamedSecrets(home.open())
    assert again.names() == ["a", "b"]
    assert [await again.read(name) for name in again.names()] == [SECRET, SECRET]


@pytest.mark.anyio
async def test_the_names_are_told_without_the_keyring_and_tokens_are_not_among_them(home: Home) -> None:
    await NamedSecrets(home.open()).save("a", SECRET)
    await home.open().save(SLOT, b"x")
    home.found = 0
    secrets = NamedSecrets(home.open())
    assert (secrets.names(), secrets.may_have("a"), secrets.may_have("b")) == (["a"], True, False)
    assert home.found == 0


@pytest.mark.anyio
async def test_a_secret_is_removed_from_where_it_is(home: Home) -> None:
    await NamedSecrets(home.open()).save("a", SECRET)
    assert await NamedSecrets(home.open()).remove("a")
    assert not await NamedSecrets(home.open()).remove("a")
    assert (home.ring.entries, home.names()) == ({}, [])


@pytest.mark.anyio
async def test_a_secret_that_cannot_be_removed_is_told_as_a_secret(home: Home) -> None:
    await NamedSecrets(home.open()).save("a", SECRET)
    home.locked = "it is locked"
    with pytest.raises(StoreError, match=r"The bridge forgot the secret, but a copy of it stays"):
        await NamedSecrets(home.open()).remove("a")
    assert NamedSecrets(home.open()).names() == []


@pytest.mark.anyio
async def test_the_longest_secret_is_kept_whole(home: Home) -> None:
    secrets = NamedSecrets(home.open())
    await secrets.save("a", "x" * MOST_CHARACTERS)
    assert await secrets.read("a") == "x" * MOST_CHARACTERS
