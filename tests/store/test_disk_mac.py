"""macOS after an update of Python: each entry names the program that made it, and the new one is another."""

from pathlib import Path

import pytest

from bridge.store.errors import EntryRefused, KeyringUnavailable, StoreError
from tests.store.rings import OTHER, SLOT, Home, MacRing

pytestmark = pytest.mark.anyio

LONG = bytes(range(256)) * 16
FOREIGN = [(-25308, None), (-25293, None), (-128, None), (-25308, -25244), (-25293, -25244), (-25308, -25308)]
"""With what another program's entry is refused: to be read, and to be removed. Which it is differs by release."""


class Mac(Home):
    """A Mac whose Python can be updated."""

    ring: MacRing

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.ring = MacRing()

    def update(self, name: str = "Python 3.13") -> None:
        self.ring.program = name


@pytest.fixture
def mac(tmp_path: Path) -> Mac:
    return Mac(tmp_path)


@pytest.mark.parametrize("foreign", FOREIGN)
async def test_after_an_update_of_python_it_says_so_and_to_sign_in_once_more(
    mac: Mac, foreign: tuple[int, int | None]
) -> None:
    mac.ring.foreign = foreign
    await mac.open().save(SLOT, LONG)
    mac.update()
    with pytest.raises(EntryRefused) as error:
        await mac.open().load(SLOT)
    assert "Python was probably updated" in str(error.value)
    assert str(error.value).endswith("Sign in again.")
    assert "nlock" not in str(error.value)
    assert "hunter2" not in str(error.value)
    assert len(mac.generations()) == 1  # What was written to find that out is gone.


@pytest.mark.parametrize("choice", ["auto", "keyring"])
@pytest.mark.parametrize("foreign", FOREIGN)
async def test_signing_in_once_more_helps(mac: Mac, foreign: tuple[int, int | None], choice: str) -> None:
    mac.ring.foreign = foreign
    await mac.open(choice).save(SLOT, LONG)
    await mac.open(choice).save(OTHER, b"a registration")
    mac.update()
    await mac.open(choice).save(SLOT, LONG[::-1])
    await mac.open(choice).save(OTHER, b"another")
    assert await mac.open(choice).load(SLOT) == LONG[::-1]
    assert await mac.open(choice).load(OTHER) == b"another"
    assert mac.notices == []
    assert mac.names() == [f"{OTHER}.keyring", f"{SLOT}.keyring"]
    await mac.open(choice).save(SLOT, b"renewed")
    assert await mac.open(choice).load(SLOT) == b"renewed"
    left = 2 if foreign[1] is not None else 0
    assert len(mac.generations()) == left + 2  # What may not be removed stays, and nothing else.


async def test_a_keychain_that_is_really_locked_is_said_to_be(mac: Mac) -> None:
    await mac.open().save(SLOT, b"x")
    mac.ring.is_locked = True
    with pytest.raises(KeyringUnavailable, match="it would have to ask you first") as error:
        await mac.open().load(SLOT)
    assert not isinstance(error.value, EntryRefused)
    assert "Unlock the keyring" in error.value.hint
    await mac.open().save(SLOT, b"y")
    assert len(mac.notices) == 1
    mac.ring.is_locked = False
    assert await mac.open().load(SLOT) == b"y"


async def test_many_updates_do_not_fill_the_marker(mac: Mac) -> None:
    """What earlier Pythons stored may never be removed by a later one."""
    mac.ring.foreign = (-25308, -25244)
    for number in range(40):
        mac.update(f"Python 3.13.{number}")
        await mac.open("keyring").save(SLOT, b"%d" % number)
        assert await mac.open("keyring").load(SLOT) == b"%d" % number
    assert len((mac.paths.credentials / f"{SLOT}.keyring").read_text().splitlines()) < 20


@pytest.mark.parametrize("foreign", FOREIGN)
async def test_signing_out_says_what_stays_and_what_to_do(mac: Mac, foreign: tuple[int, int | None]) -> None:
    mac.ring.foreign = foreign
    await mac.open().save(SLOT, LONG)
    mac.update()
    if foreign[1] is None:
        await mac.open().delete(SLOT)
        assert mac.ring.entries == {}
    else:
        with pytest.raises(StoreError, match="a copy of it stays in the system keyring") as error:
            await mac.open().delete(SLOT)
        assert error.value.hint == f"In Keychain Access, remove the entries that begin with mcp-remote-bridge:{SLOT}."
    assert not mac.open().exists_hint(SLOT)
    assert await mac.open().load(SLOT) is None


async def test_an_updated_python_lets_the_older_one_go_on(mac: Mac) -> None:
    """A copy that still runs finds that there is another sign-in which it may not read; the next start may."""
    await mac.open().save(SLOT, b"older")
    older = mac.open()
    mac.update()
    await mac.open().save(SLOT, b"newer")
    mac.update("Python 3.12")
    with pytest.raises(EntryRefused):
        await older.load(SLOT)
    assert older.exists_hint(SLOT)
