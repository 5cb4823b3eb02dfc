"""The two sides of a translator: what it is told, and where its own messages go.

A translator stands between a host of one era and whatever speaks to a server of the other. To that it is a host of the
server's era; to the host it is a server of the host's era. It keeps two tables of ids: the host's and its own, with
which it asks upwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from bridge.protocol.jsonrpc import Message, Octets, Request, RequestId


class TranslatorRefusal(msgspec.Struct, frozen=True):
    """Why the translator itself answers a request with an error. `kind` is for programs, `message` for people.

    `data` are members of the error's `data`, beside those that name the bridge.
    """

    code: int
    kind: str
    message: str
    data: dict[str, object] = {}


class TranslatorTimer(Protocol):
    """One wait; `fired()`, which was given when it was made, is called when it is over."""

    def start(self, seconds: float) -> None:
        """Fire once after so many seconds. A timer that runs begins anew."""

    def stop(self) -> None:
        """Do not fire. Does nothing where the timer does not run."""


class TranslatorPort(Protocol):
    """Where a translator's messages go. Each takes effect at once, in the order of the calls."""

    @property
    def now(self) -> float:
        """The time of what is being handled: seconds of a monotonic clock."""

    def up(self, message: Message) -> None:
        """Towards the server, as a host of the server's era would send it."""

    def down(self, line: Octets) -> None:
        """One line to the host, as a server of the host's era would send it."""

    def refuse(self, request: Request, refusal: TranslatorRefusal) -> None:
        """Answer a request of the host's with an error of the bridge's own."""

    def timer(self, purpose: str, fired: Callable[[], None]) -> TranslatorTimer:
        """A timer that does not run yet; `purpose` says in the log what it is for."""

    def timestamp(self) -> str:
        """The time of day and the date, in UTC (RFC 3339)."""

    def fresh(self) -> str:
        """A text nobody can guess, new each time; visible ASCII."""

    def report(self, level: str, text: str) -> None:
        """Tell the log. `level` is a name of the standard library's logging levels, in lower case."""


class Translator(Protocol):
    """What every pairing of two eras offers."""

    @property
    def is_waiting(self) -> bool:
        """Whether the host waits for an answer that nothing upwards is asked for just now."""

    def awaits(self, id_: RequestId) -> bool:
        """Whether a request of the host's with this id has no answer yet."""

    def asks(self, id_: RequestId | None) -> bool:
        """Whether the host was asked something with this id, and has not answered."""

    def from_host(self, message: Message) -> None:
        """The host sent a message."""

    def from_server(self, message: Message, about: RequestId | None) -> None:
        """The server, or what speaks to it, sent one. `about`: the id, as sent upwards, of the call it came with."""

    def reroute(self, id_: RequestId) -> list[Request]:
        """Forget the request sent upwards with this id, and return, in order, the host's that depended on it.

        The server never took it, for it is of another era than was thought. Nobody is answered.
        """

    def close(self) -> None:
        """The run ends: answer, with errors, what nothing upwards is asked for."""
