"""The credential of a request, and the server's refusal of it."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Credential(NamedTuple):
    """The value of the `Authorization` header, None for none. Each new value has a new `serial`.

    `headers` are sent as well, in place of the user's headers of the same names.
    """

    serial: int
    header: bytes | None
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def __repr__(self) -> str:
        """Without the headers."""
        return f"Credential({self.serial})"


ANONYMOUS = Credential(0, None)


class AuthRefusal(NamedTuple):
    """A 401, or a 403 with `insufficient_scope` (RFC 6750 3.1).

    `challenges` are the values of `WWW-Authenticate`; `said` is the text of the body; `lacks` are the scopes that a 403
    names, None for a 401; `step_ups` counts how often this request led to a request for more scopes; `is_quiet`: the
    host does not wait for this request; `peer` is the server's IP address, empty if a proxy was used.
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


class ChangingHeaders(Protocol):
    """The user's headers, where they may change during a run."""

    def has_changed(self) -> bool:
        """Whether `read` has to be awaited before the next request; asked before each."""

    async def read(self) -> None:
        """Give the remote the headers as they are now (`Remote.use_headers`)."""


class CredentialSource(Protocol):
    """Provides credentials. Its methods raise `BridgeError`."""

    def ready(self) -> Credential | None:
        """The credential to send now; None where `obtain` has to be awaited."""

    async def obtain(self) -> Credential:
        """Wait for a credential and return it."""

    def accepted(self, credential: Credential) -> None:
        """The server accepted this credential."""

    async def refused(self, refusal: AuthRefusal) -> None:
        """Obtain another credential; return when it makes sense to send the request again."""
