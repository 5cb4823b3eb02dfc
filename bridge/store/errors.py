"""What can go wrong in a store of secrets.

| error | what follows |
|---|---|
| `KeyringUnavailable` | with `auto`, a secret is saved to a file instead; one that only the keyring has stays there |
| `EntryRefused` | the same; the keyring accepts new entries, so signing in again solves it |
| `StoreBusy` | another process is working on the same secret; trying again later may succeed |
| any other `StoreError` | the user is told |

No message holds a stored value, nor the text of a foreign exception, which might quote one.
"""

from __future__ import annotations

from bridge.errors import BridgeError


class StoreError(BridgeError):
    """A secret cannot be read, written or removed. What was stored before is still there."""


class KeyringUnavailable(StoreError):
    """The system keyring is missing or locked, does not answer, or refuses. `reason` is the clause after the colon."""

    def __init__(self, reason: str, *, hint: str = "") -> None:
        super().__init__(f"The system keyring cannot be used: {reason}.", hint=hint)
        self.reason = reason


class EntryRefused(KeyringUnavailable):
    """The keyring is open but refuses an entry to this program: on macOS, one that an earlier Python stored."""

    def __init__(self) -> None:
        super().__init__("it refuses this Python an entry that another Python stored", hint="Sign in again.")
        self.message = (
            "Python was probably updated, and the system keyring refuses it the entry that the earlier Python stored."
        )


class StoreBusy(StoreError):
    """A lock was not free in time, because another process is working on the same secret."""
