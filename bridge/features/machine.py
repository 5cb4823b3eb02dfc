"""Stands in front of a server's machine: the host's requests and the server's answers pass through the parts.

| what passes | what happens |
|---|---|
| a request for a list | its answer passes the parts; all pages are read first where the host would read only one |
| a request that uses what a list named | the parts may change or refuse it, and change its result |
| a subscription (`subscriptions/listen`) | the parts may change what it is to |
| anything else | nothing |

A part may need a list that was not read in this run: then the bridge reads it first, and the request waits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from msgspec import Raw

from bridge.features.pages import CHANGES, ListReading, asks_for_first_page
from bridge.features.parts import LISTS, USES, FeatureParts
from bridge.features.passing import OwnReading, PassingRequest
from bridge.protocol import mcp, messages, writing
from bridge.protocol.jsonrpc import Message, Notification, Request, RequestId, Response
from bridge.protocol.writing import Members
from bridge.session import faults
from bridge.session.calls import Batch
from bridge.session.commands import Command, Deliver, Report
from bridge.session.events import Event, HostBatch, HostClosed, HostMessage, ResultSaved
from bridge.session.faults import Fault
from bridge.session.upstream import Machine


class FeatureMachine:
    """A `Machine` in front of another. `fresh()` returns an unguessable text, for ids of the bridge's own."""

    def __init__(self, machine: Machine, parts: FeatureParts, fresh: Callable[[], str]) -> None:
        self._machine = machine
        self._parts = parts
        self._fresh = fresh
        self._passing: dict[RequestId, PassingRequest] = {}
        self._pages: dict[RequestId, PassingRequest] = {}
        self._own: dict[RequestId, OwnReading] = {}
        self._by_method: dict[str, OwnReading] = {}
        self._saving: dict[int, PassingRequest] = {}

    @property
    def busy(self) -> bool:
        """See `Machine`."""
        return self._machine.busy or bool(self._saving)

    @property
    def restorable(self) -> list[Request]:
        """See `Machine`."""
        return self._machine.restorable

    def awaits(self, id_: RequestId) -> bool:
        """See `Machine`."""
        return self._machine.awaits(id_) or self._waits(id_)

    def handle(self, event: Event, now: float) -> list[Command]:
        """See `Machine`."""
        if type(event) is HostMessage:
            return self._from_host(event, now, None)
        if type(event) is HostBatch:
            return self._batch(event, now)
        if type(event) is ResultSaved:
            return self._saved(event)
        commands: list[Command] = []
        if type(event) is HostClosed:
            for number in list(self._saving):
                commands += self._saved(ResultSaved(number, problem="the run ends"))
        return commands + self._to_host(self._machine.handle(event, now), now)

    # -- the host

    def _from_host(self, event: HostMessage, now: float, batch: Batch | None) -> list[Command]:
        message = event.message
        if type(message) is Request:
            if batch is not None or message.method in LISTS or message.method in USES:
                return self._request(event, message, now, batch)
            if message.method == mcp.LISTEN:
                event = self._listen(event, message)
            elif message.method == mcp.INITIALIZE:
                self._parts.context.learn_host(message)
        elif type(message) is Notification and message.method == mcp.CANCELLED and (self._passing or self._own):
            return self._cancel(event, messages.cancelled_request(message.params), now)
        return self._to_host(self._machine.handle(event, now), now)

    def _listen(self, event: HostMessage, request: Request) -> HostMessage:
        changed = request  # It is answered when it ends, if at all, and the parts change nothing in that.
        for part in reversed(self._parts.all):
            changed = part.subscription(changed)
        return event if changed is request else HostMessage(changed, event.version)

    def _request(self, event: HostMessage, request: Request, now: float, batch: Batch | None) -> list[Command]:
        if self._machine.awaits(request.id):
            return self._to_host(self._machine.handle(event, now), now)  # It refuses the id, which is in use.
        if self._waits(request.id):
            return [Deliver(faults.duplicate_id(request.raw_id))]
        context = self._parts.context
        if not context.is_host_known or request.method in LISTS:
            context.learn_host(request)
        passing = PassingRequest(request, batch)
        if request.method in USES:
            for part in self._parts.all:
                if (method := part.needs_list(passing.sent)) and method not in self._parts.lists_read:
                    return self._read_first(method, event, now, batch)
            for part in reversed(self._parts.all):
                changed = part.request(passing.sent)
                if isinstance(changed, Fault):
                    return self._refuse(passing, changed)
                passing.sent = changed
        elif request.method in LISTS:
            whole = self._parts.merges_pages if asks_for_first_page(request) else False
            passing.reading = ListReading(request, LISTS[request.method], whole=whole)
            self._parts.prepare()
        self._passing[request.id] = passing
        if passing.sent is not request:
            event = HostMessage(passing.sent, event.version)
        commands = self._to_host(self._machine.handle(event, now), now)
        if not passing.is_waiting and request.id in self._passing and not self._machine.awaits(request.id):
            del self._passing[request.id]  # The machine took no more requests.
        return commands

    def _refuse(self, passing: PassingRequest, fault: Fault) -> list[Command]:
        request = passing.request
        line = fault.error_line(request.raw_id, self._parts.context.url)
        level = "debug" if fault.kind == faults.SHUTDOWN else "warning"
        told = Report(level, faults.unanswered(request, fault))
        return [told, *self._delivered(passing, Deliver(line, None, request.id, fault, request))]

    def _batch(self, event: HostBatch, now: float) -> list[Command]:
        """A batch with something to do in it is taken apart; its answers go down together, as its sender expects."""
        requests = [message for message in event.messages if isinstance(message, Request)]
        concerned = any(request.method in LISTS or request.method in USES for request in requests)
        if not concerned or any(request.method == mcp.INITIALIZE for request in requests):
            return self._to_host(self._machine.handle(event, now), now)
        ids = {request.id for request in requests}
        if len(ids) < len(requests) or any(self.awaits(id_) for id_ in ids):
            return self._to_host(self._machine.handle(event, now), now)  # It refuses the ids that are in use.
        batch = Batch(len(requests), list(event.errors))
        commands: list[Command] = []
        for message in event.messages:
            commands += self._from_host(HostMessage(message), now, batch)
        return commands

    def _cancel(self, event: HostMessage, id_: RequestId | None, now: float) -> list[Command]:
        """The host cancels a request, which then gets no answer."""
        batches: list[Batch | None] = []
        for own in self._own.values():
            batches += [batch for held, batch in own.waiting if _is_request(held.message, id_)]
            own.waiting = [(held, batch) for held, batch in own.waiting if not _is_request(held.message, id_)]
        passing = None if id_ is None else self._passing.pop(id_, None)
        if passing is not None:
            batches.append(passing.batch)
            if passing.page is not None:
                del self._pages[passing.page]
                event = HostMessage(writing.cancellation(msgspec.json.encode(passing.page)))
            if passing.large is not None:
                del self._saving[passing.large.number]
        commands = self._machine.handle(event, now)
        for batch in batches:
            if batch is not None and (line := batch.add(None)) is not None:
                commands.append(Deliver(line))
        return self._to_host(commands, now)

    # -- the server

    def _to_host(self, commands: list[Command], now: float) -> list[Command]:
        if not self._passing and not self._own:
            return commands
        passed: list[Command] = []
        for command in commands:
            if type(command) is not Deliver:
                passed.append(command)
            elif command.request is not None:
                passed += self._answered(command, command.request.id, now)
            else:
                if type(command.message) is Notification and (changed := CHANGES.get(command.message.method)):
                    self._lists_changed(changed)
                if command.about is not None and (page := self._pages.get(command.about)) is not None:
                    command = msgspec.structs.replace(command, about=page.request.id)
                passed.append(command)
        return passed

    def _answered(self, deliver: Deliver, id_: RequestId, now: float) -> list[Command]:
        response = deliver.message if isinstance(deliver.message, Response) and deliver.fault is None else None
        if (own := self._own.get(id_)) is not None:
            return self._own_answered(own, response, deliver.fault, now)
        passing = self._pages.pop(id_, None) or self._passing.get(id_)
        if passing is None:
            return [deliver]
        passing.page = None
        request = passing.request
        told: Response | Fault | None = response
        if passing.reading is not None:
            if response is None or not self._takes(passing.reading, response):
                if response is not None and (following := passing.reading.take(response, now)) is not None:
                    return self._ask_for_page(passing, following, now)
                if response is None:
                    passing.reading.lost(deliver.fault.message if deliver.fault else "it has no answer")
                told = self._list(passing.reading, response, now)
        else:
            told = self._result(request, response)
        if isinstance(told, Fault):
            del self._passing[request.id]
            return self._refuse(passing, told)
        if told is not None and told is not deliver.message:
            deliver = Deliver(told.line, told, request.id, None, request)
        elif deliver.request is not request:
            deliver = msgspec.structs.replace(deliver, about=request.id, request=request)
        if told is not None and (large := self._parts.too_large(request, told)) is not None:
            passing.large = large
            self._saving[large.number] = passing
            return [large.command]
        del self._passing[request.id]
        return self._delivered(passing, deliver)

    def _saved(self, event: ResultSaved) -> list[Command]:
        """A result that was too large for the host was saved, or could not be."""
        passing = self._saving.pop(event.number, None)
        if passing is None or passing.large is None:
            return []
        request = passing.request
        del self._passing[request.id]
        told = passing.large.told(event, self._parts.context.report)
        return self._delivered(passing, Deliver(told.line, told, request.id, None, request))

    def _result(self, request: Request, response: Response | None) -> Response | None:
        if response is not None and not response.is_error and request.method in USES:
            for part in self._parts.all:
                response = part.result(request, response)
        return response

    def _ask_for_page(self, passing: PassingRequest, page: Request, now: float) -> list[Command]:
        page = self._with_fresh_id(page)
        passing.page = page.id
        self._pages[page.id] = passing
        return self._to_host(self._machine.handle(HostMessage(page), now), now)

    def _with_fresh_id(self, request: Request) -> Request:
        return writing.request(msgspec.json.encode(self._fresh()), request.method, request.params)

    def _delivered(self, passing: PassingRequest, deliver: Deliver) -> list[Command]:
        if passing.batch is None:
            return [deliver]
        line = passing.batch.add(deliver.line)
        return [] if line is None else [Deliver(line)]

    def _lists_changed(self, methods: Sequence[str]) -> None:
        for reading in (passing.reading for passing in self._passing.values()):
            if reading is not None and reading.request.method in methods:
                reading.list_changed()

    def _list(self, reading: ListReading, response: Response | None, now: float) -> Response | Fault | None:
        """The answer to a list request, or why there is none; `response` is the last page, None where there is none."""
        request, items = reading.request, reading.items
        if reading.problem:
            self._parts.context.report("warning", f"{request.method}: {reading.problem}; what was read before is used")
        if items is None:
            return response
        if reading.has_odd_end:
            said = f"{request.method}: the server ended the list with a null or empty nextCursor; it was left out"
            self._parts.context.report_once("info", request.method, said)
        if reading.is_merged:
            said = f"{request.method}: the {reading.pages} pages of the list were merged, and the host got one answer"
            self._parts.context.report_once("info", request.method, said)
        shown = self._shown(request.method, items)
        if isinstance(shown, Fault):
            return shown
        if reading.is_at_end:
            self._ended(request.method)
        if shown is items and not reading.is_mended:
            return response
        return writing.result(request.raw_id, reading.result(shown, now))

    def _takes(self, reading: ListReading, response: Response) -> bool:
        """Whether the first page is the whole list, and no part changes anything in it."""
        method, parts = reading.request.method, self._parts.all
        if response.is_error or not parts or not reading.is_untouched:
            return False
        if not all(part.takes(method, response.result) for part in parts):
            return False
        self._ended(method)
        return True

    def _shown(self, method: str, items: list[Raw]) -> list[Raw] | Fault:
        for part in self._parts.all:
            shown = part.listed(method, items)
            if isinstance(shown, Fault):
                return shown
            items = shown
        return items

    def _ended(self, method: str) -> None:
        self._parts.lists_read.add(method)
        for part in self._parts.all:
            part.whole(method)

    # -- lists that the bridge reads for itself

    def _read_first(self, method: str, event: HostMessage, now: float, batch: Batch | None) -> list[Command]:
        """Let a request wait until a list was read."""
        if (own := self._by_method.get(method)) is not None:
            own.waiting.append((event, batch))
            return []
        meta: Members = {}
        if isinstance(event.message, Request):
            meta = writing.members(writing.members(event.message.params).get("_meta", Raw()))
            meta.pop("progressToken", None)
        params = msgspec.json.encode({"_meta": meta}) if meta else b"{}"
        request = self._with_fresh_id(writing.request(b"0", method, params))
        own = OwnReading(request.id, ListReading(request, LISTS[method], whole=True))
        own.waiting.append((event, batch))
        self._own[own.id] = self._by_method[method] = own
        return self._to_host(self._machine.handle(HostMessage(request), now), now)

    def _own_answered(
        self, own: OwnReading, response: Response | None, fault: Fault | None, now: float
    ) -> list[Command]:
        del self._own[own.id]
        if response is not None and (following := own.reading.take(response, now)) is not None:
            page = self._with_fresh_id(following)
            own.id = page.id
            self._own[page.id] = own
            return self._to_host(self._machine.handle(HostMessage(page), now), now)
        method = own.reading.request.method
        del self._by_method[method]
        if own.reading.items is not None:
            self._shown(method, own.reading.items)
        if own.reading.is_at_end:
            self._ended(method)
        self._parts.lists_read.add(method)  # Also where it failed: the next request is sent as it is.
        commands: list[Command] = []
        for event, batch in own.waiting:
            if fault is not None and isinstance(event.message, Request):
                commands += self._refuse(PassingRequest(event.message, batch), fault)
            else:
                commands += self._from_host(event, now, batch)
        return commands

    def _waits(self, id_: RequestId) -> bool:
        return id_ in self._passing or any(
            _is_request(event.message, id_) for own in self._own.values() for event, _ in own.waiting
        )


def _is_request(message: Message, id_: RequestId | None) -> bool:
    return isinstance(message, Request) and message.id == id_
