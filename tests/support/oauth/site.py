"""All that a sign-in takes, for one test: a protected server, its authority, a person, and the bridge between.

The rules that hold in every test are checked when it ends: no secret has left the bridge by a way that is not
meant for it, the authorization URL stood on stderr once for each tab, no token went to anybody but the server,
and neither a code nor a refresh token was spent twice.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.oauth.authority import Authority
from tests.support.oauth.protected_server import ProtectedServer
from tests.support.oauth.user import Person, until
from tests.support.process.bridge_process import BridgeProcess, Line
from tests.support.process.login_processes import end_logins
from tests.support.servers.fault_http import Request
from tests.support.waits import stretched

LOGIN = 25.0
"""Seconds that a test gives a whole sign-in."""

KINDS = ("unauthorized", "unreachable")
"""What the error of a sign-in or a refresh is called: the latter where it may pass."""

SIGN_IN = re.compile(r"mcp-remote-bridge: (?:.*\. )?Sign in(?: with the code \S+)? at: (\S+)")


class Site:
    """Use as an async context manager; `bridge` runs the bridge as often as a test likes."""

    person_type = Person

    def __init__(self, authority: Authority | None = None, server: ProtectedServer | None = None) -> None:
        self.authority = authority or Authority()
        self.server = server or ProtectedServer(self.authority)
        self.others: list[Authority] = []
        """More authorities that are to be watched."""
        self.planted: dict[str, str] = {}
        """More secrets to look for, and what they are."""
        self.allows_reuse = False
        """Whether a spent refresh token may come again (a server that lost its answer makes it so)."""
        self.bridges: list[BridgeProcess] = []
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        self.folder = Path(folder)
        self.person = self.person_type(self.folder)
        self.log_file = self.folder / "bridge.log"
        await self._stack.enter_async_context(self.authority)
        await self._stack.enter_async_context(self.server)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.check()
        finally:
            self._end_logins()
            await self._stack.aclose()

    @contextlib.asynccontextmanager
    async def bridge(
        self,
        *arguments: str,
        env: dict[str, str] | None = None,
        url: str | None = None,
        log: str = "debug",
        patience: float = 2,
        as_program: bool = False,
    ) -> AsyncIterator[BridgeProcess]:
        """Run the bridge; all runs share the home. It logs everything, to stderr and to a file.

        `patience` are the seconds for which it tries again what may pass; `as_program` is `launch`'s.
        """
        extra = self.variables(log) | (env or {})
        async with self.person.launch(
            url or self.server.url, *arguments, env=extra, patience=patience, as_program=as_program
        ) as process:
            with self.watched(process):
                yield process

    def _end_logins(self) -> None:
        end_logins(self.person)

    def variables(self, log: str = "debug") -> dict[str, str]:
        """What the environment of every bridge here holds on top of the usual."""
        own = {
            "MCP_BRIDGE_LOG_LEVEL": log,
            "MCP_BRIDGE_LOG_FILE": str(self.log_file),
            "MCP_BRIDGE_LOGIN_TIMEOUT": f"{stretched(30):g}",
        }
        return self.person.environment() | own

    @contextlib.contextmanager
    def watched(self, process: BridgeProcess) -> Iterator[None]:
        """Look at all that this bridge says, when the test ends."""
        self.bridges.append(process)
        try:
            yield
        finally:
            _excuse(process.stderr)

    async def begin(self, host: BridgeProcess, deadline: float = LOGIN) -> None:
        """Begin a session, and wait until nothing is under way any more but its standing stream."""
        await host.initialize(deadline=deadline)

        def listening() -> bool:
            heard = {stream.exchange.request.header("mcp-session-id") for stream in self.server.streams}
            return set(self.server.sessions) <= heard

        await self.server.until(listening, "a GET stream for each session", deadline)

    async def sign_in(self, *arguments: str, **details: Any) -> None:
        """One run that signs in and ends in good order."""
        async with self.bridge(*arguments, **details) as host:
            await host.initialize(deadline=LOGIN)
            assert (await host.call("echo", deadline=LOGIN)).result
            host.close_stdin()
            assert await host.wait(5) == 0

    async def failed(self, host: BridgeProcess, deadline: float = LOGIN) -> Line:
        """Begin a session that cannot be had; returns the host's error."""
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        answer = await host.request("initialize", params, deadline=deadline)
        assert answer.kind in KINDS, answer.raw
        assert answer.error["data"]["source"] == "mcp-remote-bridge"
        return answer

    async def until_expired(self) -> None:
        """Wait until every access token of now has expired, for clients too, which got them with a short `expires_in`.

        Until then each is good, however slow the machine is: only the client's clock runs.
        """
        seconds = self.authority.expires_in
        assert isinstance(seconds, float), "clients were told another life than tokens have"
        assert seconds < 5, "this would take too long"
        end = time.time() + seconds  # The client has had it for a while.
        await until(lambda: time.time() > end, "the access token to expire")
        self.authority.ledger.expire_access()
        self.authority.expires_in = ...

    # -- what holds in every test

    @property
    def secrets(self) -> dict[str, str]:
        """Every secret of the test so far, but `state`, and what it is."""
        found = dict(self.planted)
        for authority in (self.authority, *self.others):
            found |= authority.ledger.secrets
        return found

    @property
    def states(self) -> set[str]:
        """Every `state` so far."""
        return {state for authority in (self.authority, *self.others) for state in authority.ledger.states}

    def printed(self, host: BridgeProcess) -> list[str]:
        """The authorization URLs that the bridge printed."""
        return [found[1] for line in host.stderr if (found := SIGN_IN.fullmatch(line))]

    def registered_once(self) -> bool:
        """Whether a client was registered, and none twice for the same redirect URI.

        A later sign-in may have another port, and so another redirect URI, where a program has been given the first.
        """
        uris = [tuple(request.message["redirect_uris"]) for request in self.authority.seen("register")]
        return bool(uris) and len(uris) == len(set(uris))

    def check(self) -> None:
        """The rules that hold in every test."""
        for host in self.bridges:
            self._check_output(host)
        log = self.log_file.read_text(errors="replace") if self.log_file.exists() else ""
        for secret, kind in (self.secrets | dict.fromkeys(self.states, "state")).items():
            assert secret not in log, f"{kind} in the log file"
        # The process of a login has nowhere else to say so.
        assert "a bug in the bridge" not in log, log[log.index("a bug in the bridge") :][:3000]
        self.person.check_files(self.secrets)
        for authority in (self.authority, *self.others):
            # One takes tokens back, one says whose they are.
            shown_tokens = {
                authority.path + authority.endpoints[name] for name in authority.offers & {"revoke", "userinfo"}
            }
            for request in authority.requests:
                if request.path not in shown_tokens:
                    self._check_request(request)
            codes = [form["code"] for form in authority.forms("authorization_code")]
            assert len(codes) == len(set(codes)), "a code was used twice (RFC 6749 4.1.2)"
            if not self.allows_reuse:
                assert authority.ledger.reuses == 0, "a spent refresh token came again"

    def _check_output(self, host: BridgeProcess) -> None:
        said = [line for line in host.stderr if not SIGN_IN.fullmatch(line)]
        for secret, kind in (self.secrets | dict.fromkeys(self.states, "state")).items():
            told = [line for line in said if secret in line]
            assert not told, f"{kind} on stderr: {told[0]}"
            # The link itself is for the person at the host, and holds `state`.
            assert not any(secret in self._without_links(line.raw) for line in host.lines), f"{kind} on stdout"
        printed = self.printed(host)
        assert len(printed) == len(set(printed)), "an authorization URL was printed twice"
        for url in printed:
            assert not any(secret in url for secret in self.secrets), "a secret in the authorization URL"

    def _without_links(self, raw: bytes) -> str:
        text = raw.decode(errors="replace")
        for authority in (self.authority, *self.others):
            text = re.sub(re.escape(authority.url("authorize")) + r"\?[\w.~%&=+-]*", "(link)", text)
        return text

    def _check_request(self, request: Request) -> None:
        told = f"{request.method} {request.path} {request.headers}"
        if request.method == "GET":
            assert request.header("authorization") is None, f"credentials with a GET: {told}"
            assert request.header("mcp-session-id") is None, told
        for token, kind in self.secrets.items():
            if kind.startswith(("access", "ID token")):
                assert token not in told, f"{kind} sent to the authorization server: {told}"
                assert token.encode() not in request.body, f"{kind} sent to the authorization server: {told}"
        assert request.method in ("GET", "POST", "HEAD"), told


def _excuse(stderr: list[str]) -> None:
    """Traces that were asked for with debug are no sign of a defect; the others are, and are looked for."""
    debug = False
    for number, line in enumerate(stderr):
        if not line.startswith(" "):
            debug = line.startswith("mcp-remote-bridge: debug:")
        elif debug:
            stderr[number] = line.replace("Traceback (", "Trace (")
