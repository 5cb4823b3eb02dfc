"""`tools/list` asked for ahead, beside the request with which a host opens: most hosts list the tools next.

It saves one round trip in each start. It is a guess, so it never costs more than a request that nobody needed:

| what happens | what follows |
|---|---|
| a fresh answer is kept | nothing is asked |
| the host asks the same while it is under way | the host's request waits for it |
| the host asks the same within `SECONDS` of the answer, and of its `ttlMs` | that is the answer, once |
| the host asks something else, with a progress token, or later | the host's request goes up as ever |
| it fails, is refused, or the user has to sign in | nothing is told; what waits goes up by itself |
| the tools change meanwhile | the same |

It is asked once in a run, and only where the opening request goes up in the name of a host whose server is modern.
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
"""How long an answer waits for the host's question."""


class ToolsPrefetch:
    """Asks, and gives what came to the calls that ask the same."""

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
        """The host opens with this request."""
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
        """Whether a call of the host's has its answer from here, now or later."""
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
        """Nothing comes of it any more: what waits goes up by itself."""
        page, self._page = self._page, None
        if page is not None:
            self._state.abandon(page)
        self._release()

    def found(self, page: PrefetchedPage, event: ResponseFound) -> None:
        """What is kept was looked through."""
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
        """Read what the server sent; whether it was the answer."""
        for message in self._delivery.read(data):
            if isinstance(message, Response) and message.id == page.request.id and not message.is_error:
                self._state.settle(page)
                if page is self._page:
                    self._answered(page, message)
                return True
        return False

    def failed(self, page: PrefetchedPage) -> None:
        """There is no answer."""
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
            self._page = None  # It serves those who ask at the same time, and nobody later.
            if self._calls.is_open(lookup.call):
                self._give(lookup.call, answer, 0.0)

    def _give(self, call: Call, answer: Response, age: float) -> bool:
        """Answer a call, unless the answer has become stale meanwhile."""
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
    """The request, and what came of it: `sent_at` and `received_at` in seconds (monotonic)."""

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
