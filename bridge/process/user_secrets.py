"""The user's named secrets, for commands and for a start, which have no event loop.

Every function may raise `StoreError`, and `UsageError` for what `check_secret_name` and `check_secret_value` refuse.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from bridge.config import TokenStore
from bridge.config.secret_reference import check_secret_name, check_secret_value
from bridge.process.event_loop import run_on_loop
from bridge.process.host_environment import keyring_variables
from bridge.store.choice import open_store
from bridge.store.named_secrets import NamedSecrets

_LONGEST_BASE = 56  # A name has at most 64 characters, and a number may follow.


def _ignore(_: str) -> None:
    """No notice is needed: `save_secret` returns where the secret is."""


def secret_names() -> list[str]:
    """The names of all stored secrets, sorted. The keyring is not asked."""
    return _open().names()


def has_secret(name: str) -> bool:
    """Whether a secret of this name is stored, as far as can be said without the keyring."""
    return _open().may_have(check_secret_name(name))


def read_secret(name: str) -> str | None:
    """The secret; None where there is none of this name."""
    return run_on_loop(_open().read(check_secret_name(name)))


def save_secret(name: str, value: str, *, choice: TokenStore = "auto", notice: Callable[[str], None] = _ignore) -> str:
    """Store the secret, in place of an earlier one of this name; return where it is: `the system keyring`, or a path.

    `notice` gets a sentence where it had to be a file.
    """
    return run_on_loop(_open(choice, notice).save(check_secret_name(name), check_secret_value(value)))


def remove_secret(name: str) -> bool:
    """Remove the secret; return whether there was one."""
    return run_on_loop(_open().remove(check_secret_name(name)))


def free_name(base: str) -> str:
    """A name that no stored secret has: `base`, made a name, and where that is taken a number after it."""
    base = re.sub(r"[^A-Za-z0-9._-]+", "-", base).strip("._-")[:_LONGEST_BASE] or "secret"
    taken = set(secret_names())
    number, name = 1, base
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    return name


def _open(choice: TokenStore = "auto", notice: Callable[[str], None] = _ignore) -> NamedSecrets:
    # What is in memory only would be gone at once.
    return NamedSecrets(open_store("auto" if choice == "memory" else choice, notice, keyring_variables))
