"""The lanes there are: who gets which number, and when one may go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bridge.session.commands import Deliver
from bridge.session.lane import Desk, Lane, Machine, T, TranslatedLane
from bridge.session.ledger import LANE
from bridge.session.probing import LEGACY, MODERN
from bridge.session.session import Session, Transport

if TYPE_CHECKING:
    from bridge.session.response_cache import ResponseCache

_MAX_LANES = 16
_SPARE = 2
"""Lanes kept free for the probe and for the host's other era."""


class Lanes:
    """Makes them. `receive(lane, deliver)` takes what a machine has for its host.

    `patience` and `request_timeout` in seconds. `keeps_responses`: modern servers' answers are kept. The machines and
    translators of one era are imported when the first is made: most runs need only one.
    """

    def __init__(
        self,
        desk: Desk,
        transport: Transport,
        patience: float,
        request_timeout: float | None,
        redact: Callable[[str], str],
        receive: Callable[[Lane, Deliver], None],
        *,
        keeps_responses: bool = False,
    ) -> None:
        self._desk = desk
        self._keeps_responses = keeps_responses
        self._cache: ResponseCache | None = None
        self._transport = transport
        self._patience = patience
        self._request_timeout = request_timeout
        self._redact = redact
        self._receive = receive
        self._by_number: dict[int, Lane] = {}
        self._retired: list[Lane] = []
        self._last_number = 0

    def __iter__(self) -> Iterator[Lane]:
        return iter(list(self._by_number.values()))

    @property
    def is_full(self) -> bool:
        """Whether one more would leave too few for other purposes."""
        return len(self._by_number) + _SPARE >= _MAX_LANES

    @property
    def server_name(self) -> str:
        """What to call a server that does not say its name."""
        return urlsplit(self._desk.url).hostname or self._desk.url

    def of(self, number: int) -> Lane | None:
        """The lane that an exchange or a timer of this number belongs to."""
        return self._by_number.get(number // LANE)

    def native(self, era: str) -> Lane:
        """One that serves a host of the same era."""
        number = self._new_number()
        return self._enter(Lane(number, era, self._desk, self._machine(era, number), self._receive))

    def probing(self, receive: Callable[[Lane, Deliver], None]) -> Lane:
        """One for the bridge's own question to a server; `receive(lane, deliver)` takes the answer."""
        number = self._new_number()
        return self._enter(Lane(number, MODERN, self._desk, self._stateless(number, is_own=True), receive))

    def taking_over(self, session: Callable[[Session], None]) -> Lane:
        """One for a legacy host that opened elsewhere; `session` prepares its session."""
        number = self._new_number()
        machine = self._session(number)
        session(machine)
        return self._enter(Lane(number, LEGACY, self._desk, machine, self._receive))

    def translated(self, era: str, make: Callable[[TranslatedLane[T]], T]) -> TranslatedLane[T]:
        """One that serves a host of the other era."""
        number = self._new_number()
        machine = self._session(number, listens_first=True) if era == LEGACY else self._stateless(number)
        lane = TranslatedLane(number, era, self._desk, machine, self._receive, make)
        self._enter(lane)
        return lane

    def drop(self, lane: Lane) -> None:
        """Forget a lane that has said all it has to say."""
        self._by_number.pop(lane.number, None)

    def dismiss(self, lane: Lane) -> None:
        """End a lane; whoever still waits there is told that the bridge shuts down."""
        lane.dismiss()
        self.drop(lane)

    def retire(self, lane: Lane) -> None:
        """Use a lane no more; it stays while it has answers to give, and there is room."""
        if lane not in self._retired:
            self._retired.append(lane)

    def _new_number(self) -> int:
        """A number that no lane had: what is still under way for an old one must not be taken for a new one's."""
        idle = [lane for lane in self._retired if not lane.busy]
        crowded = self._retired if len(self._by_number) >= _MAX_LANES else []
        for lane in idle or crowded[:1]:
            self._retired.remove(lane)
            self.dismiss(lane)
        self._last_number += 1
        return self._last_number

    def _enter(self, lane: Lane) -> Lane:
        self._by_number[lane.number] = lane
        return lane

    def _machine(self, era: str, number: int) -> Machine:
        return self._session(number) if era == LEGACY else self._stateless(number)

    def _stateless(self, number: int, *, is_own: bool = False) -> Machine:
        from bridge.session.stateless import Stateless

        if self._keeps_responses and self._cache is None:
            from bridge.session.response_cache import ResponseCache

            self._cache = ResponseCache()
        return Stateless(
            self._desk.url,
            self._patience,
            self._request_timeout,
            self._redact,
            number,
            is_own=is_own,
            cache=self._cache,
        )

    def _session(self, number: int, *, listens_first: bool = False) -> Session:
        desk = self._desk
        return Session(
            desk.url,
            self._transport,
            self._patience,
            self._request_timeout,
            self._redact,
            number,
            listens_first=listens_first,
        )
