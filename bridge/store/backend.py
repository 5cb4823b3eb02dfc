"""Which keyring of this machine is used, and that it asks nobody anything.

A bridge runs in the background: a window that asks for a password would come out of nowhere, and each call would
wait behind it. So before each use the keyring is asked, by ways that never prompt, whether it is open.

Everything here blocks and loads the `keyring` package, so it runs in a worker's thread only.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
from collections.abc import Callable, Mapping
from typing import Any, cast

from bridge.store.chunks import KeyringBackend, NotKept
from bridge.store.errors import KeyringUnavailable

_LOCKED = "it is locked"
_WOULD_ASK = "it would have to ask you first"
_NOT_HERE = "this session of Windows has none, such as one over SSH"
_NONE = "this system offers none that is safe"
_SECURITY = "/System/Library/Frameworks/Security.framework/Security"

# What macOS answers where it would have to ask, see the table in `bridge.store.system`: errSecInteractionNotAllowed,
# errSecInteractionRequired, errSecAuthFailed, errSecInvalidOwnerEdit, errSecUserCanceled.
_INTERACTION = (-25308, -25315, -25293, -25244, -128)
_NO_SESSION = 1312  # Windows: ERROR_NO_SUCH_LOGON_SESSION.


def find_ring(variables: Callable[[], Mapping[str, str]] = dict) -> KeyringBackend:
    """The backend the user configured, else the platform's own; raises `KeyringUnavailable`.

    Refused are those that keep nothing, keep plain text, or ask in a terminal: their priority is below 1. `variables`
    finds what of the environment leads to the keyring and is missing here. It is put into ours before the package is
    loaded, for it decides which backend is chosen: copies of the bridge use one keyring, whatever their hosts pass on.
    """
    try:
        for name, value in variables().items():
            os.environ.setdefault(name, value)
        import keyring

        backend = _single(keyring.get_keyring())
        priority = float(backend.priority)
    except KeyringUnavailable:
        raise
    except Exception as error:
        raise KeyringUnavailable(reason_of(error)) from None
    if priority < 1:
        raise KeyringUnavailable(_NONE)
    return cast("KeyringBackend", backend)


def require_open(ring: KeyringBackend) -> None:
    """Raise `KeyringUnavailable` where using the keyring now would, or might, open a prompt."""
    module = type(ring).__module__
    try:
        if module.endswith((".SecretService", ".libsecret")):
            reason = _secret_service_reason(ring)
        elif module.endswith(".kwallet"):
            reason = _kwallet_reason(ring)
        else:
            if ".macOS" in module:
                _forbid_prompts()
            reason = ""
    except Exception as error:
        reason = reason_of(error)
    if reason:
        raise KeyringUnavailable(reason)


def reason_of(error: BaseException) -> str:
    """A clause about a foreign exception: never its own text, which may quote what was to be stored."""
    if isinstance(error, KeyringUnavailable):
        return error.reason
    if isinstance(error, NotKept):
        return "it did not keep what was written to it"
    if would_ask(error):
        return _WOULD_ASK
    if _NO_SESSION in _numbers(error):
        return _NOT_HERE
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & {"KeyringLocked", "LockedException"}:
        return _LOCKED
    if "PromptDismissedException" in names:
        return _WOULD_ASK
    if names & {"NoKeyringError", "SecretServiceNotAvailableException"}:
        return "none is running"
    return f"it failed ({type(error).__name__})"


def is_passing(error: Exception) -> bool:
    """Whether a backend's call that failed so may well succeed a moment later."""
    return reason_of(error) not in (_LOCKED, _WOULD_ASK, _NOT_HERE)


def would_ask(error: BaseException) -> bool:
    """Whether macOS failed a call for what it would otherwise have asked the user about."""
    return bool(_numbers(error) & set(_INTERACTION))


def _numbers(error: BaseException) -> set[int]:
    """The system's numbers in a foreign exception: the `keyring` package has them in the cause of its own."""
    chain = (error, error.__cause__, error.__context__)
    return {argument for link in chain if link for argument in link.args[:1] if isinstance(argument, int)}


def _single(backend: Any) -> Any:
    """One backend out of a chain: what is written to one member and read from another would be lost."""
    if not type(backend).__module__.endswith(".chainer"):
        return backend
    members = [member for member in backend.backends if member.priority >= 1]
    # The package's own come before plugins, some of which only read, for one package index.
    own = [member for member in members if type(member).__module__.startswith("keyring.backends.")]
    for member in (*own, *members):
        return member
    raise KeyringUnavailable(_NONE)


def _secret_service_reason(ring: KeyringBackend) -> str:
    """Why the freedesktop.org Secret Service is not open, empty where it is.

    The `keyring` package itself would unlock a locked collection and make a missing one, and either opens a prompt.
    """
    secretstorage: Any = importlib.import_module("secretstorage")  # By name, for it exists on Linux only.
    with contextlib.closing(secretstorage.dbus_init()) as bus:
        if not secretstorage.check_service_availability(bus):
            return "no Secret Service is running"
        preferred = getattr(ring, "preferred_collection", None)
        try:
            if isinstance(preferred, str):
                collection = secretstorage.Collection(bus, preferred)
            else:
                collection = secretstorage.get_collection_by_alias(bus, "default")
        except secretstorage.ItemNotFoundException:
            return "it has not been set up yet"
        return _LOCKED if collection.is_locked() else ""


def _kwallet_reason(ring: Any) -> str:
    """Why KDE's wallet is not open, empty where it is."""
    dbus: Any = importlib.import_module("dbus")
    wallets = dbus.Interface(dbus.SessionBus().get_object(ring.bus_name, ring.object_path), "org.kde.KWallet")
    return "" if wallets.isOpen(str(wallets.networkWallet()), signature="s") else _LOCKED


def _forbid_prompts() -> None:
    """Make the macOS keychain refuse, in this process, what it would otherwise ask about."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(_SECURITY).SecKeychainSetUserInteractionAllowed(ctypes.c_ubyte(0))
