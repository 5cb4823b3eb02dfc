"""Signing in by a code that the user enters on any device: no callback and no browser on this machine (RFC 8628)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from bridge.login.auth_http import AuthHttpClient
from bridge.login.browser import check_openable
from bridge.login.client_key_file import LoadKey, key_loader
from bridge.login.grants.flow import Attempt, Keep, Services
from bridge.login.new_record import new_record
from bridge.login.prompt import Prompt, PromptShown
from bridge.login.token_endpoint import TokenEndpoint
from bridge.login.user_warnings import Warnings
from bridge.oauth import mix_up
from bridge.oauth.client import Client
from bridge.oauth.grants import DEVICE_CODE
from bridge.oauth.grants.device_code import (
    DeviceCode,
    DevicePoll,
    DeviceRequest,
    device_endpoint,
    device_form,
    read_device_code,
)
from bridge.oauth.grants.token_response import Tokens

_logger = logging.getLogger("bridge.login")


class DeviceCodeFlow:
    """Signs in by a code; see `GrantFlow`."""

    def __init__(self, services: Services) -> None:
        self.has_asked = False
        self._services = services

    async def sign_in(self, attempt: Attempt, keep: Keep) -> None:
        """Become a client, show the code, wait for the tokens."""
        services, server = self._services, attempt.server
        device_endpoint(server)  # Without it a registration would be of no use.

        async def sign_in(client: Client, _: bool) -> None:
            request = DeviceRequest(
                server=server, client=attempt.known(client), scope=" ".join(attempt.scopes), resource=attempt.resource
            )
            device = DeviceSignIn(
                services.http,
                services.prompt,
                services.add_secret,
                load_key=key_loader(services.settings),
                warnings=services.warnings,
            )
            await services.bound.use(server.issuer)
            try:
                tokens = await device.run(request, services.settings.login_timeout)
            finally:
                self.has_asked = self.has_asked or device.has_asked
            ask = attempt.ask
            await keep(new_record(services.server_url, services.settings, request, tokens, ask.previous))

        await services.registrar.as_client(server, DEVICE_CODE, ("",), attempt.scopes, sign_in)

    def paste(self, query: str) -> str:
        """As `GrantFlow` says."""
        return "This sign-in uses a code, so no address can be pasted: open its link and enter the code there."

    def short_address(self, url: str) -> str:
        """As `GrantFlow` says."""
        return url


class DeviceSignIn:
    """Requests a code, shows it, and polls for the tokens.

    `add_secret` is called with each secret before it is used. The user reads `warnings` first. `clock` returns
    monotonic seconds.
    """

    def __init__(
        self,
        http: AuthHttpClient,
        prompt: Prompt,
        add_secret: Callable[[str], None],
        *,
        load_key: LoadKey | None = None,
        warnings: Warnings | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http = http
        self._prompt = prompt
        self._add_secret = add_secret
        self._warnings = warnings or Warnings()
        self._clock = clock
        self._sleep = sleep
        self._token_endpoint = TokenEndpoint(http, add_secret, load_key)
        self.has_asked = False
        """Whether the user has been asked to do anything."""

    async def run(self, request: DeviceRequest, seconds: float) -> Tokens:
        """Request a code, show it, and wait for the tokens: up to `seconds`, or until the code expires.

        Raises `Refused`, `TimedOut`, `ClientUnknown` or another `SignInError`.
        """
        code = await self._code(request)
        if warning := mix_up.warning(request.server, code_page=code.url):
            self._warnings.add(warning)
        poll = DevicePoll(request, code, seconds, self._clock())
        self.has_asked = True
        # Opening a browser may take long, and the user may enter the code meanwhile.
        asked = PromptShown(code.url, poll.seconds, code.user_code, warnings=self._warnings.texts)
        showing = asyncio.create_task(self._prompt.ask(asked))
        try:
            tokens = await self._wait(request, code, poll)
        finally:
            showing.cancel()
        self._prompt.answered()
        return tokens

    async def _wait(self, request: DeviceRequest, code: DeviceCode, poll: DevicePoll) -> Tokens:
        while True:
            pause = poll.pause(self._clock())
            await self._sleep(pause.seconds)
            if pause.is_last:
                raise poll.timed_out()
            tokens = await self._token_endpoint.poll(request, code, poll, self._clock)
            if tokens is not None:
                return tokens

    async def _code(self, request: DeviceRequest) -> DeviceCode:
        url = device_endpoint(request.server)
        reply, _ = await self._token_endpoint.requests.post(
            url,
            "device authorization endpoint",
            request.client,
            device_form(request),
            request.server.token_endpoint_auth_methods,
            issuer=request.server.issuer,
        )
        code = read_device_code(reply.status, reply.content_type, reply.body, url)
        self._add_secret(code.device_code)
        # The user opens it, so it is checked like the authorization endpoint.
        await self._http.vet(code.verification_uri.partition("#")[0], "verification_uri")
        await self._http.vet(code.url.partition("#")[0], "verification_uri")
        check_openable(code.url)
        _logger.debug("%s returned a code for %g seconds; polling every %g", url, code.expires_in, code.interval)
        return code
