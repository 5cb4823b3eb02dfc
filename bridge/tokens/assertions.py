"""The assertion, or ID token, of a grant without a user: read when it is needed, and not sent again once refused."""

from __future__ import annotations

import asyncio
import hashlib
import os

from bridge.config import NotedEnvironment, SignInSettings
from bridge.oauth.errors import NeedsChange, SignInError


class Assertions:
    """The assertions of one process. Files of workload identities are replaced while it runs."""

    def __init__(self, settings: SignInSettings) -> None:
        self._where = settings.assertion or settings.idp_id_token
        self._option = "--assertion" if settings.assertion else "--idp-id-token"
        self._refused = ""
        self._problem = SignInError("")

    async def read(self) -> str:
        """The assertion as it is now; empty for another grant.

        Raises `BridgeError` where there is none, and `NeedsChange` where it is the one that was refused.
        """
        if self._where is None:
            return ""
        assertion = await asyncio.to_thread(self._load, self._where)  # A command may take long.
        if _digest(assertion) == self._refused:
            raise NeedsChange(self._problem.message, hint=self._problem.hint)
        return assertion

    def refused(self, assertion: str, problem: SignInError) -> None:
        """The authorization server refused this assertion, with this error."""
        if assertion and isinstance(problem, NeedsChange):
            self._refused, self._problem = _digest(assertion), problem

    def _load(self, where: str) -> str:
        from bridge.config.secret_reference import reference_in
        from bridge.process.secret_sources import read_secrets

        reference = reference_in(where)
        assert reference is not None  # noqa: S101 - the settings are checked
        return read_secrets({reference: self._option}, NotedEnvironment(os.environ))[reference]


def _digest(assertion: str) -> str:
    return hashlib.sha256(assertion.encode("utf-8", "surrogatepass")).hexdigest()
