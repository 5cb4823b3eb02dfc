"""The person who signs in, as a sign-in sees him: somebody is shown something, and answers some time later."""

from __future__ import annotations

import logging
from typing import Protocol

import msgspec

_logger = logging.getLogger("bridge.login")


class PromptShown(msgspec.Struct, frozen=True):
    """What a person has to do: open `url`, with `user_code` where there is one (RFC 8628 3.3), within `seconds`.

    `redirect_uri` is where the browser brings the answer; empty where it brings none. `warnings` are sentences that
    the user has to read before: see `Warnings`. `shown_first` is the page on this machine that shows them and leads on
    to `url`: a browser that is opened here is given it instead; empty where there is none.
    """

    url: str
    seconds: float
    user_code: str = ""
    redirect_uri: str = ""
    warnings: tuple[str, ...] = ()
    shown_first: str = ""

    def __repr__(self) -> str:
        """Without the URL, which holds `state`."""
        return f"Asked({self.redirect_uri!r})"


class Warnings:
    """What the user is to know before signing in, such as that something is not as it was the last time.

    Each is one short sentence. It is logged, and so is on stderr; it stands in the text of the tool `sign_in`, and on a
    page of this machine before the tab goes on to the authorization server.
    """

    def __init__(self) -> None:
        self.texts: tuple[str, ...] = ()

    def begin(self) -> None:
        """Another authorization server is tried: what was said of the one before does not count."""
        self.texts = ()

    def add(self, text: str) -> None:
        """Warn of something, once."""
        if text not in self.texts:
            self.texts = (*self.texts, text)
            _logger.warning("%s", text)


class Prompt(Protocol):
    """Whoever is asked. None of these raises."""

    async def ask(self, asked: PromptShown) -> None:
        """Show what is to be done, and open a browser if that is wanted. Comes back once it is tried."""

    def answered(self) -> None:
        """An answer came; the token is being fetched."""
