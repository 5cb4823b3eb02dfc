"""The link that the user opens, made by pushing the authorization request where the server wants that (RFC 9126)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable

from bridge.login.browser import check_openable
from bridge.login.client_requests import ClientRequests
from bridge.oauth.errors import SignInError
from bridge.oauth.pushed_request import AuthorizationLink, Pushing, pushed_form, pushing, read_pushed
from bridge.oauth.request import AuthorizationRequest, authorization_url

_logger = logging.getLogger("bridge.login")


class AuthorizationLinks:
    """Makes links. `extra` are the user's own parameters."""

    def __init__(self, requests: ClientRequests, extra: Iterable[tuple[str, str]]) -> None:
        self._requests = requests
        self._extra = tuple(extra)

    async def link(self, pending: AuthorizationRequest) -> AuthorizationLink:
        """The link for a request. Raises `SignInError` if it must be pushed and the server does not take it.

        `ClientUnknown` among them: a server that takes a request knows the client.
        """
        kind = pushing(pending.server, pending.client)
        if kind is not Pushing.NEVER:
            try:
                return await self._pushed(pending)
            except SignInError as problem:
                if kind is Pushing.REQUIRED:
                    raise
                _logger.info("the browser brings the whole request, which could not be pushed: %s", problem.message)
        link = AuthorizationLink(authorization_url(pending, self._extra))
        check_openable(link.url)
        return link

    async def renewals(
        self, pending: AuthorizationRequest, link: AuthorizationLink
    ) -> AsyncIterator[AuthorizationLink]:
        """Another link each time before the last one expires; none for a link that does not."""
        while (seconds := link.renewed_after) is not None:
            await asyncio.sleep(seconds)
            try:
                link = await self._pushed(pending)
            except SignInError as problem:
                _logger.info("the link expires, and the request could not be pushed again: %s", problem.message)
            else:
                yield link

    async def _pushed(self, pending: AuthorizationRequest) -> AuthorizationLink:
        server = pending.server
        url = server.pushed_authorization_request_endpoint
        assert url is not None  # noqa: S101 - `pushing` says so
        form, methods = pushed_form(pending, self._extra), server.token_endpoint_auth_methods
        reply, _ = await self._requests.post(
            url, "pushed authorization request endpoint", pending.client, form, methods, issuer=server.issuer
        )
        link = read_pushed(reply.status, reply.content_type, reply.body, pending, url)
        check_openable(link.url)
        return link
