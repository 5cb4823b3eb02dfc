"""`tools/list` requested ahead, together with the request with which a host opens: most hosts list the tools next.

This saves one round trip at each start. It is a guess, and at worst it costs one request that was not needed:

| what happens | what follows |
|---|---|
| the cache has a fresh answer | nothing is requested |
| the host asks for the same while the request is in progress | the host's request waits for it |
| the host asks for the same within `SECONDS` of the answer, and of its `ttlMs` | it gets that answer, once |
| the host asks for something else, with a progress token, or later | its request is sent as usual |
| the request fails, is refused, or the user has to sign in | no error is reported; the calls that wait are sent |
| the tools change in the meantime | the same |

The bridge does this once in a run, and only if a modern server gets the request with which the host opens.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from bridge.protocol import client_meta, mcp, messages, writing
from bridge.protocol.headers import request_headers
from bridge.protocol.jsonrpc import Octets, Request, Response
from bridge.session import response_cache
from bridge.session.cached_calls import CachedCalls, Lookup
from bridge.session.calls import Call, Calls
from bridge.session.commands import FindResponse, Post
from bridge.session.delivery import Delivery
from bridge.session.events import BodyReceived, EventReceived, ExchangeFailed, ResponseFound, StreamClosed
from bridge.session.response_cache import CachedResult, CacheQuery, ResponseCache
from bridge.session.session_state import Exchange, SessionState

SECONDS = 10.0
"""Seconds for which an answer waits for the host's own request."""


class ToolsPrefetch:
    """Requests the tools, and answers the calls that ask for the same."""

    def __init__(
        self,
        state: SessionState,
        calls: Calls,
        answers: Delivery,
        cache: ResponseCache,
        cached: CachedCalls,
    ) -> None:
        self._state = state
        self._calls = calls
        self._delivery = answers
        self._cache = cache
        self._cached = cached
        self._page: PrefetchedPage | None = None
        self._waiting: list[Lookup] = []

    def begin(self, opening: Request) -> None:
        """The host opens with this request, so request the tools too."""
        if self._cache.has_looked_ahead:
            return
        self._cache.has_looked_ahead = True
        meta = writing.members(writing.members(opening.params).get("_meta", Raw()))
        meta.pop("progressToken", None)
        params = msgspec.json.encode({"_meta": meta})
        request = writing.request(self._state.fresh_id(), mcp.TOOLS_LIST, params)
        question = response_cache.cache_query_of(request)
        version = client_meta.meta_version(request.params)
        headers = request_headers(version, request.method, request.params) if version else None
        if question is not None and headers is not None:
            page = self._page = PrefetchedPage(self, request, question, headers)
            self._state.commands.append(FindResponse(self._state.begin(page), question))

    def claims(self, call: Call, question: CacheQuery) -> bool:
        """Whether a call of the host gets its answer from here, now or later."""
        page = self._page
        if page is None or page.question != question or messages.asked_progress_token(call.request.params):
            return False
        if page.answer is None:
            lookup = call.lookup = Lookup(self._cached, call, question)
            lookup.is_served = True
            lookup.stale = page.before
            self._waiting.append(lookup)
            return True
        self._page = None
        age = self._state.now - page.received_at
        if age > SECONDS or self._cache.has_changed_since(question.kind, page.sent_at):
            return False
        return self._give(call, page.answer, age)

    def end(self) -> None:
        """Give up: the calls that wait are sent."""
        page, self._page = self._page, None
        if page is not None:
            self._state.abandon(page)
        self._release()

    def found(self, page: PrefetchedPage, event: ResponseFound) -> None:
        """The look into the cache is over."""
        if page is not self._page:
            return
        kind, now = page.question.kind, self._state.now
        page.before, page.asked_as, page.sent_at = event.kept, event.asked_as, now
        if event.kept and self._cache.freshness(kind, event.kept, event.time, now):
            self._page = None
            self._release()
            return
        for lookup in self._waiting:
            lookup.stale = event.kept
        number = self._state.begin(page)
        self._state.commands.append(Post(number, page.request.line, page.headers, tentative=True))

    def take(self, page: PrefetchedPage, data: Octets) -> bool:
        """Read what the server sent; returns whether it was the answer."""
        for message in self._delivery.read(data):
            if isinstance(message, Response) and message.id == page.request.id and not message.is_error:
                self._state.drain(page)
                if page is self._page:
                    self._answered(page, message)
                return True
        return False

    def failed(self, page: PrefetchedPage) -> None:
        """There will be no answer."""
        if page is self._page and page.answer is None:
            self._page = None
            self._release()

    def _answered(self, page: PrefetchedPage, answer: Response) -> None:
        self._cached.keep(page.question, answer, page.asked_as, page.sent_at, page.before)
        if self._cache.has_changed_since(page.question.kind, page.sent_at):
            self._page = None
            self._release()
            return
        page.answer, page.received_at = answer, self._state.now
        waiting, self._waiting = self._waiting, []
        for lookup in waiting:
            self._page = None  # It answers the calls that wait for it, and no later one.
            if self._calls.is_open(lookup.call):
                self._give(lookup.call, answer, 0.0)

    def _give(self, call: Call, answer: Response, age: float) -> bool:
        """Answer a call, unless the answer has become stale in the meantime."""
        given: Response | None = writing.answering(answer, call.request.raw_id)
        hints = response_cache.hints_of(answer.result) if age else None
        if hints is not None:
            kept = CachedResult(bytes(answer.result), 0.0, hints.ttl, hints.is_private)
            left = hints.ttl - age
            given = response_cache.answer_from(kept, call.request.raw_id, left) if left > 0 else None
        if given is None:
            return False
        self._delivery.finish(call, given)
        return True

    def _release(self) -> None:
        waiting, self._waiting = self._waiting, []
        for lookup in waiting:
            if self._calls.is_open(lookup.call):
                self._cached.submit(lookup.call, lookup.question)


class PrefetchedPage(Exchange):
    """The request and its answer. `sent_at` and `received_at` in seconds (monotonic)."""

    def __init__(
        self, early: ToolsPrefetch, request: Request, question: CacheQuery, headers: tuple[tuple[bytes, bytes], ...]
    ) -> None:
        self.request = request
        self.question = question
        self.headers = headers
        self.before: CachedResult | None = None
        self.asked_as = 0
        self.sent_at = 0.0
        self.answer: Response | None = None
        self.received_at = 0.0
        self._early = early

    def on_found(self, event: ResponseFound) -> None:
        self._early.found(self, event)

    def on_event(self, event: EventReceived) -> None:
        if event.event.data is not None and self.answer is None:
            self._early.take(self, event.event.data)

    def on_body(self, event: BodyReceived) -> None:
        if not (200 <= event.status < 300 and self._early.take(self, event.body)):
            self._early.failed(self)

    def on_closed(self, event: StreamClosed) -> None:
        self._early.failed(self)

    def on_failed(self, event: ExchangeFailed) -> None:
        self._early.failed(self)
