"""What a login tells those who wait for it, and what they may tell it: a line of JSON each on the channel between."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Raw

Phase = Literal["preparing", "waiting", "finishing", "done", "failed"]
Tab = Literal["", "opened", "unopened"]
Failure = Literal["", "refused", "timed-out", "stopped", "failed"]


class LoginStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="news"):
    """How a login stands, whole each time.

    `preparing`: nobody can do anything yet. `waiting`: for a person, who reads `warnings`, then opens `url` (and types
    in `user_code`, RFC 8628 3.3) until `ends_at` (Unix seconds). `finishing`: the person is done, the token is fetched.
    `done` and `failed` are the last: `failure` is for programs, `message` and `hint` are for people. `tab` tells what
    became of opening a browser. `log` has the last lines of the login's log, level and text, of `logged` in all.
    `record` (`oauth/record`) comes with `done`; `is_kept` tells that the store has it too.
    """

    phase: Phase
    url: str = ""
    user_code: str = ""
    redirect_uri: str = ""
    warnings: tuple[str, ...] = ()
    tab: Tab = ""
    ends_at: float = 0.0
    failure: Failure = ""
    message: str = ""
    hint: str = ""
    logged: int = 0
    log: tuple[tuple[str, str], ...] = ()
    record: Raw = Raw()
    is_kept: bool = True

    def __repr__(self) -> str:
        """Without the URL, which holds `state`, and without the record."""
        return f"News({self.phase!r}, {self.failure!r}, {self.message!r})"

    def log_since(self, logged: int) -> tuple[tuple[str, str], ...]:
        """The lines of the log that came after the first `logged`, as far as they are still there."""
        return self.log[max(0, len(self.log) - (self.logged - logged)) :]

    @property
    def is_last(self) -> bool:
        """Whether the login is over."""
        return self.phase in {"done", "failed"}


class LoginCommand(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="word"):
    """What one who waits wants; each gets a `LoginReply` with its number.

    `callback`: `text` is the query of a redirect URL that a person pasted. `open`: open a browser now. `stop`: end
    without a token.
    """

    number: int
    want: Literal["callback", "open", "stop"]
    text: str = ""

    def __repr__(self) -> str:
        """Without the text, which may hold a code."""
        return f"Word({self.number}, {self.want!r})"


class LoginReply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="reply"):
    """The answer to a `LoginCommand`. `problem` says why it was not done, empty where it was."""

    number: int
    problem: str = ""
