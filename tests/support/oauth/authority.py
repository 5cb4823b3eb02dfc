"""An authorization server that behaves, until a test tells it otherwise: metadata, registration, a log.

Its endpoints stand at paths nobody would guess. Attributes change how it behaves well (which metadata forms,
which client authentication, lifetimes, rotation); `once` and `always` put another answer in the place of a
good one, by endpoint:

| key | matches |
|---|---|
| `metadata` | any of the well-known documents |
| `register`, `authorize`, `token` | that endpoint |
| `token:authorization_code`, `token:refresh_token` | the token endpoint, by grant |
| `device`, `activate`, `revoke`, `userinfo` | that endpoint, where the authority `offers` it |

`oauth_grants.py` is its authorization and token endpoint, `oauth_device.py` and `oauth_account.py` are the others;
`oauth_answers.py` has ready-made answers.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from tests.support.oauth import account_endpoints, device, grants
from tests.support.oauth.answers import Answer, plain, refuse, reply
from tests.support.oauth.device import DeviceCode
from tests.support.oauth.tokens import Client, Ledger
from tests.support.servers.fault_http import DEADLINE, Exchange, HttpServer, Request

OAUTH = "/.well-known/oauth-authorization-server"
OIDC = "/.well-known/openid-configuration"
_OFFERED = {
    "device": "device_authorization_endpoint",
    "revoke": "revocation_endpoint",
    "userinfo": "userinfo_endpoint",
}


def fields(text: str | bytes) -> dict[str, str]:
    """A query or a form; the first of each name."""
    pairs = parse_qsl(text.decode("latin-1") if isinstance(text, bytes) else text, keep_blank_values=True)
    return dict(reversed(pairs))


def query(request: Request) -> dict[str, str]:
    """The query of a request."""
    return fields(request.path.partition("?")[2])


def form(request: Request) -> dict[str, str]:
    """The form in the body of a request."""
    return fields(request.body)


class Authority:
    """The authorization server; use as an async context manager."""

    def __init__(self, path: str = "", *, tls: ssl.SSLContext | None = None) -> None:
        self.http = HttpServer(self.handle, tls)
        self.requests: list[Request] = []
        """Every request that came to it, also by way of a server it shares an origin with."""
        self.ledger = Ledger()
        self.path = path
        """The path of the issuer, such as /tenant; empty for none."""
        self.base: str | None = None
        """Scheme, host and port where its own are not what clients see."""
        # Metadata
        self.metadata_paths: tuple[str, ...] = (OAUTH + path,)
        self.metadata_changes: dict[str, Any] = {}
        """Members of the metadata to put in; None leaves one out."""
        self.endpoints = {
            "authorize": "/in/consent",
            "token": "/in/coins",
            "register": "/in/new",
            "device": "/in/code",
            "activate": "/in/type",
            "revoke": "/in/back",
            "userinfo": "/in/me",
        }
        self.offers: set[str] = set()
        """Which of `device`, `revoke` and `userinfo` there are."""
        self.missing: Answer = plain(404, b"<html><title>404 Not Found</title></html>", "text/html")
        """The answer where there is nothing."""
        # Clients
        self.methods: tuple[str, ...] = ("none",)
        """`token_endpoint_auth_methods_supported`."""
        self.registered_method: str | None = None
        """The method that registration answers with, whatever was asked; None agrees to what was asked."""
        self.takes_documents = False
        """Whether a client may be a metadata document's URL."""
        self.unknown_client_status = (400, 401)
        """For a client that is not known: of the page at authorize, of `invalid_client` at token."""
        self.assertions: set[str] = set()
        """The assertions that are good for a token (RFC 7523 2.1)."""
        self.assertion_audience = ""
        """The only audience of assertions that is taken; empty for the issuer."""
        # Consent
        self.denies: dict[str, str] = {}
        """Parameters of an error response, in place of a code."""
        self.response_changes: dict[str, str | None] = {}
        """Parameters of the authorization response to put in; None leaves one out."""
        self.sends_iss = False
        self.grants: Callable[[str], str] = lambda asked: asked
        """What of the scopes asked for is granted."""
        # Tokens
        self.lifetime = 3600.0
        """Seconds that an access token is good for."""
        self.expires_in: object = ...
        """What `expires_in` says; `...` says the truth, None leaves it out."""
        self.refreshes = True
        """Whether refresh tokens are given."""
        self.rotates = True
        self.says_scope = True
        """Whether the token response names the scopes granted."""
        self.token_changes: dict[str, Any] = {}
        """Members of the token response to put in; None leaves one out."""
        self.claims: dict[str, Any] | None = None
        """Access tokens are JWTs with these claims."""
        self.gives_id_token = False
        self.refuses_resource = False
        """Whether `resource` is refused, in the words of Entra ID."""
        # Codes that are typed in
        self.codes: dict[str, DeviceCode] = {}
        """Those given out, by device code."""
        self.code_lifetime = 600.0
        self.code_interval = 1.0
        """Seconds that a client has to wait before it asks again."""
        self.code_changes: dict[str, Any] = {}
        """Members of the answer with a code to put in; None leaves one out."""
        # The person
        self.keeps_access = False
        """Whether access tokens cannot be revoked."""
        self.person: dict[str, Any] = {"sub": "someone", "email": "someone@person.example"}
        """What the userinfo endpoint says."""
        self._once: dict[str, list[Answer]] = {}
        self._always: dict[str, Answer] = {}

    async def __aenter__(self) -> Self:
        await self.http.listen()
        return self

    async def __aexit__(self, *details: object) -> None:
        await self.http.__aexit__(*details)

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return self.base or self.http.origin

    @property
    def issuer(self) -> str:
        """The issuer identifier."""
        return self.origin + self.path

    def url(self, endpoint: str) -> str:
        """Where an endpoint is, such as `authorize`."""
        return self.origin + self.path + self.endpoints[endpoint]

    def metadata(self) -> dict[str, Any]:
        """The metadata document (RFC 8414 2)."""
        document: dict[str, Any] = {
            "issuer": self.issuer,
            "authorization_endpoint": self.url("authorize"),
            "token_endpoint": self.url("token"),
            "registration_endpoint": self.url("register"),
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": list(self.methods),
        }
        for endpoint, name in _OFFERED.items():
            if endpoint in self.offers:
                document[name] = self.url(endpoint)
        if "device" in self.offers:
            document["grant_types_supported"].append(device.DEVICE_GRANT)
        if self.takes_documents:
            document["client_id_metadata_document_supported"] = True
        if self.sends_iss:
            document["authorization_response_iss_parameter_supported"] = True
        return {name: value for name, value in (document | self.metadata_changes).items() if value is not None}

    # -- faults

    def once(self, key: str, *answers: Answer) -> None:
        """Answer the next requests that match with these, one each."""
        self._once.setdefault(key, []).extend(answers)

    def always(self, key: str, answer: Answer | None) -> None:
        """Answer every request that matches with this; None goes back to good behaviour."""
        if answer is None:
            self._always.pop(key, None)
        else:
            self._always[key] = answer

    def add_client(self, id: str, secret: str | None = None, method: str | None = None) -> Client:  # noqa: A002
        """Register a client beforehand; its redirect URI may be any on this machine."""
        client = Client(id, secret, method or ("client_secret_basic" if secret else "none"))
        self.ledger.clients[id] = client
        if secret:
            self.ledger.saw("client secret", secret)
        return client

    def answer_code(self, user_code: str, *, confirmed: bool = True) -> bool:
        """Be the person who types a user code in, and agrees or not; whether it was one that waits."""
        for code in self.codes.values():
            if code.user_code == user_code and code.state == "pending":
                code.state = "confirmed" if confirmed else "refused"
                return True
        return False

    def forget_clients(self) -> None:
        """Lose every registered client, as a restart with an empty store does."""
        self.ledger.clients.clear()

    # -- what has come in

    def seen(self, key: str) -> list[Request]:
        """The requests so far to an endpoint; keys as above."""
        return [request for request in self.requests if key in self.keys(request)]

    def forms(self, grant: str) -> list[dict[str, str]]:
        """The token requests of a grant so far."""
        return [form(request) for request in self.seen(f"token:{grant}")]

    @property
    def refreshed(self) -> int:
        """How many times a refresh token was shown."""
        return len(self.seen("token:refresh_token"))

    async def until(self, condition: Callable[[], object], what: str, deadline: float = DEADLINE) -> None:
        """Wait for something the server can see."""
        await self.http.bell.until(condition, what, deadline)

    async def until_seen(self, key: str, count: int = 1, deadline: float = DEADLINE) -> Request:
        """Wait for the request number `count` to an endpoint."""
        await self.until(lambda: len(self.seen(key)) >= count, f"{count} x {key} at the authority", deadline)
        return self.seen(key)[count - 1]

    def keys(self, request: Request) -> list[str]:
        """Under which keys a request is known, the finest first."""
        path = request.path.partition("?")[0]
        if "/.well-known/" in path:
            return ["metadata"]
        for name, own in self.endpoints.items():
            if path == self.path + own:
                if name == "token":
                    return [f"token:{form(request).get('grant_type')}", "token"]
                return [name]
        return []

    # -- behaviour

    async def handle(self, exchange: Exchange) -> None:
        """Answer one request."""
        self.requests.append(exchange.request)
        self._remember(exchange.request)
        for key in self.keys(exchange.request):
            if waiting := self._once.get(key):
                await waiting.pop(0)(exchange)
                return
            if key in self._always:
                await self._always[key](exchange)
                return
        await self.behave(exchange)

    async def behave(self, exchange: Exchange) -> None:
        """What a good authorization server does."""
        request = exchange.request
        path = request.path.partition("?")[0]
        kind = (self.keys(request) or [""])[-1]
        if kind == "metadata" and path in self.metadata_paths and request.method == "GET":
            await reply(exchange, self.metadata())
        elif kind == "register" and request.method == "POST":
            await self._register(exchange)
        elif kind == "authorize":
            await grants.authorize(self, exchange)
        elif kind == "token" and request.method == "POST":
            await grants.token(self, exchange)
        elif kind == "activate" and "device" in self.offers:
            await device.show_page(self, exchange)
        elif kind == "userinfo" and kind in self.offers:
            await account_endpoints.userinfo(self, exchange)
        elif kind in {"device", "revoke"} & self.offers and request.method == "POST":
            await self._as_client(exchange, device.give_code if kind == "device" else account_endpoints.revoke)
        else:
            await self.missing(exchange)

    async def _as_client(
        self, exchange: Exchange, then: Callable[[Authority, Exchange, Client], Awaitable[None]]
    ) -> None:
        client = grants.known_client(self, exchange.request, form(exchange.request))
        if isinstance(client, str):
            await refuse(exchange, self.unknown_client_status[1], "invalid_client", client)
        else:
            await then(self, exchange, client)

    async def _register(self, exchange: Exchange) -> None:
        metadata = exchange.request.message
        codes_only = isinstance(metadata, dict) and metadata.get("response_types") == [] and "device" in self.offers
        if not isinstance(metadata, dict) or not (metadata.get("redirect_uris") or codes_only):
            await refuse(exchange, 400, "invalid_redirect_uri")
            return
        method = self.registered_method or metadata.get("token_endpoint_auth_method", "client_secret_basic")
        if method not in self.methods:
            await refuse(exchange, 400, "invalid_client_metadata", f"{method} is not supported")
            return
        number = len(self.ledger.clients) + 1
        secret = self.ledger.secret("clientsecret") if method != "none" else None
        client = Client(f"client-{number}-{self.http.port}", secret, method, tuple(metadata["redirect_uris"]), metadata)
        self.ledger.clients[client.id] = client
        answer = metadata | {"client_id": client.id, "token_endpoint_auth_method": method}
        if secret:
            answer |= {"client_secret": secret, "client_secret_expires_at": 0}
        await reply(exchange, answer, 201)

    def _remember(self, request: Request) -> None:
        """Note the secrets that the client made, so that a test can look for them."""
        asked, posted = query(request), form(request) if request.method == "POST" else {}
        self.ledger.saw("verifier", posted.get("code_verifier", ""))
        if state := asked.get("state"):
            self.ledger.states.add(state)

    def find_client(self, id: str) -> Client | None:  # noqa: A002
        """A client by its identifier."""
        if self.takes_documents and urlsplit(id).scheme == "https":
            return Client(id)
        return self.ledger.clients.get(id)
