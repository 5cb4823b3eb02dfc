"""Which keyring is used, that it never asks, and that nothing it throws quotes a secret."""

import os
import sys
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest

from bridge.store.backend import find_ring, is_passing, reason_of, require_open, would_ask
from bridge.store.chunks import KeyringBackend
from bridge.store.errors import KeyringUnavailable
from tests.store.rings import MemoryRing


def of_module(module: str, **members: Any) -> Any:
    """An object of a class that says it is from a module."""
    return type("Keyring", (MemoryRing,), {"__module__": module, **members})()


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes the keyring package answer with this backend."""
    keyring = pytest.importorskip("keyring")

    def use(found: Any) -> None:
        def get() -> Any:
            if isinstance(found, BaseException):
                raise found
            return found

        monkeypatch.setattr(keyring, "get_keyring", get)

    return use


def test_a_configured_backend_is_used_as_it_is(configured: Any) -> None:
    ring = of_module("somebodys.backend", priority=1)
    configured(ring)
    assert find_ring() is ring


@pytest.mark.parametrize("name", ["fail", "null"])
def test_backends_that_keep_nothing_are_refused(configured: Any, name: str) -> None:
    import importlib

    configured(importlib.import_module(f"keyring.backends.{name}").Keyring())
    with pytest.raises(KeyringUnavailable, match="no safe keyring"):
        find_ring()


def test_a_plain_text_backend_is_refused(configured: Any) -> None:
    configured(of_module("keyrings.alt.file", priority=0.5))
    with pytest.raises(KeyringUnavailable, match="no safe keyring"):
        find_ring()


def test_of_a_chain_one_is_used_and_not_a_read_only_plugin(configured: Any) -> None:
    index = of_module("keyrings.someindex", priority=9)
    ours = of_module("keyring.backends.SecretService", priority=5)
    plain = of_module("keyrings.alt.file", priority=0.5)
    configured(of_module("keyring.backends.chainer", priority=10, backends=[index, ours, plain]))
    assert find_ring() is ours
    configured(of_module("keyring.backends.chainer", priority=10, backends=[plain]))
    with pytest.raises(KeyringUnavailable):
        find_ring()


def test_a_backend_that_cannot_even_be_chosen_is_said(configured: Any) -> None:
    configured(ModuleNotFoundError("No module named 'hunter2'"))
    with pytest.raises(KeyringUnavailable, match="ModuleNotFoundError") as error:
        find_ring()
    assert "hunter2" not in str(error.value)


class Kind(Exception):
    """A foreign exception's stand-in; subclasses bear the foreign names."""


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("KeyringLocked", "it is locked"),
        ("LockedException", "it is locked"),
        ("PromptDismissedException", "it would have to ask you first"),
        ("NoKeyringError", "no keyring service is running"),
        ("SecretServiceNotAvailableException", "no keyring service is running"),
        ("PasswordSetError", "it failed (PasswordSetError)"),
    ],
)
def test_a_foreign_exceptions_kind_is_said_and_not_its_text(name: str, reason: str) -> None:
    assert reason_of(type(name, (Kind,), {})("hunter2")) == reason


def test_a_mac_that_would_have_asked() -> None:
    error = type("KeyringError", (Kind,), {})("Can't get password from keychain")
    error.__cause__ = type("Error", (Kind,), {})(-25308, "Unknown Error")
    assert reason_of(error) == "it would have to ask you first"


@pytest.mark.parametrize("number", [-25308, -25315, -25293, -25244, -128])
@pytest.mark.parametrize("name", ["KeyringError", "KeyringLocked", "PasswordSetError", "PasswordDeleteError"])
def test_what_macos_refuses_is_not_tried_again_whatever_it_is_called(name: str, number: int) -> None:
    error = type(name, (Kind,), {})("hunter2")
    error.__cause__ = type("Error", (Kind,), {})(number, "hunter2")
    assert would_ask(error)
    assert not is_passing(error)
    assert reason_of(error) == "it would have to ask you first"


def test_a_session_of_windows_that_has_no_credentials_is_said_to_be_one() -> None:
    error = type("error", (Kind,), {})(1312, "CredWrite", "A specified logon session does not exist.")
    assert reason_of(error) == "this Windows session has no keyring; an SSH session, for example, has none"
    assert not is_passing(error)


def test_the_mac_keychain_is_forbidden_to_ask_before_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[int] = []
    security = SimpleNamespace(SecKeychainSetUserInteractionAllowed=lambda allowed: said.append(allowed.value))
    monkeypatch.setattr("ctypes.CDLL", lambda path: security if "Security.framework" in path else None)
    require_open(of_module("keyring.backends.macOS"))
    assert said == [0]


