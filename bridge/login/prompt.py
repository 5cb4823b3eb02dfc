"""The user as a sign-in sees them: a request is shown to the user, and the answer comes some time later."""

from __future__ import annotations

from typing import Protocol

import msgspec


class PromptShown(msgspec.Struct, frozen=True):
    """What the user has to do: open `url`, and enter `user_code` if there is one (RFC 8628 3.3), within `seconds`.

    `redirect_uri` is where the browser brings the answer; empty if it brings none. `warnings` are sentences that
    the user has to read first (`user_warnings`). `shown_first` is a page on this machine that shows them and leads on
    to `url`: a browser that is opened here gets it instead of `url`. It is empty if there is no such page. With
    `is_renewed` the link takes the place of the one before, which expires, and no browser is opened for it.
    """

    url: str
    seconds: float
    user_code: str = ""
    redirect_uri: str = ""
    warnings: tuple[str, ...] = ()
    shown_first: str = ""
    is_renewed: bool = False

    def __repr__(self) -> str:
        """Without the URL, which holds `state`."""
        return f"PromptShown({self.redirect_uri!r})"


class Prompt(Protocol):
    """The way to the user. None of these methods raises."""

    async def ask(self, asked: PromptShown) -> None:
        """Show what has to be done, and open a browser if one is wanted. Returns once that was tried."""

    def answered(self) -> None:
        """Note that the answer came and the token is being fetched."""
