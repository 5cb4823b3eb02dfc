"""Chooses the keyring of this machine, and makes sure that it shows no prompt.

The bridge runs in the background. A window that asks for a password would surprise the user, and each call would wait
for it. So before each use the bridge asks the keyring, in ways that never prompt, whether it is unlocked.

Everything here blocks and imports the `keyring` package, so it runs only in a worker's thread.
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
_NOT_HERE = "this Windows session has no keyring; an SSH session, for example, has none"
_NONE = "this system has no safe keyring"
_SECURITY = "/System/Library/Frameworks/Security.framework/Security"

# What macOS answers where it would have to ask (see the table in `bridge.store.system`): errSecInteractionNotAllowed,
# errSecInteractionRequired, errSecAuthFailed, errSecInvalidOwnerEdit, errSecUserCanceled.
_INTERACTION = (-25308, -25315, -25293, -25244, -128)
_NO_SESSION = 1312  # Windows: ERROR_NO_SUCH_LOGON_SESSION.


def find_ring(variables: Callable[[], Mapping[str, str]] = dict) -> KeyringBackend:
    """The backend that the user configured, else the platform's own. Raises `KeyringUnavailable`.

    Backends that store nothing, store plain text, or ask in a terminal have a priority below 1 and are refused.
    `variables` returns environment variables that lead to the keyring and that this process lacks. They are set before
    the package is imported, because its choice depends on them, and all copies of the bridge have to use one keyring.
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
    """Raise `KeyringUnavailable` where using the keyring now might show a prompt."""
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
    """A clause about a foreign exception, without its text, which may quote the secret."""
    match error:
        case KeyringUnavailable():
            return error.reason
        case NotKept():
            return "it did not store what was written to it"
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
        return "no keyring service is running"
    return f"it failed ({type(error).__name__})"


def is_passing(error: Exception) -> bool:
    """Whether a call that failed like this may succeed a moment later."""
    return reason_of(error) not in (_LOCKED, _WOULD_ASK, _NOT_HERE)


def would_ask(error: BaseException) -> bool:
    """Whether macOS refused a call about which it would otherwise have asked the user."""
    return bool(_numbers(error) & set(_INTERACTION))


def _numbers(error: BaseException) -> set[int]:
    """The system's error numbers in a foreign exception; the `keyring` package has them in the cause of its own."""
    chain = (error, error.__cause__, error.__context__)
    return {argument for link in chain if link for argument in link.args[:1] if isinstance(argument, int)}


def _single(backend: Any) -> Any:
    """One backend of a chain, because what is written to one member and read from another would be lost."""
    if not type(backend).__module__.endswith(".chainer"):
        return backend
    members = [member for member in backend.backends if member.priority >= 1]
    # The package's own backends come before plugins, some of which only read, for one package index.
    own = [member for member in members if type(member).__module__.startswith("keyring.backends.")]
    for member in (*own, *members):
        return member
    raise KeyringUnavailable(_NONE)


def _secret_service_reason(ring: KeyringBackend) -> str:
    """Why the freedesktop.org Secret Service cannot be used; empty where it can.

    The `keyring` package would unlock a locked collection and create a missing one, and both show a prompt.
    """
    secretstorage: Any = importlib.import_module("secretstorage")  # By name, because it exists on Linux only.
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
    """Why KDE's wallet cannot be used; empty where it can."""
    dbus: Any = importlib.import_module("dbus")
    wallets = dbus.Interface(dbus.SessionBus().get_object(ring.bus_name, ring.object_path), "org.kde.KWallet")
    return "" if wallets.isOpen(str(wallets.networkWallet()), signature="s") else _LOCKED


def _forbid_prompts() -> None:
    """Make the macOS keychain refuse calls in this process about which it would otherwise ask the user."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(_SECURITY).SecKeychainSetUserInteractionAllowed(ctypes.c_ubyte(0))
