"""The person who signs in, as a sign-in sees him: somebody is shown something, and answers some time later."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Asked(msgspec.Struct, frozen=True):
    """What a person has to do: open `url`, with `user_code` where there is one (RFC 8628 3.3), within `seconds`.

    `redirect_uri` is where the browser brings the answer; empty where it brings none.
    """

    url: str
    seconds: float
    user_code: str = ""
    redirect_uri: str = ""

    def __repr__(self) -> str:
        """Without the URL, which holds `state`."""
        return f"Asked({self.redirect_uri!r})"


class Person(Protocol):
    """Whoever is asked. None of these raises."""

    async def ask(self, asked: Asked) -> None:
        """Show what is to be done, and open a browser if that is wanted. Comes back once it is tried."""

    def answered(self) -> None:
        """An answer came; the token is being fetched."""
