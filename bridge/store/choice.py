"""Which store keeps the secrets of a run: the choice that `--token-store` makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bridge.config import TokenStore
from bridge.store.lazy import LazyStore
from bridge.store.paths import platform_paths
from bridge.store.secret_store import SecretStore


def open_store(
    choice: TokenStore, notice: Callable[[str], None], variables: Callable[[], Mapping[str, str]] = dict
) -> SecretStore:
    """The store for `--token-store`. Cheap: it touches no disk and loads no keyring.

    | choice | where secrets are stored |
    |---|---|
    | `auto` | the system keyring, or a private file where no keyring can be used |
    | `keyring`, `file` | there, and nowhere else |
    | `memory` | in this process, until it ends |

    `notice` takes a sentence for the user about a place that the user may not expect. `variables` returns environment
    variables that lead to the keyring and that this process lacks; it is called in a thread, when the keyring is first
    used.
    """
    if choice == "memory":
        from bridge.store.memory import MemoryStore

        return MemoryStore()
    paths = platform_paths()

    def make() -> SecretStore:
        from bridge.store.backend import find_ring
        from bridge.store.disk import DiskStore
        from bridge.store.system import KeyringEntries

        return DiskStore(choice, paths, KeyringEntries(lambda: find_ring(variables)), notice)

    return LazyStore(paths, make)
