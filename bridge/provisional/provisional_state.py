"""What the host was told in the server's place, and what it can be told now (see `provisional_server`).

An `initialize` is *provisional* while the bridge has answered it and the server has not.
"""

from __future__ import annotations

from bridge.errors import METHOD_NOT_FOUND
from bridge.protocol import client_meta, mcp, messages
from bridge.protocol.client_meta import is_modern
from bridge.protocol.hosts import Host, host_named, product_name
from bridge.protocol.jsonrpc import Octets, Request, RequestId, Response
from bridge.protocol.sanitize import shown
from bridge.provisional import provisional_results, sign_in_tool
from bridge.provisional.host_state import HostMemory, HostState
from bridge.provisional.sign_in_tool import SignInStatus
from bridge.session import faults

_LONGEST_PRODUCT = 60
_NO_DISCOVERY = "server/discover is not offered before the user has signed in. Open with initialize."
_TOOL = b'"%b"' % sign_in_tool.NAME.encode()


class ProvisionalState:
    """The state.

    `memory` is what is remembered of the host. `gave_lists`: the host was told of lists that are not the server's.
    `shows_tool`: the host knows the tool `sign_in`, and the server has no tool of that name. `is_out_of_time`: the host
    gives up now, and is answered although it never asks for its lists again. `openings` holds, by method, the
    `initialize` and `server/discover` that only the bridge has answered.
    """

    def __init__(self, status: SignInStatus, memory: HostMemory) -> None:
        self._status = status
        self.memory = memory
        self.gave_lists = False
        self.shows_tool = False
        self.is_out_of_time = False
        self.openings: dict[str, Request] = {}
        self._lacks: dict[bool, frozenset[str]] = {}
        self._listing: set[RequestId] = set()

    @property
    def host(self) -> HostState | None:
        """The legacy host, None before it sent `initialize`."""
        return self.memory.host

    @property
    def is_provisional(self) -> bool:
        """Whether the host's `initialize` is provisional."""
        return mcp.INITIALIZE in self.openings

    @property
    def has_told_host(self) -> bool:
        """Whether later messages of the host may be about what the bridge told it."""
        return self.shows_tool or bool(self._lacks)

    @property
    def needs_answers(self) -> bool:
        """Whether the server's answers have to be read."""
        return self.memory.needs_answers or bool(self._listing)

    def is_connected(self, *, modern: bool) -> bool:
        """Whether the server has answered the host of this era."""
        return self.memory.is_served if modern else not self.is_provisional

    # -- answers

    def program_of(self, request: Request) -> str:
        """The `clientInfo.name` of the host that sent this request."""
        return client_meta.asking_program(request.method, request.params) or (self.host.program if self.host else "")

    def quirks_of(self, request: Request) -> Host:
        """The row of `protocol/hosts` for the host that sent this request."""
        return host_named(self.program_of(request))

    def product_of(self, request: Request) -> str:
        """What users call the host that sent this request."""
        return shown(product_name(self.program_of(request)), _LONGEST_PRODUCT) or "the host"

    def may_answer(self, request: Request) -> bool:
        """Whether the bridge may answer this request: the host's version is known, and it asks for changed lists again.

        A host that does not ask again is answered too once it `is_out_of_time`.
        """
        if is_modern(request):
            is_known = client_meta.meta_version(request.params) in mcp.MODERN_VERSIONS
        else:
            is_known = self.host is not None
        return is_known and (self.is_out_of_time or self.quirks_of(request).lists_again)

    def answer(self, request: Request) -> Octets | None:
        """The answer that the bridge gives to a request now; None where the request has to wait."""
        if not self.may_answer(request):
            return None
        status, method, modern = self._status, request.method, is_modern(request)
        if method == mcp.DISCOVER and not self.quirks_of(request).listens:
            # After `server/discover` this host does not subscribe to changes; after `initialize` it hears of them.
            return faults.bad_input(request.raw_id, _NO_DISCOVERY, METHOD_NOT_FOUND)
        if method in {mcp.INITIALIZE, mcp.DISCOVER}:
            return self._introduce(request)
        if method == mcp.TOOLS_LIST:
            self.shows_tool = True
            return provisional_results.sign_in_only(request, status, is_modern=modern)
        if method in provisional_results.LISTS and not self.is_connected(modern=modern):
            self.gave_lists = True
            return provisional_results.empty(request, status, is_modern=modern)
        if method == mcp.PING and not modern:
            return provisional_results.empty(request, status, is_modern=False)
        if method == mcp.TOOLS_CALL and (status.needs_user or not status.is_under_way):
            return self._unavailable(request)
        return None

    def refusal(self, request: Request) -> Octets:
        """The error for a request that waited for a sign-in and will not be sent."""
        if request.method == mcp.TOOLS_CALL:
            return self._unavailable(request)
        status = self._status
        why, needs_change = status.what_to_do(), status.needs_change and status.has_failed
        fault = faults.not_signed_in(status.server_url, why, needs_change=needs_change)
        return fault.error_line(request.raw_id, status.server_url)

    def link_error(self, request: Request) -> Octets:
        """The error for a request of a host that is about to give up: it shows the user the link."""
        status = self._status
        if request.method == mcp.TOOLS_CALL:
            text = sign_in_tool.unavailable_here(status)
            return provisional_results.tool_result(request, text, status, is_modern=is_modern(request), is_error=True)
        fault = faults.sign_in_needed(sign_in_tool.asking_in_words(status, self.product_of(request)))
        return fault.error_line(request.raw_id, status.server_url)

    def empty_list(self, request: Request) -> Octets | None:
        """The empty list, where the host was told of a list that the server does not have; else None."""
        modern = is_modern(request)
        if request.method not in self._lacks.get(modern, ()):
            return None
        return provisional_results.empty(request, self._status, is_modern=modern)

    def _introduce(self, request: Request) -> Octets:
        self.openings[request.method] = request
        self.gave_lists = True
        if self.host is not None and request.method == mcp.INITIALIZE:
            self.host.version = provisional_results.version(request)
        return provisional_results.introduction(request, self._status)

    def _unavailable(self, request: Request) -> Octets:
        text = sign_in_tool.unavailable(self._status)
        return provisional_results.tool_result(request, text, self._status, is_modern=is_modern(request), is_error=True)

    # -- the server's answers

    def begin(self, initialize: Request) -> None:
        """A legacy host opens a session; what it was told before does not count any more."""
        self.memory.begin(initialize)
        self._lacks.pop(False, None)

    def ask_server(self, request: Request) -> None:
        """A request goes to the server. The answer to `tools/list` will show whether the server has a `sign_in` too."""
        if self.shows_tool and request.method == mcp.TOOLS_LIST:
            self._listing.add(request.id)

    def take_answer(self, asked: Request | None, response: Response) -> None:
        """Take an answer of the server that goes to the host."""
        if response.id in self._listing:
            self._listing.discard(response.id)
            self.shows_tool = self.shows_tool and (response.is_error or _TOOL not in response.line)
            if not response.is_error:
                self._status.tools = messages.tool_count(response.result)
        self.memory.learn(asked, response)
        if not response.is_error and asked is not None and asked.method == mcp.INITIALIZE:
            self.shows_tool = False

    def confirm(self, request: Request, response: Response) -> None:
        """Take the server's answer to an opening that the bridge has answered."""
        del self.openings[request.method]
        modern = request.method == mcp.DISCOVER
        if missing := provisional_results.missing(response.result):
            self._lacks[modern] = missing
        if not modern and self.host is not None:
            result = messages.initialize_result(response.result)
            self.host.is_confirmed = True
            self.host.servers_version = result.protocol_version if result else ""
