"""The reference `mcp` server behind OAuth, as a program: `python -m tests.support.oauth.protected_reference`.

With `--issuer URL` it takes JWT access tokens (RFC 9068) of that authorization server, made for its own URL. Without,
it is an authorization server too, by the package's own support for that (see reference_authority.py).

It says its port in one JSON line on stdout and ends with its stdin. Beside `/mcp` it serves `/journal` (the HTTP
requests it had, and what its own authorization server did) and takes `/test/refuse`: from then on it refuses every
access token it has seen. `/test/revoke` ends all that its own authorization server gave out,
`/test/lifetime` sets for how many seconds it gives access tokens out, `/test/reset` makes it as at its start.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
import uvicorn
from anyio import to_thread
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from mcp.server.auth.provider import AccessToken, ProviderTokenVerifier, TokenVerifier
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions, RevocationOptions
from pydantic import AnyHttpUrl
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.support.oauth.reference_authority import Authority
from tests.support.process.end_with_stdin import leave_with_stdin
from tests.support.servers.reference_process import ServerProcess, running
from tests.support.servers.reference_server import build
from tests.support.waits import stretched

USE = "mcp:use"
ADMIN = "mcp:admin"


class JwtVerifier(TokenVerifier):
    """Checks signature, type, issuer, audience and lifetime, as RFC 9068 4 asks of a resource server."""

    def __init__(self, issuer: str, resource: str) -> None:
        self._issuer = issuer
        self._resource = resource
        self._keys: KeySet | None = None
        self._seen: set[str] = set()
        self._refused: set[str] = set()

    def refuse_seen(self) -> None:
        """Refuse from now on every token that was shown until now."""
        self._refused |= self._seen

    async def verify_token(self, token: str) -> AccessToken | None:
        self._seen.add(token)
        for fresh in (False, True):  # a provider that was started anew signs with another key
            try:
                found = jwt.decode(token, await self._key_set(fresh=fresh), algorithms=["RS256"])
            except (JoseError, ValueError):
                continue
            return self._judge(token, found.header, found.claims)
        return None

    def _judge(self, token: str, header: dict[str, Any], claims: dict[str, Any]) -> AccessToken | None:
        # No leeway: the tests' tokens live for seconds.
        if header.get("typ") != "at+jwt" or claims["iss"] != self._issuer or claims["aud"] != self._resource:
            return None
        if claims["exp"] <= time.time() or token in self._refused:
            return None
        return AccessToken(
            token=token,
            client_id=claims["client_id"],
            scopes=claims["scope"].split(" "),
            expires_at=claims["exp"],
            resource=claims["aud"],
            subject=claims["sub"],
        )

    async def _key_set(self, *, fresh: bool) -> KeySet:
        if self._keys is None or fresh:
            async with httpx.AsyncClient(trust_env=False, timeout=stretched(5)) as client:
                metadata = await client.get(f"{self._issuer}/.well-known/openid-configuration")
                keys = await client.get(metadata.json()["jwks_uri"])
            self._keys = KeySet.import_key_set(keys.json())
        return self._keys


@dataclass
class Journal:
    """An ASGI layer that notes every request but those for itself."""

    app: ASGIApp
    entries: list[dict[str, Any]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(("/journal", "/test/")):
            await self.app(scope, receive, send)
            return
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        entry = {"method": scope["method"], "path": scope["path"], "headers": headers, "status": None}
        self.entries.append(entry)

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry["status"] = message["status"]
            await send(message)

        await self.app(scope, receive, noting)


async def serve(*, issuer: str | None, scopes: list[str], lifetime: int, port: int, slash: bool) -> None:
    """Serve until the process is killed; the port is said on stdout once connections can wait on it."""
    listener = socket.create_server(("127.0.0.1", port))
    own = f"http://127.0.0.1:{listener.getsockname()[1]}"
    resource = f"{own}/mcp"
    entries: list[dict[str, Any]] = []
    verifier: JwtVerifier | None = None
    authority: Authority | None = None
    checked: TokenVerifier
    if issuer:
        checked = verifier = JwtVerifier(issuer, resource)
    else:
        authority = Authority(lifetime)
        checked = ProviderTokenVerifier(authority)
    app = build().streamable_http_app(
        auth=AuthSettings.model_validate(
            {
                # From a string the package keeps the URL as it is, from an AnyHttpUrl it takes one with a slash more.
                "issuer_url": issuer or (AnyHttpUrl(own) if slash else own),
                "resource_server_url": resource,
                "required_scopes": scopes,
                "client_registration_options": ClientRegistrationOptions(enabled=True, valid_scopes=[USE, ADMIN]),
                "revocation_options": RevocationOptions(enabled=True),
                "validate_token_resource": True,
            }
        ),
        token_verifier=checked,
        auth_server_provider=authority,
    )

    async def show(_request: Request) -> JSONResponse:
        told = [] if authority is None else authority.told
        return JSONResponse({"requests": entries, "told": told})

    async def refuse(_request: Request) -> Response:
        if verifier is not None:
            verifier.refuse_seen()
        if authority is not None:
            authority.forget_access_tokens()
        return Response(status_code=204)

    async def revoke(_request: Request) -> Response:
        if authority is not None:
            await authority.revoke_all()
        return Response(status_code=204)

    async def reset(_request: Request) -> Response:
        entries.clear()
        if authority is not None:
            authority.reset(lifetime)
        return Response(status_code=204)

    async def change(request: Request) -> Response:
        if authority is not None:
            authority.lifetime = int(await request.body())
        return Response(status_code=204)

    app.router.routes += [
        Route("/journal", show),
        Route("/test/refuse", refuse, methods=["POST"]),
        Route("/test/revoke", revoke, methods=["POST"]),
        Route("/test/lifetime", change, methods=["POST"]),
        Route("/test/reset", reset, methods=["POST"]),
    ]
    sys.stdout.write(json.dumps({"port": urlsplit(own).port}) + "\n")
    sys.stdout.flush()
    config = uvicorn.Config(Journal(app, entries), log_level="warning", lifespan="on")
    await uvicorn.Server(config).serve(sockets=[listener])


@dataclass(frozen=True)
class ProtectedProcess:
    """A running protected server."""

    port: int
    process: ServerProcess

    @property
    def origin(self) -> str:
        """Scheme, host and port; also its issuer where it is its own authorization server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Where it answers, and its resource identifier."""
        return f"{self.origin}/mcp"

    async def requests(self, path: str, **members: Any) -> list[dict[str, Any]]:
        """The requests for `path` so far, those whose journal entries have these members."""
        return [
            entry
            for entry in (await self._journal())["requests"]
            if entry["path"] == path and all(entry.get(name) == value for name, value in members.items())
        ]

    async def told(self) -> list[str]:
        """What its own authorization server did so far: `registered`, `authorized`, `refreshed`, ..."""
        told: list[str] = (await self._journal())["told"]
        return told

    async def refuse_tokens(self) -> None:
        """Let it refuse every access token it has seen; refresh tokens stay good."""
        await to_thread.run_sync(self._fetch, "/test/refuse", b"")

    async def revoke_all(self) -> None:
        """Let its own authorization server end every sign-in, refresh tokens too; clients stay registered."""
        await to_thread.run_sync(self._fetch, "/test/revoke", b"")

    async def set_lifetime(self, seconds: int) -> None:
        """Let its own authorization server give out access tokens that live this long."""
        await to_thread.run_sync(self._fetch, "/test/lifetime", str(seconds).encode())

    async def reset(self) -> None:
        """Begin the journal anew; its own authorization server forgets everything."""
        await to_thread.run_sync(self._fetch, "/test/reset", b"")

    async def _journal(self) -> dict[str, Any]:
        journal: dict[str, Any] = json.loads(await to_thread.run_sync(self._fetch, "/journal", None))
        return journal

    def _fetch(self, path: str, data: bytes | None) -> bytes:
        with httpx.Client(trust_env=False, timeout=stretched(5)) as client:
            answer = client.get(self.origin + path) if data is None else client.post(self.origin + path, content=data)
            return answer.raise_for_status().content


@contextlib.contextmanager
def protected_reference(
    issuer: str | None = None, scopes: str = USE, lifetime: int = 3600, port: int = 0, *, slash: bool = False
) -> Iterator[ProtectedProcess]:
    """The protected server. `lifetime` in seconds is that of access tokens it gives out itself.

    With `slash` its own issuer identifier ends with one, as with most servers built on the package.
    """
    options = ["--scopes", scopes, "--lifetime", str(lifetime), "--port", str(port)]
    options += ["--issuer", issuer] if issuer else []
    options += ["--slash"] if slash else []
    with running([sys.executable, "-m", "tests.support.oauth.protected_reference", *options]) as (process, line):
        yield ProtectedProcess(json.loads(line)["port"], process)


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--issuer")
    parser.add_argument("--scopes", default=USE)
    parser.add_argument("--lifetime", type=int, default=3600)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--slash", action="store_true")
    chosen = parser.parse_args()
    leave_with_stdin()

    async def run() -> None:
        await serve(
            issuer=chosen.issuer,
            scopes=chosen.scopes.split(),
            lifetime=chosen.lifetime,
            port=chosen.port,
            slash=chosen.slash,
        )

    anyio.run(run)


if __name__ == "__main__":
    main()
