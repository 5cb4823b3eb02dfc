"""Signing in by a code: no callback and no browser on this machine (RFC 8628)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

from bridge.login.auth_http import AuthHttpClient
from bridge.login.browser import check_openable
from bridge.login.prompt import Prompt, PromptShown, Warnings
from bridge.login.token_endpoint import TokenEndpoint
from bridge.oauth import mix_up
from bridge.oauth.client import authenticate
from bridge.oauth.device import DeviceCode, DevicePoll, DeviceRequest, device_endpoint, device_form, read_device_code
from bridge.oauth.grants import Tokens

_logger = logging.getLogger("bridge.login")


class DeviceSignIn:
    """Signs in by a code.

    `add_secret` takes each secret before it is used; `warnings` are to be read before; `clock` is in seconds and only
    goes on.
    """

    def __init__(
        self,
        web: AuthHttpClient,
        person: Prompt,
        add_secret: Callable[[str], None],
        *,
        warnings: Warnings | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._web = web
        self._person = person
        self._add_secret = add_secret
        self._warnings = warnings or Warnings()
        self._clock = clock
        self._sleep = sleep
        self._token_endpoint = TokenEndpoint(web, add_secret)
        self.has_asked = False
        """Whether a person was asked for anything."""

    async def run(self, request: DeviceRequest, seconds: float) -> Tokens:
        """Ask for a code, show it, and wait for the tokens up to `seconds`, or for as long as the code is good.

        Raises `Refused`, `TimedOut`, `ClientUnknown` or another `SignInError`.
        """
        code = await self._code(request)
        if warning := mix_up.warning(request.server, code_page=code.url):
            self._warnings.add(warning)
        poll = DevicePoll(request, code, seconds, self._clock())
        self.has_asked = True
        # It may take its time to open a browser, and the code is being typed in meanwhile.
        asked = PromptShown(code.url, poll.seconds, code.user_code, warnings=self._warnings.texts)
        showing = asyncio.create_task(self._person.ask(asked))
        try:
            tokens = await self._wait(request, code, poll)
        finally:
            showing.cancel()
        self._person.answered()
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
        body, headers = authenticate(request.client, device_form(request))
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        reply = await self._web.post(url, "device authorization endpoint", urlencode(body).encode("ascii"), headers)
        code = read_device_code(reply.status, reply.content_type, reply.body, url)
        self._add_secret(code.device_code)
        # A person opens it, so it is judged as the authorization endpoint is.
        await self._web.vet(code.verification_uri.partition("#")[0], "verification_uri")
        await self._web.vet(code.url.partition("#")[0], "verification_uri")
        check_openable(code.url)
        _logger.debug("%s gave a code for %g seconds, asked for every %g", url, code.expires_in, code.interval)
        return code
