"""npm `oidc-provider`, a certified authorization server, as a process; see tests/counterparts/oidc_provider.mjs.

It rotates refresh tokens and revokes the whole grant when one is used twice, binds access tokens (JWTs) to the
resource indicator, and keeps everything in memory.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import anyio.to_thread

from tests.support.process.bridge_process import ROOT
from tests.support.process.node import require_node, require_package
from tests.support.servers.reference_process import ServerProcess, running
from tests.support.waits import stretched

SCRIPT = ROOT / "tests" / "counterparts" / "oidc_provider.mjs"
ENTRY = "lib/index.js"
REUSE = "refresh token already used"
"""What the package says of a refresh token that was used before."""

_KEPT = ("PATH", "SYSTEMROOT", "TEMP", "TMP")
_DEADLINE = 5.0


class OidcProvider:
    """A running provider. `restart` gives an empty one at the same address, as a deployment that lost its store."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._changed: dict[str, Any] = {}
        self._running = contextlib.ExitStack()
        self._process: ServerProcess
        self.port = 0
        self._start()

    @property
    def issuer(self) -> str:
        """Its issuer identifier (RFC 8414 2)."""
        return f"http://127.0.0.1:{self.port}"

    async def restart(self) -> None:
        """End it and start it anew: no client, no grant, another key. Its journal begins anew too."""

        def again() -> None:
            self._running.close()
            self._settings["port"] = self.port
            self._start()
            self._fetch("/test/settings", self._changed)

        await anyio.to_thread.run_sync(again)

    async def set(self, **settings: Any) -> None:
        """Change settings until the next `reset`; a restart keeps them."""
        self._changed |= settings
        await anyio.to_thread.run_sync(self._fetch, "/test/settings", settings)

    async def reset(self) -> None:
        """Begin the journal anew and take back what `set` changed; clients and grants stay."""
        self._changed.clear()
        await anyio.to_thread.run_sync(self._fetch, "/test/reset", {})

    async def journal(self) -> list[dict[str, Any]]:
        """What happened since it started, in order."""
        entries: list[dict[str, Any]] = json.loads(await anyio.to_thread.run_sync(self._fetch, "/test/journal", None))
        return entries

    async def requests(self, path: str, **members: Any) -> list[dict[str, Any]]:
        """The requests for `path` so far, those whose journal entries have these members."""
        return [
            entry
            for entry in await self.journal()
            if entry.get("path") == path and all(entry.get(name) == value for name, value in members.items())
        ]

    async def told(self, event: str) -> list[str | None]:
        """What the package said of each `event` so far, such as `grant.error`."""
        return [entry["detail"] for entry in await self.journal() if entry["event"] == event]

    async def confirm(self, user_code: str) -> str:
        """Type a user code in on its page and agree, as somebody who is signed in (RFC 8628 3.3); returns the page."""
        return await anyio.to_thread.run_sync(self._answer_code, user_code, "confirm")

    async def abort(self, user_code: str) -> str:
        """Type a user code in on its page and say no; returns the page."""
        return await anyio.to_thread.run_sync(self._answer_code, user_code, "abort")

    async def assert_no_reuse(self) -> None:
        """Fail where a refresh token was used twice."""
        assert REUSE not in await self.told("grant.error")
        assert await self.told("grant.revoked") == []

    def close(self) -> None:
        """End it."""
        self._running.close()

    def _start(self) -> None:
        node = require_node()
        # <node_modules>/oidc-provider/lib/index.js
        modules = require_package("oidc-provider", ENTRY).parents[2]
        env = {name: os.environ[name] for name in _KEPT if name in os.environ}
        command = [str(node), str(SCRIPT), str(modules), json.dumps(self._settings)]
        self._process, line = self._running.enter_context(running(command, env))
        self.port = json.loads(line)["port"]

    def _fetch(self, path: str, content: dict[str, Any] | None) -> bytes:
        data = None if content is None else json.dumps(content).encode()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(self.issuer + path, data), timeout=stretched(_DEADLINE)) as answer:
            body: bytes = answer.read()
        return body

    def _answer_code(self, user_code: str, button: str) -> str:
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(), _Refusals()
        )
        page = f"{self.issuer}/device"
        with opener.open(f"{page}?{urlencode({'user_code': user_code})}", timeout=stretched(_DEADLINE)) as form:
            found = re.search(r'name="xsrf" value="([^"]+)"', form.read().decode())
        assert found, "a page without its form"
        fields = {"xsrf": found[1], "user_code": user_code, button: "yes"}
        with opener.open(
            urllib.request.Request(page, urlencode(fields).encode()), timeout=stretched(_DEADLINE)
        ) as answer:
            text: str = answer.read().decode()
        return text


class _Refusals(urllib.request.HTTPErrorProcessor):
    """A page with a status of refusal is a page all the same."""

    def http_response(self, request: urllib.request.Request, response: Any) -> Any:
        return response if response.status >= 400 else super().http_response(request, response)


@contextlib.contextmanager
def oidc_provider(**settings: Any) -> Iterator[OidcProvider]:
    """The provider with these settings (camelCase, see the script); skips where Node or the package is not."""
    provider = OidcProvider(settings)
    try:
        yield provider
    finally:
        provider.close()
