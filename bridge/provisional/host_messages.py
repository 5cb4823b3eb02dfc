"""What happens to each message of the host while the bridge answers it, and afterwards (see `provisional_server`)."""

from __future__ import annotations

from bridge.protocol import client_meta, mcp, messages
from bridge.protocol.jsonrpc import Notification, Request, RequestId, Response
from bridge.provisional import provisional_results, sign_in_tool
from bridge.provisional.answer_deadline import AnswerDeadline
from bridge.provisional.port import ProvisionalPort
from bridge.provisional.provisional_session import ProvisionalSession
from bridge.provisional.sign_in_calls import SignInCalls
from bridge.provisional.sign_in_tool import SignInStatus
from bridge.session import faults
from bridge.session.commands import OpenSignIn
from bridge.session.events import HostMessage


class HostMessages:
    """Routes the messages. `can_ask`: no browser was asked for yet in this sign-in."""

    def __init__(
        self,
        status: SignInStatus,
        calls: SignInCalls,
        session: ProvisionalSession,
        deadline: AnswerDeadline,
        port: ProvisionalPort,
    ) -> None:
        self._status = status
        self._calls = calls
        self._session = session
        self._deadline = deadline
        self._port = port
        self.can_ask = True

    def take(self, event: HostMessage) -> None:
        """Answer a message, hold it back, or pass it on."""
        session, host = self._session, self._session.state.host
        match event.message:
            case Request() as request if session.is_involved:
                self._route(request)
            case Request() as request:
                self._pass_on(request)
            case message if session.is_involved and self._keeps(message):
                pass
            case _:
                self._port.pass_on(event)
        match event.message:
            case Notification(method=mcp.INITIALIZED) if host:
                self._port.tell(*host.initialized())

    def _keeps(self, message: Notification | Response) -> bool:
        """Whether a notification or an answer goes no further now."""
        match message:
            case Response() if self._calls.take(message):
                return True
            case Notification(method=mcp.CANCELLED):
                return self._cancel(messages.cancelled_request(message.params))
        if self._session.state.is_provisional:
            self._session.held.hold(message)
        return self._session.state.is_provisional

    def _cancel(self, id_: RequestId | None) -> bool:
        """Cancel a request; return whether the server's side is not to hear of it."""
        session = self._session
        if id_ is None:
            return session.state.is_provisional
        if id_ in session.filter or session.held.drop(id_):
            return True  # A request that is answered already still has to reach the server.
        if id_ in self._calls:
            self._calls.cancel(id_)
            return True
        if id_ in session.subscriptions and (line := session.subscriptions.cancel(id_)) is not None:
            self._port.tell(line)
            return True
        return session.state.is_provisional and not self._port.awaiting.awaits(id_)

    def _route(self, request: Request) -> None:
        """A request that comes while the bridge answers the host, or afterwards: the table in `provisional_server`."""
        session, method, modern = self._session, request.method, client_meta.is_modern(request)
        state, status = session.state, self._status
        is_opening = session.is_active and method in {mcp.INITIALIZE, mcp.DISCOVER}
        if not session.is_active and session.filter.is_repeated(request):
            session.filter.forget(request.id)
            session.pending.enter(request, status.now)
            self._deadline.watch()
        elif request.id in self._calls or (request.id in session.filter and not is_opening):
            self._port.tell(faults.duplicate_id(request.raw_id))
        elif method == mcp.TOOLS_CALL and self._is_sign_in(request):
            self._call_sign_in(request, modern)
        elif is_opening:
            self._open(request)
        elif (line := state.empty_list(request)) is not None:
            self._port.tell(line)
        elif not session.is_active:
            state.ask_server(request)
            self._pass_on(request)
        elif state.is_connected(modern=modern) and not status.is_under_way and method != mcp.PING:
            self._pass_on(request)  # No sign-in is in progress: the server says whether one is needed.
        elif (line := state.answer(request)) is not None:
            self._port.tell(line)
        elif modern or not state.is_provisional:
            self._pass_on(request)
        elif status.has_failed:
            self._port.tell(state.refusal(request))
        else:
            session.held.hold(request)

    def _open(self, request: Request) -> None:
        """An `initialize` or `server/discover` that comes while the bridge answers the host."""
        session = self._session
        if request.id in session.filter:
            if request.method == mcp.INITIALIZE:
                session.open_session(request)
        else:
            self._pass_on(request)
            if request.id not in session.pending:
                return  # It was answered at once.
        session.answer_opening(request)

    def _pass_on(self, request: Request) -> None:
        """Send a request towards the server."""
        session = self._session
        if request.method == mcp.LISTEN:
            session.subscriptions.open(request)
        else:
            session.pending.enter(request, self._status.now)
        if request.method == mcp.INITIALIZE:
            session.open_session(request)
        self._port.pass_on(HostMessage(request))
        if session.is_active and request.method == mcp.LISTEN:
            self._port.tell(*session.subscriptions.acknowledge(session.state.may_answer))
        elif self._status.is_under_way:
            self._deadline.watch()

    # -- the tool

    def _is_sign_in(self, request: Request) -> bool:
        state = self._session.state
        is_known = self._session.is_active or state.shows_tool
        return is_known and messages.named(request.params) == sign_in_tool.NAME and state.may_answer(request)

    def _call_sign_in(self, request: Request, modern: bool) -> None:
        status, session, state = self._status, self._session, self._session.state
        status.product = state.product_of(request)
        state.shows_tool = True
        if not session.is_active and not status.is_under_way:
            text = sign_in_tool.done_before(status)
            self._port.tell(provisional_results.tool_result(request, text, status, is_modern=modern))
            return
        if not session.is_active:
            session.begin()
        asks = (
            provisional_results.can_open_urls(request)
            if modern
            else state.host is not None and provisional_results.host_can_open_urls(state.host)
        )
        quirks = state.quirks_of(request)
        seconds = quirks.answer_call_by or sign_in_tool.WAIT_SECONDS
        if not self._calls.begin(request, is_modern=modern, asks=asks and quirks.opens_links, seconds=seconds):
            return
        initialize = state.openings.get(mcp.INITIALIZE)
        if status.is_under_way:
            if status.needs_user and self._start_sign_in():
                return  # A browser opens, or the link is shown: `SignInShown` tells.
        elif status.trouble:
            session.hand_over()
        elif status.problem or initialize is None or not self._port.awaiting.awaits(initialize.id):
            # The failure of a sign-in may be known before the request that needed it has ended.
            self._start_sign_in()
        self._calls.link_changed()

    def _start_sign_in(self) -> bool:
        """Ask for a sign-in in a browser, once for each sign-in; return whether this was the one time."""
        if not self.can_ask:
            return False
        self.can_ask = False
        self._port.do(OpenSignIn())
        return True
