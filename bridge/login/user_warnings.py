"""What the user should know before signing in."""

from __future__ import annotations

import logging

_logger = logging.getLogger("bridge.login")


class Warnings:
    """The warnings of one sign-in, such as that the authorization server is not the one of the last time.

    Each is one short sentence. It is written to the log (and so to stderr), into the result of the tool `sign_in`, and
    onto a page on this machine that the browser shows before it goes on to the authorization server.
    """

    def __init__(self) -> None:
        self.texts: tuple[str, ...] = ()

    def begin(self) -> None:
        """Drop the warnings about an authorization server that was tried before: another one is tried now."""
        self.texts = ()

    def add(self, text: str) -> None:
        """Warn of something, once."""
        if text not in self.texts:
            self.texts = (*self.texts, text)
            _logger.warning("%s", text)
