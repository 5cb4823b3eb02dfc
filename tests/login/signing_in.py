"""A sign-in with a fake HTTP client, a real callback on a free port, and a user who does what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from bridge.config import SignInSettings
from bridge.errors import BridgeError
from bridge.login.grants import authorization_code
from bridge.login.grants.authorization_code import AuthorizationCodeFlow
from bridge.login.listener import CallbackListener
from bridge.login.prompt import PromptShown
from bridge.login.sign_in import SignInFlow
from bridge.login.sign_in_reason import SignInReason
from bridge.oauth.issuer_binding import Issuers
from bridge.oauth.mix_up import path_for
from bridge.oauth.record import Record
from bridge.store.memory import MemoryStore
from tests.login.fake_auth_http import ISSUER, SERVER, FakeWeb, reply, resource_document, server_document
from tests.login.token_endpoint_answers import DEADLINE, Answer, ask, head
from tests.support.ports import free_port
from tests.support.waits import stretched

OWN = "https://mcp.example/.well-known/oauth-protected-resource/v1/mcp"
PLACE = "/.well-known/oauth-authorization-server"
GRANT = {"access_token": "access-1", "token_type": "Bearer", "refresh_token": "refresh-1", "expires_in": 3600}

Fields = dict[str, str]
Deed = Callable[[Fields], "Fields | None"]


def fields(text: str | bytes) -> Fields:
    """A query or a form."""
    return dict(parse_qsl(text if isinstance(text, str) else text.decode("ascii"), keep_blank_values=True))


def agrees(asked: Fields) -> Fields:
    """The user signs in."""
    return {"code": "the-code", "state": asked["state"]}


def refuses(error: str, description: str = "") -> Deed:
    """The authorization server or the user denies access."""
    return lambda asked: {"error": error, "error_description": description, "state": asked["state"]}


def leaves(asked: Fields) -> None:
    """The user closes the tab."""


def site(issuer: str = ISSUER) -> dict[str, Any]:
    """Pages of a server and its authorization server."""
    made = iter(range(1, 100))
    return {
        OWN: resource_document(issuer),
        issuer + PLACE: server_document(issuer),
        f"{issuer}/new": lambda body: reply({"client_id": f"made-{next(made)}"}, 201),
        f"{issuer}/in": reply(b"<html>Sign in", content_type="text/html"),
        f"{issuer}/coin": reply(GRANT),
    }


class IssuersOnPaper:
    """What is kept of the authorization servers that were used; `problem` is raised instead, by reading or changing."""

    forget = "mcp-remote-bridge logout SERVER --registration"

    def __init__(self) -> None:
        self.kept = Issuers()
        self.read_problem: BridgeError | None = None
        self.change_problem: BridgeError | None = None

    def read(self) -> Issuers:
        if self.read_problem:
            raise self.read_problem
        return self.kept

    async def change(self, change: Callable[[Issuers], Issuers]) -> None:
        if problem := self.change_problem or self.read_problem:
            raise problem
        self.kept = change(self.kept)


class Flow:
    """One server, all that its sign-ins leave behind, and the `Prompt`: `deeds` are done in each tab, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, http: FakeWeb | None = None, **settings: Any) -> None:
        self.server = SERVER
        self.http = http or FakeWeb(site())
        self.settings = SignInSettings(**{"login_timeout": stretched(DEADLINE), **settings})
        self.store = MemoryStore()
        self.issuers = IssuersOnPaper()
        self.port = free_port()
        self.deeds: list[Deed] = []
        self.opened: list[str] = []
        self.asks: list[PromptShown] = []
        self.answers = 0
        self.opener_gate: asyncio.Event | None = None  # An opener runs on until then.
        self.flow: SignInFlow | None = None
        self.concealed: list[str] = []
        self.kept: list[Record] = []
        self.pages: list[Answer] = []
        self.keep_problem: BridgeError | None = None
        self.keep_gate: asyncio.Event | None = None  # The store takes until then.
        self._visits: list[asyncio.Task[None]] = []
        monkeypatch.setattr(authorization_code, "derived_ports", lambda server, profile: [self.port])

    async def run(self, **asked: Any) -> Record:
        """Sign in; the record that was kept."""
        self.flow = SignInFlow(
            self.server,
            self.settings,
            self.http.as_web,
            self.store,
            issuers=self.issuers,
            prompt=self,
            add_secret=self.concealed.append,
        )
        try:
            async with asyncio.timeout(stretched(DEADLINE * 2)):
                await self.flow.run(
                    SignInReason(**{"back": "The Host", "again": "To try again, run: x", **asked}), self._keep
                )
        finally:
            await asyncio.gather(*self._visits)
            self._visits.clear()
        return self.kept[-1]

    def uri(self, issuer: str = ISSUER) -> str:
        """The redirect URI of a client that the bridge registers there."""
        return f"http://localhost:{self.port}{path_for('/callback', issuer)}"

    @property
    def plain_uri(self) -> str:
        """The redirect URI of any other client."""
        return f"http://localhost:{self.port}/callback"

    def asked(self, tab: int = -1) -> Fields:
        """The authorization request of a tab."""
        return fields(urlsplit(self.opened[tab]).query)

    @property
    def listener(self) -> CallbackListener | None:
        """The callback's, while the sign-in that runs has one."""
        flow = self.flow and self.flow._flow
        return flow._listener if isinstance(flow, AuthorizationCodeFlow) else None

    def forms(self) -> list[Fields]:
        """What the token endpoint was asked."""
        return [fields(content) for url, content, _ in self.http.posted if url.endswith("/coin")]

    @property
    def registrations(self) -> int:
        return len([url for url, *_ in self.http.posted if url.endswith("/new")])

    async def _keep(self, record: Record) -> None:
        if self.keep_gate:
            await self.keep_gate.wait()
        if self.keep_problem:
            raise self.keep_problem
        self.kept.append(record)

    async def ask(self, asked: PromptShown) -> None:
        """Open a tab, and do in it what there is to be done."""
        self.asks.append(asked)
        self.opened.append(asked.url)
        deed = self.deeds.pop(0) if self.deeds else agrees
        answer = deed(fields(urlsplit(asked.url).query))
        if answer is not None:
            self._visits.append(asyncio.create_task(self.visit(answer)))
        if self.opener_gate:
            await self.opener_gate.wait()

    def answered(self) -> None:
        """Hear that an answer came."""
        self.answers += 1

    def paste(self, answer: Fields) -> str:
        """Bring an answer by hand."""
        assert self.flow is not None
        return self.flow.paste(urlencode(answer))

    async def visit(self, answer: Fields) -> None:
        """Come to the callback."""
        self.pages.append(
            await ask(self.port, head(f"{urlsplit(self.asks[-1].redirect_uri).path}?{urlencode(answer)}", self.port))
        )
