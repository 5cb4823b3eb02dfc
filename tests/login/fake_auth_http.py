"""The web of a sign-in on paper: pages by URL, and what was asked of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec

from bridge.login.auth_http import AuthHttpClient, AuthResponse
from bridge.oauth.errors import SignInError

SERVER = "https://mcp.example/v1/mcp"
ISSUER = "https://as.example"

Answer = AuthResponse | SignInError | Callable[[bytes], "AuthResponse | SignInError"]


def reply(
    body: object = b"",
    status: int = 200,
    content_type: str = "application/json",
    location: str = "",
    retry_after: str = "",
) -> AuthResponse:
    """An answer; a body that is not bytes becomes JSON."""
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return AuthResponse("", status, content_type, data, location, retry_after=retry_after)


NOT_FOUND = reply(b"<html>Not found</html>", 404, "text/html")
PAGE = reply(b"<!doctype html><p>Welcome", content_type="text/html")


def resource_document(*issuers: str, **members: object) -> AuthResponse:
    """Protected resource metadata."""
    return reply({"resource": SERVER, "authorization_servers": list(issuers or (ISSUER,)), **members})


def server_document(issuer: str = ISSUER, /, **members: object) -> AuthResponse:
    """Authorization server metadata; None leaves a member out."""
    document: dict[str, Any] = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/in",
        "token_endpoint": f"{issuer}/coin",
        "registration_endpoint": f"{issuer}/new",
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        **members,
    }
    return reply({name: value for name, value in document.items() if value is not None})


class FakeWeb:
    """Stands for `AuthHttpClient`. `pages` has answers by URL, several as a list; `asked` has (verb, URL) in order."""

    def __init__(self, pages: Mapping[str, Answer | list[Answer]] | None = None) -> None:
        self.pages = dict(pages or {})
        self.asked: list[tuple[str, str]] = []
        self.posted: list[tuple[str, bytes, dict[str, str]]] = []
        self.got: list[tuple[str, dict[str, str]]] = []
        self.unwanted: dict[str, SignInError] = {}
        """URLs that may not be asked or opened."""
        self.forgot = 0

    @property
    def as_web(self) -> AuthHttpClient:
        return cast("AuthHttpClient", self)

    def seen(self, verb: str) -> list[str]:
        """The URLs asked in that way, without their queries."""
        return [url.partition("?")[0] for kind, url in self.asked if kind == verb]

    def _answer(self, verb: str, url: str, content: bytes = b"") -> AuthResponse:
        self.asked.append((verb, url))
        page = self.pages.get(url.partition("?")[0], NOT_FOUND)
        if isinstance(page, list):
            page = page.pop(0) if len(page) > 1 else page[0]
        answer = page(content) if callable(page) else page
        if isinstance(answer, SignInError):
            raise answer
        return answer

    async def metadata(self, url: str, what: str) -> AuthResponse:
        return self._answer("metadata", url)

    async def probe(self, url: str, what: str) -> AuthResponse:
        return self._answer("probe", url)

    async def get(self, url: str, what: str, headers: Mapping[str, str]) -> AuthResponse:
        self.got.append((url, dict(headers)))
        return self._answer("get", url)

    async def post(self, url: str, what: str, content: bytes, headers: Mapping[str, str]) -> AuthResponse:
        self.posted.append((url, content, dict(headers)))
        return self._answer("post", url, content)

    async def vet(self, url: str, what: str) -> None:
        self.asked.append(("vet", url))
        if url in self.unwanted:
            raise self.unwanted[url]

    def forget_metadata(self) -> None:
        self.forgot += 1
