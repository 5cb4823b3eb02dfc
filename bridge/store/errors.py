"""What can go wrong where secrets are kept, by what follows from it.

| error | what follows |
|---|---|
| `KeyringUnavailable` | with `auto`, what is to be saved goes to a file; what only the keyring has stays there |
| `EntryRefused` | as that; but a new entry is taken, so signing in once more mends it |
| `StoreBusy` | another process is at work on the same secret; the same may be tried later |
| any other `StoreError` | the person is told |

No message holds a stored value, nor the text of a foreign exception, which might quote one.
"""

from __future__ import annotations

from bridge.errors import BridgeError


class StoreError(BridgeError):
    """A secret cannot be read, written or removed where it is kept. What was stored before is still there."""


class KeyringUnavailable(StoreError):
    """The system keyring is missing, locked, silent, or refused. `reason` is the clause after the colon."""

    def __init__(self, reason: str, *, hint: str = "") -> None:
        super().__init__(f"The system keyring cannot be used: {reason}.", hint=hint)
        self.reason = reason


class EntryRefused(KeyringUnavailable):
    """The keyring is open, but keeps an entry from this program: on macOS another one stored it, an earlier Python."""

    def __init__(self) -> None:
        super().__init__("it keeps from this Python what another one stored", hint="Sign in once more.")
        self.message = "Python was probably updated, and the system keyring keeps from it what the one before stored."


class StoreBusy(StoreError):
    """A lock was not free in time: another process is at work on the same secret."""
