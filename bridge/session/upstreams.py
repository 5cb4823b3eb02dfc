"""The upstreams of a run: which numbers they get, and when one is removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bridge.session.commands import Deliver
from bridge.session.deadlines import UNLIMITED, LongCalls
from bridge.session.probing import LEGACY, MODERN
from bridge.session.session import Session, Transport
from bridge.session.session_state import UPSTREAM_NUMBERS
from bridge.session.upstream import Machine, RouterContext, T, TranslatedUpstream, Upstream

if TYPE_CHECKING:
    from bridge.session.response_cache import ResponseCache

InFront = Callable[[Machine, RouterContext], Machine]

_MAX_LANES = 16
_SPARE = 2
"""Places kept free for the probe and for the host's other era."""


class Upstreams:
    """Makes them. `receive(upstream, deliver)` gets what a machine delivers to its host.

    `retry_window` and `request_timeout` in seconds. `keeps_responses`: answers of modern servers are cached.
    `in_front(machine, context)` returns what takes the place of each machine that serves a host. The
    machines and translators of an era are imported when the first is made, since most runs need only one era.
    """

    def __init__(
        self,
        context: RouterContext,
        transport: Transport,
        retry_window: float,
        request_timeout: float | None,
        redact: Callable[[str], str],
        receive: Callable[[Upstream, Deliver], None],
        *,
        keeps_responses: bool = False,
        in_front: InFront | None = None,
        long_calls: LongCalls = UNLIMITED,
        mends_headers: bool = True,
    ) -> None:
        self._context = context
        self._mends_headers = mends_headers
        self._in_front = in_front
        self._long_calls = long_calls
        context.keep_alive = long_calls.keep_alive
        self._keeps_responses = keeps_responses
        self._cache: ResponseCache | None = None
        self._transport = transport
        self._retry_window = retry_window
        self._request_timeout = request_timeout
        self._redact = redact
        self._receive = receive
        self._by_number: dict[int, Upstream] = {}
        self._retired: list[Upstream] = []
        self._last_number = 0

    def __iter__(self) -> Iterator[Upstream]:
        return iter(list(self._by_number.values()))

    @property
    def is_full(self) -> bool:
        """Whether one more would leave too little room for other purposes."""
        return len(self._by_number) + _SPARE >= _MAX_LANES

    @property
    def server_name(self) -> str:
        """The name for a server that does not give one."""
        return urlsplit(self._context.url).hostname or self._context.url

    def of(self, number: int) -> Upstream | None:
        """The upstream that an exchange or a timer with this number belongs to."""
        return self._by_number.get(number // UPSTREAM_NUMBERS)

    def native(self, era: str) -> Upstream:
        """One that serves a host of the same era."""
        number = self._new_number()
        machine = self._fronted(self._machine(era, number))
        return self._enter(Upstream(number, era, self._context, machine, self._receive))

    def probing(self, receive: Callable[[Upstream, Deliver], None]) -> Upstream:
        """One for the bridge's own request to a server; `receive(upstream, deliver)` gets the answer."""
        number = self._new_number()
        return self._enter(Upstream(number, MODERN, self._context, self._stateless(number, is_own=True), receive))

    def taking_over(self, session: Callable[[Session], None]) -> Upstream:
        """One for a legacy host that sent `initialize` to another upstream; `session` prepares its session."""
        number = self._new_number()
        machine = self._session(number)
        session(machine)
        return self._enter(Upstream(number, LEGACY, self._context, self._fronted(machine), self._receive))

    def translated(self, era: str, make: Callable[[TranslatedUpstream[T]], T]) -> TranslatedUpstream[T]:
        """One that serves a host of the other era."""
        number = self._new_number()
        machine = self._session(number, listens_first=True) if era == LEGACY else self._stateless(number)
        upstream = TranslatedUpstream(number, era, self._context, self._fronted(machine), self._receive, make)
        self._enter(upstream)
        return upstream

    def drop(self, upstream: Upstream) -> None:
        """Forget an upstream that is no longer needed."""
        self._by_number.pop(upstream.number, None)

    def dismiss(self, upstream: Upstream) -> None:
        """End an upstream; requests that still wait there fail, because the bridge shuts down."""
        upstream.dismiss()
        self.drop(upstream)

    def retire(self, upstream: Upstream) -> None:
        """Stop using an upstream. It stays while it has answers to give and there is room."""
        if upstream not in self._retired:
            self._retired.append(upstream)

    def _new_number(self) -> int:
        """A number that no upstream had before, so that events for an old one cannot reach a new one."""
        idle = [upstream for upstream in self._retired if not upstream.busy]
        crowded = self._retired if len(self._by_number) >= _MAX_LANES else []
        for upstream in idle or crowded[:1]:
            self._retired.remove(upstream)
            self.dismiss(upstream)
        self._last_number += 1
        return self._last_number

    def _enter(self, upstream: Upstream) -> Upstream:
        self._by_number[upstream.number] = upstream
        return upstream

    def _fronted(self, machine: Machine) -> Machine:
        return machine if self._in_front is None else self._in_front(machine, self._context)

    def _machine(self, era: str, number: int) -> Machine:
        return self._session(number) if era == LEGACY else self._stateless(number)

    def _stateless(self, number: int, *, is_own: bool = False) -> Machine:
        from bridge.session.stateless import Stateless

        if self._keeps_responses and self._cache is None:
            from bridge.session.response_cache import ResponseCache

            self._cache = ResponseCache()
        return Stateless(
            self._context.url,
            self._retry_window,
            self._request_timeout,
            self._redact,
            number,
            is_own=is_own,
            cache=self._cache,
            long_calls=UNLIMITED if is_own else self._long_calls,
        )

    def _session(self, number: int, *, listens_first: bool = False) -> Session:
        context = self._context
        return Session(
            context.url,
            self._transport,
            self._retry_window,
            self._request_timeout,
            self._redact,
            number,
            listens_first=listens_first,
            long_calls=self._long_calls,
            mends_headers=self._mends_headers,
        )
