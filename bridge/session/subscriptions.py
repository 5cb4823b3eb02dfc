"""`subscriptions/listen`: streams of changes from a modern server (MCP 2026-07-28, Subscriptions).

Each is a request that is answered when it ends. If its stream ends without an answer, the bridge sends the request
again with a new id. The host does not notice: in what it gets, the new id is replaced by its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import msgspec
from msgspec import Raw

from bridge.errors import ErrorKind
from bridge.protocol import mcp, writing
from bridge.protocol.jsonrpc import Notification, Octets, Request, RequestId, Response, request_id
from bridge.session import faults, reconnect_delay, response_kind
from bridge.session.commands import Deliver, Headers, Post
from bridge.session.delivery import Delivery
from bridge.session.events import BodyReceived, Cause, EventReceived, ExchangeFailed, StreamClosed
from bridge.session.faults import Fault
from bridge.session.response_kind import ResponseKind
from bridge.session.session_state import Exchange, SessionState
from bridge.session.timers import Timer

_STEADY_SECONDS = 30.0
_LONGEST_RETRY_AFTER = 300.0
_MAX_SUBSCRIPTIONS = 256


class Subscription:
    """One subscription of the host. `wire_id` is the id, as JSON, of the request that is in progress for it.

    `is_acknowledged`: the host has got the acknowledgment. `opened_at`: when the current stream was acknowledged.
    """

    def __init__(self, number: int, request: Request, headers: Headers, now: float) -> None:
        self.number = number
        self.request = request
        self.headers = headers
        self.wire_id = request.raw_id
        self.exchange: ListenExchange | None = None
        self.is_acknowledged = False
        self.attempts = 0
        self.began_at = now
        self.opened_at: float | None = None
        self.pause: Timer


class Subscriptions:
    """Keeps them open. `on_notification(note)` is called for each notification that comes."""

    def __init__(self, state: SessionState, answers: Delivery, on_notification: Callable[[Notification], None]) -> None:
        self._state = state
        self._delivery = answers
        self._on_notification = on_notification
        self._by_id: dict[RequestId, Subscription] = {}
        self._last_number = 0

    def __contains__(self, id_: RequestId | None) -> bool:
        return id_ is not None and id_ in self._by_id

    def __iter__(self) -> Iterator[Subscription]:
        return iter(list(self._by_id.values()))

    @property
    def url(self) -> str:
        """The URL of the server."""
        return self._state.url

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another subscription."""
        return len(self._by_id) >= _MAX_SUBSCRIPTIONS

    def begin(self, request: Request, headers: Headers) -> None:
        """The host subscribes. The id of its request must not be in use."""
        self._last_number += 1
        subscription = Subscription(self._last_number, request, headers, self._state.now)
        subscription.pause = self._state.timers.new(
            "subscription", partial(self._post_again, subscription), subscription.number
        )
        self._by_id[request.id] = subscription
        self._post(subscription, request.line)

    def cancel(self, id_: RequestId) -> None:
        """The host cancels it: close the stream, which tells the server, and answer in its place."""
        subscription = self._by_id[id_]
        self._state.abandon(subscription.exchange)
        self._end(subscription, writing.listen_ended(subscription.request.raw_id))

    def refresh(self) -> None:
        """Every connection may be dead: request every stream again."""
        for subscription in self:
            subscription.pause.stop()
            self._state.abandon(subscription.exchange)
            self._post_again(subscription)

    def restart_retry_window(self) -> None:
        """Begin the retry window now, because the server did not cause the delay."""
        for subscription in self:
            subscription.began_at = self._state.now

    def fail_all(self, fault: Fault) -> None:
        """Fail all of them, because the run ends."""
        for subscription in self:
            self._state.abandon(subscription.exchange)
            self.fail(subscription, fault)

    def take(self, subscription: Subscription, data: Octets) -> bool:
        """Deliver what came on a stream; returns whether it was the answer that ends it."""
        for message in self._delivery.read(data):
            if isinstance(message, Response):
                if message.id == request_id(subscription.wire_id):
                    self._end(subscription, _relabelled_result(message, subscription))
                    return True
            elif isinstance(message, Notification):
                self._pass_on(subscription, message)
            else:
                self._state.report("warning", f"{self._state.url} sent a request on a subscription; it was dropped")
        return False

    def again(self, subscription: Subscription, fault: Fault, seconds: float | None = None) -> None:
        """The stream ended: request it again after a pause, if it never was open only within the retry window."""
        now = self._state.now
        retry_until = subscription.began_at + self._state.retry_window
        if subscription.opened_at is not None and now - subscription.opened_at >= _STEADY_SECONDS:
            subscription.attempts = 0
        elif not subscription.is_acknowledged and now + (seconds or 0.0) > retry_until:
            self.fail(subscription, fault)
            return
        subscription.attempts += 1
        pause = reconnect_delay.before_listening(
            subscription.attempts, subscription.attempts, seconds, _LONGEST_RETRY_AFTER
        )
        subscription.pause.start(pause.seconds, pause.spread)
        if subscription.attempts == 1:
            what = f"a subscription at {self._state.url} ended; subscribing again {pause}"
            self._state.report("debug", f"{what}: {fault.message}")

    def fail(self, subscription: Subscription, fault: Fault) -> None:
        """Answer the subscription with an error."""
        raw_id = subscription.request.raw_id
        self._state.report("warning", f"{mcp.LISTEN} failed: {fault.message}")
        fault = msgspec.structs.replace(fault, message=self._state.redact(fault.message))
        line = fault.error_line(raw_id, self._state.url)
        self._drop(subscription)
        self._state.commands.append(Deliver(line, None, subscription.request.id, fault, subscription.request))

    def _pass_on(self, subscription: Subscription, note: Notification) -> None:
        if note.method == mcp.ACKNOWLEDGED:
            subscription.opened_at = self._state.now
            if subscription.is_acknowledged:
                return  # The host got one, and knows of no second request.
            subscription.is_acknowledged = True
        else:
            self._on_notification(note)
        if subscription.wire_id != subscription.request.raw_id:
            note = writing.notification(note.method, _relabelled(note.params, subscription))
        self._state.commands.append(Deliver(note.line, note, subscription.request.id))

    def _post_again(self, subscription: Subscription) -> None:
        subscription.wire_id = self._state.fresh_id()
        request = subscription.request
        self._post(subscription, writing.request(subscription.wire_id, request.method, request.params).line)

    def _post(self, subscription: Subscription, line: Octets) -> None:
        exchange = subscription.exchange = ListenExchange(self, subscription)
        subscription.opened_at = None
        number = self._state.begin(exchange)
        self._state.commands.append(Post(number, line, subscription.headers, quiet=subscription.is_acknowledged))

    def _end(self, subscription: Subscription, answer: Response) -> None:
        self._drop(subscription)
        self._state.commands.append(Deliver(answer.line, answer, subscription.request.id))
        self._state.drain(subscription.exchange)

    def _drop(self, subscription: Subscription) -> None:
        subscription.pause.stop()
        del self._by_id[subscription.request.id]


