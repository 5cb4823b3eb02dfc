"""The door: each choice opens its store, cheaply, in a process of its own."""

from pathlib import Path

import pytest

from bridge.config import TOKEN_STORES, TokenStore
from bridge.store.choice import open_store
from bridge.store.lazy import LazyStore
from bridge.store.memory import MemoryStore
from bridge.store.paths import StorePaths
from tests.store.rings import SLOT
from tests.support.process.store_process import use_store


@pytest.mark.parametrize("choice", TOKEN_STORES)
def test_opening_touches_no_disk(choice: TokenStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    store = open_store(choice, pytest.fail)
    assert isinstance(store, MemoryStore if choice == "memory" else LazyStore)
    assert not store.exists_hint(SLOT)
    assert not (tmp_path / "home").exists()


def test_a_vault_is_put_together_when_a_slot_has_something(tmp_path: Path) -> None:
    made: list[str] = []

    def make() -> MemoryStore:
        made.append("once")
        return MemoryStore()

    paths = StorePaths(tmp_path)
    store = LazyStore(paths, make)
    assert not store.exists_hint(SLOT)
    assert made == []
    paths.credentials.mkdir(parents=True)
    (paths.credentials / f"{SLOT}.keyring").touch()
    assert not store.exists_hint(SLOT), "what that says is for the store to judge"
    assert (store.keys("tokens"), made) == ([], ["once"])
    with pytest.raises(ValueError, match="store key"):
        store.exists_hint("../x")


@pytest.mark.parametrize("choice", TOKEN_STORES)
def test_an_unknown_slot_loads_no_keyring(choice: TokenStore, private_home: dict[str, str]) -> None:
    used = use_store(choice, f"load:{SLOT}", variables=private_home)
    assert used == {"results": [None], "notices": [], "keyring": False}


def test_a_file_outlives_its_process_and_memory_does_not(private_home: dict[str, str]) -> None:
    assert use_store("file", f"save:{SLOT}:x", variables=private_home)["keyring"] is False
    assert use_store("file", f"load:{SLOT}", variables=private_home)["results"] == ["x"]
    assert use_store("memory", f"save:{SLOT}:y", f"load:{SLOT}", variables=private_home)["results"] == [None, "y"]
    assert use_store("memory", f"load:{SLOT}", variables=private_home)["results"] == [None]


def test_a_real_keyring_package_with_a_null_backend(private_home: dict[str, str]) -> None:
    pytest.importorskip("keyring")
    variables = private_home | {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    used = use_store("auto", f"save:{SLOT}:x", f"load:{SLOT}", variables=variables)
    assert used["results"] == [None, "x"]
    assert "no safe keyring" in used["notices"][0]
    alone = use_store("keyring", f"save:{SLOT}:x", variables=variables)
    assert "no safe keyring" in alone["results"][0]
