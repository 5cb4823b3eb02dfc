"""The host's calls that may be answered from the cache: looked up, answered or sent, and their answers cached.

See `response_cache` for the rules. Before a call goes to the server it waits for one file to be read, and no longer.
"""

from __future__ import annotations

from collections.abc import Callable

from bridge.protocol.jsonrpc import Notification, Response
from bridge.session import response_cache
from bridge.session.calls import Call
from bridge.session.commands import DropResponses, FindResponse, KeepResponse
from bridge.session.delivery import Delivery
from bridge.session.events import ResponseFound
from bridge.session.faults import Fault
from bridge.session.response_cache import CachedResult, CacheQuery, ResponseCache
from bridge.session.session_state import Exchange, SessionState


class CachedCalls:
    """Looks calls up in the cache. `send(call)` sends one to the server; `asks_anyway`: it sends every call."""

    def __init__(
        self,
        state: SessionState,
        answers: Delivery,
        cache: ResponseCache,
        send: Callable[[Call], None],
        *,
        asks_anyway: bool = False,
    ) -> None:
        self._state = state
        self._delivery = answers
        self._cache = cache
        self._send = send
        self._asks_anyway = asks_anyway

    def submit(self, call: Call, question: CacheQuery) -> None:
        """Answer a call from the cache, or send it."""
        lookup = call.lookup = call.exchange = Lookup(self, call, question)
        number = self._state.begin(lookup)
        self._state.commands.append(FindResponse(number, question))

    def found(self, lookup: Lookup, event: ResponseFound) -> None:
        """The look into the cache is over."""
        call, kind, kept = lookup.call, lookup.question.kind, None if self._asks_anyway else event.kept
        call.exchange = None
        lookup.asked_as = event.asked_as
        seconds = self._cache.freshness(kind, kept, event.time, self._state.now) if kept else 0.0
        if kept is None or not (seconds and self._serve(call, kept, seconds)):
            lookup.age = event.time - kept.received_at if kept else 0.0
            lookup.stale = kept if lookup.age < response_cache.STALE_FOR else None
            lookup.sent_at = self._state.now
            self._send(call)

    def answer_instead(self, call: Call, fault: Fault) -> bool:
        """Answer a call that failed with a stale response from the cache; returns whether there was one."""
        lookup = call.lookup
        if not isinstance(lookup, Lookup) or lookup.stale is None or not response_cache.may_pass(fault):
            return False
        kept, lookup.stale = lookup.stale, None
        if not self._serve(call, kept, 0.0):
            return False
        minutes = max(lookup.age, 0.0) / 60
        said = f"a response that {self._state.url} gave {minutes:.0f} minutes ago, because it does not respond now"
        text = f"{call.request.method} was answered from the cache with {said}: {fault.message}"
        self._state.report(self._cache.level(), text)
        return True

    def answered(self, call: Call, response: Response) -> None:
        """The server answered a call with a result: cache it, or remove what was cached before."""
        lookup = call.lookup
        if not isinstance(lookup, Lookup) or lookup.is_served:
            return
        self.keep(lookup.question, response, lookup.asked_as, lookup.sent_at, lookup.stale)

    def keep(
        self, question: CacheQuery, response: Response, asked_as: int, sent_at: float, before: CachedResult | None
    ) -> None:
        """Cache the answer to a request sent at `sent_at`, if that is allowed; `before`: the one in the cache."""
        hints = response_cache.hints_of(response.result)
        if hints is None or self._cache.has_changed_since(question.kind, sent_at):
            kept = None
        else:
            kept = CachedResult(bytes(response.result), 0.0, hints.ttl, hints.is_private)
        is_same = before is not None and response_cache.is_same_list(before, response.result)
        starts_anew = not is_same and (before is not None or not question.is_page)
        if kept is not None or before is not None:
            self._state.commands.append(KeepResponse(question, kept, asked_as, starts_anew))

    def refused(self, call: Call, code: int | None) -> None:
        """The server answered a call with an error."""
        lookup = call.lookup
        if response_cache.speaks_of_unknown_tool(call.request, code):
            self._drop(response_cache.TOOLS)
        elif isinstance(lookup, Lookup) and lookup.question.is_page:
            self._drop((lookup.question.kind,))  # The cursor is no longer valid (Interaction with Pagination).
        elif isinstance(lookup, Lookup) and lookup.stale is not None:
            self._state.commands.append(KeepResponse(lookup.question, None, lookup.asked_as))

    def on_notification(self, note: Notification) -> None:
        """The server sent a notification."""
        if kinds := response_cache.changed_kinds(note):
            self._drop(kinds)

    def _drop(self, kinds: tuple[str, ...]) -> None:
        self._cache.changed(kinds, self._state.now)
        self._state.commands.append(DropResponses(kinds))

    def _serve(self, call: Call, kept: CachedResult, seconds: float) -> bool:
        answer = response_cache.answer_from(kept, call.request.raw_id, seconds)
        if answer is None or not isinstance(call.lookup, Lookup):
            return False
        call.lookup.is_served = True
        self._delivery.finish(call, answer)
        return True


class Lookup(Exchange):
    """The look for a cached answer to one call.

    `asked_as`: see `ResponseFound`. `stale` is a cached answer that is not fresh, `age` its age in seconds; `sent_at`:
    when the call was sent to the server instead. `is_served`: the host got its answer from the cache.
    """

    def __init__(self, cached: CachedCalls, call: Call, question: CacheQuery) -> None:
        self.call = call
        self.question = question
        self.asked_as = 0
        self.stale: CachedResult | None = None
        self.age = 0.0
        self.sent_at = 0.0
        self.is_served = False
        self._cached = cached

    def on_found(self, event: ResponseFound) -> None:
        if self.call.exchange is self:
            self._cached.found(self, event)
