"""The interface of a translator, and what it may use.

A translator connects a host of one era to a server of the other. The host sees a server of its own era, and the server
a host of its own era. A translator keeps two tables of ids: the host's, and those with which it asks the server.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from bridge.errors import ErrorKind
from bridge.protocol.jsonrpc import Message, Octets, Request, RequestId


class TranslatorRefusal(msgspec.Struct, frozen=True):
    """Why the translator itself answers a request with an error. `kind` is for programs, `message` for users.

    `data` are members of the error's `data`, in addition to those that name the bridge.
    """

    code: int
    kind: ErrorKind
    message: str
    data: dict[str, object] = {}


class TranslatorTimer(Protocol):
    """One wait; `fired()`, which was given when it was made, is called when it is over."""

    def start(self, seconds: float) -> None:
        """Fire once after so many seconds. A timer that runs begins anew."""

    def stop(self) -> None:
        """Do not fire. Does nothing where the timer does not run."""


class TranslatorPort(Protocol):
    """Where a translator's messages go. Each call takes effect at once, in the order of the calls."""

    @property
    def now(self) -> float:
        """The time of the event that is being handled: seconds of a monotonic clock."""

    @property
    def keep_alive(self) -> float | None:
        """The seconds after which a host that asked for progress hears some (`--keep-alive`); None: it need not."""

    def up(self, message: Message) -> None:
        """Send a message to the server, as a host of the server's era would."""

    def down(self, line: Octets) -> None:
        """Send one line to the host, as a server of the host's era would."""

    def refuse(self, request: Request, refusal: TranslatorRefusal) -> None:
        """Answer a request of the host's with an error of the bridge's own."""

    def timer(self, purpose: str, fired: Callable[[], None]) -> TranslatorTimer:
        """A timer that does not run yet; `purpose` says in the log what it is for."""

    def timestamp(self) -> str:
        """The time of day and the date, in UTC (RFC 3339)."""

    def fresh(self) -> str:
        """A text that cannot be guessed, new each time; visible ASCII."""

    def report(self, level: str, text: str) -> None:
        """Write to the log. `level` is one of the standard library's logging levels, in lower case."""


class Translator(Protocol):
    """What the translators for both pairs of eras offer."""

    @property
    def is_waiting(self) -> bool:
        """Whether the host waits for an answer, and the server has no request that brings it."""

    def awaits(self, id_: RequestId) -> bool:
        """Whether a request of the host's with this id has no answer yet."""

    def asks(self, id_: RequestId | None) -> bool:
        """Whether the host was asked something with this id, and has not answered."""

    def from_host(self, message: Message) -> None:
        """The host sent a message."""

    def from_server(self, message: Message, about: RequestId | None) -> None:
        """The server sent a message. `about`: the id that the server knows of the request with whose answer it came."""

    def reroute(self, id_: RequestId) -> list[Request]:
        """Forget the request that was sent to the server with this id; return the host's that depended on it, in order.

        The server never accepted it, because it is of the other era. The host gets no answer from here.
        """

    def close(self) -> None:
        """The run ends: answer, with errors, the requests that the server does not have."""
