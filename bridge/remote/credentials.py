"""What a request shows to be let in, and what is known when it was not."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Credential(NamedTuple):
    """The value of the `CredentialSource` header, None for none. Each change of it has a new `serial`."""

    serial: int
    header: bytes | None

    def __repr__(self) -> str:
        """Without the header."""
        return f"Credential({self.serial})"


ANONYMOUS = Credential(0, None)


class AuthRefusal(NamedTuple):
    """A 401, or a 403 for want of scope (RFC 6750 3.1).

    `challenges` are the values of `WWW-Authenticate`; `said` is what the body says; `lacks` are the scopes of a 403,
    None for a 401; `step_ups` counts how often this request asked for more scopes; `is_quiet` tells that nobody waits
    for it; `peer` is the address that it came from, empty where a proxy stood between.
    """

    url: str
    status: int
    challenges: tuple[str, ...]
    said: str
    credential: Credential
    lacks: tuple[str, ...] | None
    step_ups: int
    is_quiet: bool
    peer: str = ""


class CredentialSource(Protocol):
    """Who gives credentials. Its errors are `BridgeError`s."""

    def ready(self) -> Credential | None:
        """The credential to send, or None where it has to be waited for."""

    async def obtain(self) -> Credential:
        """Wait for it."""

    def accepted(self, credential: Credential) -> None:
        """The server took it."""

    async def refused(self, refusal: AuthRefusal) -> None:
        """Come back when the request is worth sending again."""