@pytest.mark.parametrize("is_open", [True, False])
def test_a_kde_wallet_is_looked_at_without_being_opened(monkeypatch: pytest.MonkeyPatch, is_open: bool) -> None:
    asked: list[str] = []

    class Wallets:
        def networkWallet(self) -> str:
            return "kdewallet"

        def isOpen(self, name: str, signature: str) -> bool:
            asked.append(f"{name} {signature}")
            return is_open

    dbus: Any = ModuleType("dbus")
    dbus.SessionBus = lambda: SimpleNamespace(get_object=lambda name, path: (name, path))
    dbus.Interface = lambda found, name: Wallets()
    monkeypatch.setitem(sys.modules, "dbus", dbus)
    ring = of_module("keyring.backends.kwallet", bus_name="org.kde.kwalletd6", object_path="/modules/kwalletd6")
    if is_open:
        require_open(ring)
    else:
        with pytest.raises(KeyringUnavailable, match="it is locked"):
            require_open(ring)
    assert asked == ["kdewallet s"]


class FakeStorage(ModuleType):
    """The few parts of secretstorage that are used, and a log. Nothing here unlocks or makes a collection."""

    class ItemNotFoundException(Exception):
        pass

    def __init__(self, *, running: bool = True, collection: str = "open") -> None:
        super().__init__("secretstorage")
        self.running = running
        self.collection = collection
        self.log: list[str] = []

    def dbus_init(self) -> Any:
        return SimpleNamespace(close=lambda: self.log.append("closed"))

    def check_service_availability(self, _: Any) -> bool:
        return self.running

    def get_collection_by_alias(self, _: Any, alias: str) -> Any:
        return self.Collection(_, alias)

    def Collection(self, _: Any, path: str) -> Any:
        self.log.append(path)
        if self.collection == "missing":
            raise self.ItemNotFoundException
        return SimpleNamespace(is_locked=lambda: self.collection == "locked")


@pytest.mark.parametrize(
    ("storage", "reason"),
    [
        (FakeStorage(running=False), "no Secret Service is running"),
        (FakeStorage(collection="missing"), "has not been set up"),
        (FakeStorage(collection="locked"), "it is locked"),
        (FakeStorage(), ""),
    ],
)
@pytest.mark.parametrize("module", ["keyring.backends.SecretService", "keyring.backends.libsecret"])
def test_a_secret_service_is_looked_at_without_a_prompt(
    monkeypatch: pytest.MonkeyPatch, storage: FakeStorage, reason: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, "secretstorage", storage)
    storage.log.clear()
    if reason:
        with pytest.raises(KeyringUnavailable, match=reason):
            require_open(of_module(module))
    else:
        require_open(of_module(module))
        assert storage.log == ["default", "closed"]
    assert storage.log[-1] == "closed"


def test_the_collection_the_user_prefers_is_the_one_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = FakeStorage()
    monkeypatch.setitem(sys.modules, "secretstorage", storage)
    require_open(of_module("keyring.backends.SecretService", preferred_collection="/org/x"))
    assert storage.log[0] == "/org/x"


def test_any_other_backend_is_taken_to_be_open() -> None:
    require_open(cast("KeyringBackend", MemoryRing()))


def test_what_leads_to_the_keyring_is_there_before_one_is_chosen(
    configured: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package prefers KDE's wallet where it reads that the desktop is KDE."""
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", "x")
    monkeypatch.delenv("XDG_CURRENT_DESKTOP")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/ours")
    seen: list[str | None] = []
    ring = of_module("somebodys.backend", priority=1)
    configured(ring)

    def choose() -> Any:
        seen.append(os.environ.get("XDG_CURRENT_DESKTOP"))
        return ring

    monkeypatch.setattr("keyring.get_keyring", choose)
    found = {"XDG_CURRENT_DESKTOP": "KDE", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/theirs"}
    assert find_ring(lambda: found) is ring
    assert seen == ["KDE"]
    assert os.environ["DBUS_SESSION_BUS_ADDRESS"] == "unix:path=/ours"


def test_a_search_that_fails_says_that_no_keyring_can_be_used(configured: Any) -> None:
    configured(of_module("somebodys.backend", priority=1))

    def fail() -> dict[str, str]:
        raise OSError("hunter2")

    with pytest.raises(KeyringUnavailable, match="OSError") as error:
        find_ring(fail)
    assert "hunter2" not in str(error.value)
