"""Who answers the host in time while somebody has to sign in: stands before `Pairing`, and is silent most of the time.

Once a request of the host's has waited for `answer_within` seconds for a person, or nobody is asked though it would be
necessary, the host is *received* here, until the server lets it in:

| the host sends | at first | in the middle of a session |
|---|---|---|
| `initialize`, `server/discover` | a provisional answer; the server's own is swallowed | |
| `tools/list` | the tool `sign_in` | the same; if nobody is asked, the server may say otherwise |
| another list | an empty one | it waits for the server |
| `ping` | an answer | an answer |
| a call of `sign_in` | see `sign_in_calls` | the same |
| a call of another tool | it waits; with no browser open for the sign-in it is answered with what to do | the same |
| `subscriptions/listen` | an early acknowledgment | the same |
| anything else | legacy: it is held until the server has answered `initialize`; modern: it waits for the server | it waits |

When somebody has signed in, what is still wanted of the server is asked of it, what was held follows, and the host is
told that its lists changed. If that fails, the calls of `sign_in` say why, and the next one tries again.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from bridge.protocol import jsonrpc, mcp, writing
from bridge.protocol.jsonrpc import Message, Notification, Octets, Request, RequestId, Response
from bridge.session import faults, provisional, sign_in_calls, sign_in_tool
from bridge.session.commands import CancelTimer, Command, Report, SendToHost, SetTimer, SignIn
from bridge.session.deaf_hosts import ignores_list_changed
from bridge.session.early_listens import EarlyListens
from bridge.session.events import (
    Event,
    HostBatch,
    HostClosed,
    HostMessage,
    SignInEnded,
    SignInShown,
    SignInStarted,
    TimerFired,
)
from bridge.session.pairing import Pairing, is_modern
from bridge.session.provisional import Guest
from bridge.session.sign_in_calls import SignInCalls
from bridge.session.sign_in_tool import Standing
from bridge.session.unanswered import Unanswered

_TIMER = ("reception", 0)
_MAX_HELD = 4096
_IN_USE = "This id is in use by a request that has no answer yet."
_UNAUTHORIZED = "unauthorized"
_TOOL_BYTES = b'"%b"' % sign_in_tool.NAME.encode()
_OURS = frozenset({HostMessage, HostBatch, HostClosed, SignInStarted, SignInShown, SignInEnded, TimerFired})


class Reception:
    """Takes the events that `Pairing` would take, and gives commands as it does.

    `answer_within` in seconds; None: the host waits with the bridge, whatever happens. `redact` takes secrets out of a
    text, `fresh()` gives one that nobody can guess. `url` is the server's.
    """

    def __init__(
        self,
        pairing: Pairing,
        answer_within: float | None,
        redact: Callable[[str], str] = str,
        *,
        url: str,
        fresh: Callable[[], str],
    ) -> None:
        self._pairing = pairing
        self._answer_within = answer_within
        self._redact = redact
        self._now = 0.0
        self._commands: list[Command] = []
        self._then: list[Callable[[], None]] = []
        self._standing = Standing(url)
        self._unanswered = Unanswered(pairing.awaits)
        self._listens = EarlyListens(pairing.awaits)
        self._calls = SignInCalls(self._standing, self._do, fresh)
        self._guest: Guest | None = None
        self._is_served = False
        self._is_timed = False
        self._is_receiving = False
        self._has_asked_for_tab = False
        self._swallowed: dict[RequestId, Request] = {}
        self._introductions: dict[str, Request] = {}
        self._held: list[Message] = []
        self._lacks: dict[bool, frozenset[str]] = {}
        self._owed: tuple[str, ...] = ()
        self._shows_tool = False
        self._listing: set[RequestId] = set()

    @property
    def busy(self) -> bool:
        """Whether the host waits for an answer."""
        if self._calls.is_busy or any(isinstance(message, Request) for message in self._held):
            return True
        return bool(self._unanswered.awaited()) if self._swallowed else self._pairing.busy

    @property
    def host_name(self) -> str:
        """What the host calls itself; empty before it has."""
        return self._pairing.host_name

    def handle(self, event: Event, now: float) -> list[Command]:
        """Take an event at time `now` (seconds, monotonic) and return what to do, in order."""
        if self._answer_within is None:
            return self._pairing.handle(event, now)
        self._now = self._standing.now = now
        if type(event) in _OURS:
            self._take(event)
        else:
            self._pass(event)
        while self._then:
            self._then.pop(0)()
        commands = self._commands[:]
        self._commands.clear()
        return commands

    def _take(self, event: Event) -> None:
        if isinstance(event, HostMessage):
            self._from_host(event.message)
        elif isinstance(event, HostBatch) and self._is_involved:
            for line in event.errors:
                self._tell(line)
            for message in event.messages:
                self._from_host(message)
        elif isinstance(event, SignInStarted):
            self._started(event)
        elif isinstance(event, SignInShown):
            self._shown(event)
        elif isinstance(event, SignInEnded):
            self._ended(event)
        elif isinstance(event, TimerFired) and event.timer == _TIMER:
            self._is_timed = False
            self._watch_the_clock()
        elif isinstance(event, TimerFired) and event.timer[0] == sign_in_calls.TIMER:
            self._calls.on_timer(event.timer[1])
        elif isinstance(event, HostClosed):
            self._close(event)
        else:
            self._pass(event)

    @property
    def _is_involved(self) -> bool:
        """Whether a message of the host's may concern anybody here."""
        return self._is_receiving or self._shows_tool or bool(self._swallowed or self._lacks)

    @property
    def _is_at_door(self) -> bool:
        """Whether the legacy host was answered here, and not by the server yet."""
        return mcp.INITIALIZE in self._introductions

    # -- how the sign-in goes

    def _started(self, event: SignInStarted) -> None:
        self._standing.begin()
        self._has_asked_for_tab = False
        self._pass(event)
        if self._is_receiving:
            self._answer_waiting()
        else:
            self._watch_the_clock()

    def _shown(self, event: SignInShown) -> None:
        if self._standing.is_under_way:
            self._standing.show(event)
            self._calls.shown()
            if self._is_receiving and self._standing.needs_hands:
                self._answer_waiting()
                self._release_tool_calls()

    def _ended(self, event: SignInEnded) -> None:
        self._standing.end(self._redact(event.problem))
        if self._is_timed:
            self._is_timed = False
            self._do(CancelTimer(_TIMER))
        self._pass(event)
        if not self._is_receiving:
            return
        if event.problem:
            self._fail()
        else:
            self._then.append(self._let_in)

    def _watch_the_clock(self) -> None:
        """Receive the host once something has waited for long enough; till then, be woken for it."""
        if self._is_receiving or self._is_timed or not self._standing.is_under_way:
            return
        began = self._unanswered.oldest()
        if began is None or self._answer_within is None:
            return
        left = began + self._answer_within - self._now
        if left > 0.001:
            self._is_timed = True
            self._do(SetTimer(_TIMER, left))
        elif any(self._may_answer(request) for request in self._unanswered.awaited()):
            self._receive()

    def _receive(self) -> None:
        """From now on the host is answered here."""
        self._is_receiving = True
        self._listing.clear()
        known = self._guest is not None and self._guest.is_received and self._may_answer(self._guest.request)
        self._answer_waiting()
        for line in self._listens.changed(("tools",)):
            self._tell(line)
        if known:
            self._say_changed(("tools",))
        for line in self._listens.acknowledge(self._may_answer):
            self._tell(line)

    def _answer_waiting(self) -> None:
        """Answer whatever of the host's requests can be."""
        for request in self._unanswered.awaited():
            if (line := self._answer(request)) is not None:
                self._tell(line)
                self._unanswered.pop(request.id)
                if request.method == mcp.TOOLS_CALL:
                    reason = msgspec.json.encode("it waits for a sign-in")
                    self._pass(HostMessage(writing.cancellation(request.raw_id, reason)))
                if self._pairing.awaits(request.id):
                    self._swallowed[request.id] = request

    def _release_tool_calls(self) -> None:
        """Those that were held get their answer, too."""
        held, self._held = self._held, []
        for message in held:
            line = self._answer(message) if isinstance(message, Request) else None
            if line is None:
                self._held.append(message)
            else:
                self._tell(line)

    def _fail(self) -> None:
        """Nobody is signed in, and nobody is asked; or the server took it and opened no session all the same."""
        held, self._held = self._held, []
        for message in held:
            if isinstance(message, Request):
                self._refuse(message)
            else:
                self._held.append(message)
        self._calls.end(sign_in_tool.failed(self._standing), is_error=True)

    def _let_in(self) -> None:
        """Somebody has signed in: the server is asked what was answered without it, and then the host is told."""
        if not self._is_receiving or self._standing.is_under_way:
            return
        self._standing.problem = self._standing.trouble = ""
        for request in [*self._introductions.values(), *self._listens.lost()]:
            if not self._pairing.awaits(request.id):
                if request.id not in self._listens:
                    self._swallowed[request.id] = request
                self._pass(HostMessage(request))
        if not self._is_at_door:
            self._is_receiving = False
            kinds = provisional.KINDS if self._lacks or not self._is_served else ("tools",)
            self._say_changed(kinds)
            for line in self._listens.changed(kinds):
                self._tell(line)
            self._calls.end(sign_in_tool.done(self._standing), is_error=False)

    # -- the host

    def _from_host(self, message: Message) -> None:
        if isinstance(message, Request):
            if self._is_involved:
                self._route(message)
            else:
                self._up(message)
            return
        if isinstance(message, Notification) and message.method == mcp.INITIALIZED and self._guest:
            self._guest.is_initialized = True
        if self._is_involved and self._take_note(message):
            return
        self._pass(HostMessage(message))
        if self._owed and self._guest and self._guest.is_initialized:
            owed, self._owed = self._owed, ()
            self._say_changed(owed)

    def _take_note(self, message: Notification | Response) -> bool:
        """Whether a notification or an answer is for nobody but this."""
        if isinstance(message, Response) and self._calls.take(message):
            return True
        if isinstance(message, Notification) and message.method == mcp.CANCELLED:
            return self._cancel(mcp.cancelled_request(message.params))
        if self._is_at_door:
            self._hold(message)
            return True
        return False

    def _cancel(self, id_: RequestId | None) -> bool:
        held = [message for message in self._held if isinstance(message, Request) and message.id == id_]
        if id_ is None or id_ in self._swallowed:
            return True  # It was answered, and what is still under way is wanted.
        if id_ in self._calls:
            self._calls.cancel(id_)
            return True
        if held:
            self._held = [message for message in self._held if message not in held]
            return True
        if id_ in self._listens and (line := self._listens.cancel(id_)) is not None:
            self._tell(line)
            return True
        return self._is_at_door and not self._pairing.awaits(id_)

    def _route(self, request: Request) -> None:
        """A request that comes while the host is received, or afterwards."""
        modern = is_modern(request)
        if request.id in self._calls or (request.id in self._swallowed and request.method != mcp.INITIALIZE):
            self._tell(faults.bad_input(request.raw_id, _IN_USE))
        elif request.method == mcp.TOOLS_CALL and self._is_sign_in(request):
            self._sign_in(request, modern)
        elif not self._is_receiving and request.method in self._lacks.get(modern, ()):
            self._tell(provisional.empty(request, self._standing, is_modern=modern))
        elif not self._is_receiving or not (modern or self._is_at_door or request.method == mcp.INITIALIZE):
            self._route_in_session(request)
        elif request.method in {mcp.INITIALIZE, mcp.DISCOVER}:
            self._introduce(request)
        elif (line := self._answer(request)) is not None:
            self._tell(line)
        elif not modern:
            self._hold(request)
        else:
            self._up(request)

    def _route_in_session(self, request: Request) -> None:
        """The server knows this host, or nobody is signing in."""
        is_open_question = not self._standing.is_under_way and request.method != mcp.PING
        line = self._answer(request) if self._is_receiving and not is_open_question else None
        if line is not None:
            self._tell(line)
            return
        if self._shows_tool and not self._is_receiving and request.method == mcp.TOOLS_LIST:
            self._listing.add(request.id)
        self._up(request)

    def _introduce(self, request: Request) -> None:
        """A host that begins while it can only be received."""
        is_asked = self._pairing.awaits(request.id)
        if not is_asked:
            self._up(request)
        elif request.method == mcp.INITIALIZE:
            self._guest = Guest(request)
        if not is_asked and self._unanswered.pop(request.id) is None:
            return  # It was answered just now.
        if (line := self._answer(request)) is not None:
            self._tell(line)
            if self._pairing.awaits(request.id):
                self._swallowed[request.id] = request

    def _up(self, request: Request) -> None:
        """A request on its way to the server."""
        if request.method == mcp.LISTEN:
            self._listens.open(request)
        else:
            self._unanswered.enter(request, self._now)
            if request.method == mcp.INITIALIZE:
                self._begin(request)
        self._pass(HostMessage(request))
        if self._is_receiving and request.method == mcp.LISTEN:
            for line in self._listens.acknowledge(self._may_answer):
                self._tell(line)
        elif self._standing.is_under_way:
            self._watch_the_clock()

    def _begin(self, initialize: Request) -> None:
        """A legacy host opens: whatever it was told before is of no interest."""
        self._guest = Guest(initialize)
        self._is_served = False
        self._owed = ()
        self._lacks.pop(False, None)
        held, self._held = self._held, []
        for message in held:
            if isinstance(message, Request):
                self._refuse(message)

    def _hold(self, message: Message) -> None:
        if len(self._held) < _MAX_HELD:
            self._held.append(message)
        elif isinstance(message, Request):
            self._tell(faults.too_many(len(self._held)).error_line(message.raw_id, self._standing.server_url))

    # -- the tool

    def _is_sign_in(self, request: Request) -> bool:
        known = self._is_receiving or self._shows_tool
        return known and mcp.named(request.params) == sign_in_tool.NAME and self._may_answer(request)

    def _sign_in(self, request: Request, modern: bool) -> None:
        standing = self._standing
        if not self._is_receiving and not standing.is_under_way:
            text = f"Already signed in to {standing.server}; its tools are there."
            self._tell(provisional.tool_result(request, text, standing, is_modern=modern))
            return
        if not self._is_receiving:
            self._receive()
        asks = provisional.can_open_urls(request) if modern else self._guest is not None and self._guest.can_open_urls
        if not self._calls.begin(request, is_modern=modern, asks=asks):
            return
        initialize = self._introductions.get(mcp.INITIALIZE)
        if standing.is_under_way:
            if standing.needs_hands and not self._has_asked_for_tab:
                self._has_asked_for_tab = True
                self._do(SignIn())
        elif standing.trouble:
            self._let_in()
        elif initialize is None or not self._pairing.awaits(initialize.id):
            self._do(SignIn())
        self._calls.shown()

    # -- answers of this house

    def _may_answer(self, request: Request) -> bool:
        """Whether the host that asks this can be answered here."""
        if is_modern(request):
            if mcp.stamped_version(request.params) not in mcp.MODERN_VERSIONS:
                return False
            return not ignores_list_changed(mcp.stamped_client_program(request.params))
        return self._guest is not None and not ignores_list_changed(self._guest.program)

    def _answer(self, request: Request) -> Octets | None:
        """What a request can be answered with now; None where it has to wait."""
        if not self._may_answer(request):
            return None
        standing, method, modern = self._standing, request.method, is_modern(request)
        if method in {mcp.INITIALIZE, mcp.DISCOVER}:
            self._introductions[method] = request
            if self._guest is not None and method == mcp.INITIALIZE:
                self._guest.version = provisional.version(request)
            return provisional.introduction(request, standing)
        if method == mcp.TOOLS_LIST:
            self._shows_tool = True
            return provisional.sign_in_only(request, standing, is_modern=modern)
        is_at_first = not self._is_served if modern else self._is_at_door
        if (method in provisional.LISTS and is_at_first) or (method == mcp.PING and not modern):
            return provisional.empty(request, standing, is_modern=modern)
        if method == mcp.TOOLS_CALL and (standing.needs_hands or not standing.is_under_way):
            return self._unavailable(request, modern)
        return None

    def _unavailable(self, request: Request, modern: bool) -> Octets:
        text = sign_in_tool.unavailable(self._standing)
        return provisional.tool_result(request, text, self._standing, is_modern=modern, is_error=True)

    def _refuse(self, request: Request) -> None:
        """Answer a request that was held, and will not be sent."""
        if request.method == mcp.TOOLS_CALL:
            self._tell(self._unavailable(request, False))
        else:
            fault = faults.not_signed_in(self._standing.server_url, self._standing.what_to_do())
            self._tell(fault.error_line(request.raw_id, self._standing.server_url))

    def _say_changed(self, kinds: tuple[str, ...]) -> None:
        """Tell the legacy host that lists changed, as soon as it listens."""
        if self._guest is None or not self._guest.version:
            return
        if not self._guest.is_initialized:
            self._owed = kinds
            return
        for kind in kinds:
            self._tell(writing.notification(f"notifications/{kind}/list_changed").line)

    # -- what Pairing says

    def _pass(self, event: Event) -> None:
        commands = self._pairing.handle(event, self._now)
        if self._is_reading:
            for command in commands:
                if not isinstance(command, SendToHost) or self._is_for_host(command.line):
                    self._do(command)
        else:
            self._commands += commands

    @property
    def _is_reading(self) -> bool:
        """Whether what goes to the host has to be looked at."""
        return (
            self._is_receiving
            or not self._is_served
            or bool(self._swallowed or self._listing or self._standing.problem)
            or self._listens.is_unsettled
        )

    def _is_for_host(self, line: Octets) -> bool:
        try:
            message = jsonrpc.parse(line)
        except ValueError:
            return True  # A batch: what is in it was asked for before anybody had to sign in.
        if isinstance(message, Response):
            return self._is_answer_for_host(message)
        if isinstance(message, Notification) and message.method == mcp.ACKNOWLEDGED:
            return self._listens.acknowledged(message)
        return True

    def _is_answer_for_host(self, response: Response) -> bool:
        id_ = response.id
        if id_ in self._listing:
            self._listing.discard(id_)
            # The server has a tool of that name, so calls of it are the server's.
            self._shows_tool = self._shows_tool and (response.is_error or _TOOL_BYTES not in response.line)
        if not response.is_error and self._is_standing_still:
            self._then.append(self._heal)
        if id_ is not None and (request := self._swallowed.pop(id_, None)) is not None:
            self._take_late(request, response)
            return False
        is_refusal = response.is_error and _kind(response) == _UNAUTHORIZED
        if id_ in self._listens:
            return self._listens.answered(response, is_refusal=is_refusal)
        asked = self._unanswered.pop(id_)
        if not response.is_error:
            self._note_result(asked, response)
        elif asked is not None and is_refusal and self._standing.has_failed and self._may_answer(asked):
            return not self._answer_instead(asked)
        return True

    @property
    def _is_standing_still(self) -> bool:
        """Whether nobody is asked, though somebody would have to sign in for all that is known here."""
        return self._standing.has_failed

    def _heal(self) -> None:
        """The server answered with a result: it does let the host in."""
        if not self._standing.is_under_way:
            self._standing.problem = ""
            self._let_in()

    def _note_result(self, asked: Request | None, response: Response) -> None:
        """The first result shows that the host is served; that of `initialize`, in which revision."""
        self._is_served = True
        if asked is not None and asked.method == mcp.INITIALIZE and self._guest is not None:
            said = mcp.initialize_result(response.result)
            self._guest.version = said.protocol_version if said else ""
            self._guest.is_received = True
            self._shows_tool = False

    def _answer_instead(self, asked: Request) -> bool:
        """A request was refused for want of a sign-in: say what helps more, if there is anything."""
        if not self._is_receiving:
            self._receive()
        line = self._answer(asked)
        if line is None:
            return False
        self._tell(line)
        return True

    def _take_late(self, request: Request, response: Response) -> None:
        """The server's answer to what was answered here."""
        if self._introductions.get(request.method) is not request:
            return
        if not response.is_error:
            del self._introductions[request.method]
            modern = request.method == mcp.DISCOVER
            self._lacks[modern] = provisional.missing(response.result)
            if not modern:
                self._then.append(lambda: self._open(response))
        elif request.method == mcp.INITIALIZE and not self._standing.has_failed and not self._standing.is_under_way:
            why = self._redact(faults.server_message(response.line))
            if _kind(response) == _UNAUTHORIZED:
                self._standing.problem = why
            else:
                self._standing.trouble = why or "it answered initialize with an error"
            self._fail()

    def _open(self, response: Response) -> None:
        """The server answered the host's `initialize`: what was held follows."""
        guest, held = self._guest, self._held
        said = mcp.initialize_result(response.result)
        if guest is not None:
            guest.is_received = True
            if said and said.protocol_version != guest.version:
                text = f"{self._standing.server_url} speaks {said.protocol_version}; the host was told {guest.version}"
                self._do(Report("warning", text))
        self._held = []
        for message in held:
            if isinstance(message, Request):
                self._up(message)
            else:
                self._pass(HostMessage(message))
        self._let_in()

    # -- the end

    def _close(self, event: HostClosed) -> None:
        url = self._standing.server_url
        self._pass(event)
        fault = faults.shut_down(url, "")
        for request in [*(m for m in self._held if isinstance(m, Request)), *self._listens.lost()]:
            self._tell(fault.error_line(request.raw_id, url))
        self._held = []
        self._calls.close()
        self._answer_within = None  # Whatever comes now is Pairing's, which does no more.

    def _tell(self, line: Octets) -> None:
        self._do(SendToHost(line))

    def _do(self, command: Command) -> None:
        self._commands.append(command)


class _Data(msgspec.Struct, frozen=True):
    kind: str = ""
    source: str = ""


class _Error(msgspec.Struct, frozen=True):
    data: _Data | None = None


def _kind(response: Response) -> str:
    """The kind of an error of the bridge's own; empty for any other."""
    try:
        data = msgspec.json.decode(response.error, type=_Error).data
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return data.kind if data and data.source == "mcp-remote-bridge" else ""
