"""What a host was told in the server's place, and what it can be told now (see `provisional`).

A legacy host stands *at the door* while the bridge has answered its `initialize` and the server has not.
"""

from __future__ import annotations

from bridge.errors import METHOD_NOT_FOUND
from bridge.protocol import client_meta, mcp, messages
from bridge.protocol.hosts import Host, host_named, product_name
from bridge.protocol.jsonrpc import Octets, Request, RequestId, Response
from bridge.protocol.sanitize import shown
from bridge.provisional import provisional_results, sign_in_tool
from bridge.provisional.provisional_results import HostState
from bridge.provisional.sign_in_tool import SignInStatus
from bridge.session import faults
from bridge.session.router import is_modern

_LONGEST_PRODUCT = 60
_NO_DISCOVERY = "server/discover is not offered before the user has signed in; open with initialize."
_TOOL = b'"%b"' % sign_in_tool.NAME.encode()


class ProvisionalState:
    """Keeps that.

    `host_state` is the legacy host, if there is one. `is_served`: the server itself has answered something with a
    result.
    `gave_lists`: the host was told of lists that are not the server's. `shows_tool`: it knows of the tool `sign_in`,
    and the server has none of that name. `introductions` are what it introduced itself with, by method, where only the
    bridge has answered.
    """

    def __init__(self, status: SignInStatus) -> None:
        self._status = status
        self.host_state: HostState | None = None
        self.is_served = False
        self.gave_lists = False
        self.shows_tool = False
        self.gives_up = False
        self.introductions: dict[str, Request] = {}
        self._lacks: dict[bool, frozenset[str]] = {}
        self._listing: set[RequestId] = set()

    @property
    def is_at_door(self) -> bool:
        """See above."""
        return mcp.INITIALIZE in self.introductions

    @property
    def is_concerned(self) -> bool:
        """Whether later messages of the host's may be about what it was told."""
        return self.shows_tool or bool(self._lacks)

    @property
    def is_curious(self) -> bool:
        """Whether the server's answers tell something that has to be known."""
        is_opening = self.host_state is not None and not self.host_state.is_received
        return not self.is_served or is_opening or bool(self._listing)

    def knows(self, *, modern: bool) -> bool:
        """Whether the server and the host of this era know each other."""
        return self.is_served if modern else not self.is_at_door

    # -- answers

    def program_of(self, request: Request) -> str:
        """The `clientInfo.name` of the host that asks this."""
        return client_meta.asking_program(request.method, request.params) or (
            self.host_state.program if self.host_state else ""
        )

    def host_of(self, request: Request) -> Host:
        """What is known of the host that asks this."""
        return host_named(self.program_of(request))

    def product_of(self, request: Request) -> str:
        """What its users call the host that asks this."""
        return shown(product_name(self.program_of(request)), _LONGEST_PRODUCT) or "the host"

    def may_answer(self, request: Request) -> bool:
        """Whether the host that asks this can be answered here: it is known, and asks again when a list changes.

        Where `gives_up`, so is one that does not ask again: it waits no longer, and shows no error.
        """
        if is_modern(request):
            is_known = client_meta.meta_version(request.params) in mcp.MODERN_VERSIONS
        else:
            is_known = self.host_state is not None
        return is_known and (self.gives_up or self.host_of(request).lists_again)

    def answer(self, request: Request) -> Octets | None:
        """What a request can be answered with now; None where it has to wait."""
        if not self.may_answer(request):
            return None
        status, method, modern = self._status, request.method, is_modern(request)
        if method == mcp.DISCOVER and not self.host_of(request).listens:
            # It would not hear there that the tools changed, and it does where it opens with `initialize`.
            return faults.bad_input(request.raw_id, _NO_DISCOVERY, METHOD_NOT_FOUND)
        if method in {mcp.INITIALIZE, mcp.DISCOVER}:
            return self._introduction(request)
        if method == mcp.TOOLS_LIST:
            self.shows_tool = True
            return provisional_results.sign_in_only(request, status, is_modern=modern)
        if method in provisional_results.LISTS and (self.is_at_door if not modern else not self.is_served):
            self.gave_lists = True
            return provisional_results.empty(request, status, is_modern=modern)
        if method == mcp.PING and not modern:
            return provisional_results.empty(request, status, is_modern=False)
        if method == mcp.TOOLS_CALL and (status.needs_hands or not status.is_under_way):
            return self._unavailable(request)
        return None

    def refusal(self, request: Request) -> Octets:
        """The answer to a request that waited for a sign-in, and will not be sent."""
        if request.method == mcp.TOOLS_CALL:
            return self._unavailable(request)
        status = self._status
        fault = faults.not_signed_in(status.server_url, status.what_to_do())
        return fault.error_line(request.raw_id, status.server_url)

    def turned_away(self, request: Request) -> Octets:
        """The answer to a request of a host that gives up waiting now: the link, so that it is seen at all."""
        status = self._status
        if request.method == mcp.TOOLS_CALL:
            text = sign_in_tool.unavailable_here(status)
            return provisional_results.tool_result(request, text, status, is_modern=is_modern(request), is_error=True)
        fault = faults.sign_in_needed(sign_in_tool.asking_in_words(status, self.product_of(request)))
        return fault.error_line(request.raw_id, status.server_url)

    def stand_in(self, request: Request) -> Octets | None:
        """The empty list where the host was told that there is one, and the server has none."""
        modern = is_modern(request)
        if request.method not in self._lacks.get(modern, ()):
            return None
        return provisional_results.empty(request, self._status, is_modern=modern)

    def _introduction(self, request: Request) -> Octets:
        self.introductions[request.method] = request
        self.gave_lists = True
        if self.host_state is not None and request.method == mcp.INITIALIZE:
            self.host_state.version = provisional_results.version(request)
        return provisional_results.introduction(request, self._status)

    def _unavailable(self, request: Request) -> Octets:
        text = sign_in_tool.unavailable(self._status)
        return provisional_results.tool_result(request, text, self._status, is_modern=is_modern(request), is_error=True)

    # -- the server, at last

    def begin(self, initialize: Request) -> None:
        """A legacy host opens: whatever it was told before is of no interest."""
        self.host_state = HostState(initialize)
        self.is_served = False
        self._lacks.pop(False, None)

    def listed(self, request: Request) -> None:
        """The host asks the server; if for its tools, the answer will show whether one of them has this tool's name."""
        if self.shows_tool and request.method == mcp.TOOLS_LIST:
            self._listing.add(request.id)

    def learn(self, asked: Request | None, response: Response) -> None:
        """The server's answer goes to the host."""
        if response.id in self._listing:
            self._listing.discard(response.id)
            self.shows_tool = self.shows_tool and (response.is_error or _TOOL not in response.line)
            if not response.is_error:
                self._status.tools = messages.tool_count(response.result)
        if response.is_error:
            return
        self.is_served = True
        if asked is not None and asked.method == mcp.INITIALIZE and self.host_state is not None:
            said = messages.initialize_result(response.result)
            self.host_state.version = said.protocol_version if said else ""
            self.host_state.is_received = True
            self.shows_tool = False

    def introduced(self, request: Request, response: Response) -> None:
        """The server answers what was answered here."""
        del self.introductions[request.method]
        modern = request.method == mcp.DISCOVER
        if missing := provisional_results.missing(response.result):
            self._lacks[modern] = missing
        if not modern and self.host_state is not None:
            said = messages.initialize_result(response.result)
            self.host_state.is_received = True
            self.host_state.servers_version = said.protocol_version if said else ""