class ListenExchange(Exchange):
    """The request for one stream."""

    def __init__(self, subscriptions: Subscriptions, subscription: Subscription) -> None:
        self._subscriptions = subscriptions
        self._subscription = subscription
        self._answered = False

    def on_event(self, event: EventReceived) -> None:
        data = event.event.data
        if data is not None and event.event.type == b"message" and not self._answered:
            self._answered = self._subscriptions.take(self._subscription, data)

    def on_closed(self, event: StreamClosed) -> None:
        if not self._answered:
            self._subscriptions.again(self._subscription, Fault(ErrorKind.NO_ANSWER, event.reason))

    def on_body(self, event: BodyReceived) -> None:
        subscriptions, subscription = self._subscriptions, self._subscription
        ids = (request_id(subscription.wire_id),)
        judged = response_kind.judge(event, subscriptions.url, ids, in_session=False)
        if judged.kind is ResponseKind.LATER:
            subscriptions.again(subscription, judged.fault, judged.seconds)
        elif judged.kind is ResponseKind.READ:
            if not subscriptions.take(subscription, event.body):
                what = f"answered {mcp.LISTEN} with an invalid response"
                subscriptions.fail(subscription, faults.wrong_answer(subscriptions.url, what))
        elif event.status >= 500 or event.status == 429:
            subscriptions.again(subscription, judged.fault, event.retry_after)
        else:
            subscriptions.fail(subscription, judged.fault)

    def on_failed(self, event: ExchangeFailed) -> None:
        if self._answered:
            return
        fault = Fault(event.cause.kind, event.message, event.hint)
        if event.cause in {Cause.UNREACHABLE, Cause.LOST}:
            self._subscriptions.again(self._subscription, fault)
        else:
            self._subscriptions.fail(self._subscription, fault)


def _relabelled(carrier: Raw, subscription: Subscription) -> bytes:
    """Params or a result in which the subscription has the id that the host gave it."""
    members = writing.members(carrier)
    meta = writing.members(members.get("_meta", Raw()))
    meta[mcp.META_SUBSCRIPTION] = Raw(subscription.request.raw_id)
    members["_meta"] = Raw(msgspec.json.encode(meta))
    return msgspec.json.encode(members)


def _relabelled_result(response: Response, subscription: Subscription) -> Response:
    raw_id = subscription.request.raw_id
    if response.is_error or response.id == subscription.request.id:
        return writing.answering(response, raw_id)
    return writing.result(raw_id, _relabelled(response.result, subscription))
