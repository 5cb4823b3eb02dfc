"""The user's named secrets (`secret set NAME`), in the same stores as tokens: the keyring, or private files.

A keyring cannot list what it holds, and the files' names can. So a secret's store key has its name, in hexadecimal
digits, because some file systems do not tell upper from lower case. A name is no secret.

A secret is always looked for wherever it may be (the choice `auto`), so that a run finds it whatever `--token-store`
says of tokens.
"""

from __future__ import annotations

from bridge.store.secret_store import SecretStore

KIND = "secret"
_SHORTEST = 8  # A store key has at least 16 digits.


def key_of(name: str) -> str:
    """The store key of the secret with this name (`config/secret_reference` says which names there are)."""
    return f"{KIND}-{name.encode('ascii').ljust(_SHORTEST, bytes(1)).hex()}"


def name_of(key: str) -> str:
    """The name in a store key; empty for a key that `key_of` does not make."""
    try:
        name = bytes.fromhex(key.removeprefix(f"{KIND}-")).rstrip(bytes(1)).decode("ascii")
    except ValueError:
        return ""
    return name if name.isprintable() and name and key_of(name) == key else ""


class NamedSecrets:
    """Secrets by name. Names are those that `check_secret_name` accepts."""

    def __init__(self, store: SecretStore) -> None:
        self._store = store

    def names(self) -> list[str]:
        """The names of all secrets, sorted, without the keyring. Raises `StoreError`."""
        return sorted(filter(None, map(name_of, self._store.keys(KIND))))

    def may_have(self, name: str) -> bool:
        """Whether `read` may find a secret. It answers at once, without the keyring, and may say yes wrongly."""
        return self._store.exists_hint(key_of(name))

    async def read(self, name: str) -> str | None:
        """The secret; None where there is none. Raises `StoreError` where it cannot be read now."""
        data = await self._store.load(key_of(name))
        return None if data is None else data.decode("utf-8")

    async def save(self, name: str, value: str) -> str:
        """Store the secret in place of an earlier one; return where it is, in words. Raises `StoreError`."""
        await self._store.save(key_of(name), value.encode("utf-8"))
        return self._store.place(key_of(name))

    async def remove(self, name: str) -> bool:
        """Remove the secret; return whether there was one. Raises `StoreError` where a part of it stays."""
        was_there = self.may_have(name)
        await self._store.delete(key_of(name))
        return was_there
