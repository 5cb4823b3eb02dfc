"""The messages between the login process and its clients: one line of JSON each (`channel`)."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Raw

Phase = Literal["preparing", "waiting", "finishing", "done", "failed"]
Tab = Literal["", "opened", "unopened"]
Failure = Literal["", "refused", "timed-out", "stopped", "failed"]


class LoginStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="news"):
    """The whole state of a login.

    | `phase` | meaning |
    |---|---|
    | `preparing` | there is nothing to do for the user yet |
    | `waiting` | the user reads `warnings`, opens `url` and, for RFC 8628 3.3, enters `user_code`, before `ends_at` |
    | `finishing` | the user is done, and the token is being fetched |
    | `done` | the last message; `record` (`oauth/record`) is the result, and `is_kept` says whether the store has it |
    | `failed` | the last message; `failure` and `needs_change` are for programs, `message` and `hint` for people |

    `ends_at` is in Unix seconds. `tab` says whether a browser was opened. `log` has the last lines of the log, as level
    and text, and `logged` counts all its lines.
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
    needs_change: bool = False

    def __repr__(self) -> str:
        """Without the URL, which holds `state`, and without the record."""
        return f"News({self.phase!r}, {self.failure!r}, {self.message!r})"

    def log_since(self, logged: int) -> tuple[tuple[str, str], ...]:
        """The lines of the log after the first `logged` ones, as far as `log` still has them."""
        return self.log[max(0, len(self.log) - (self.logged - logged)) :]

    @property
    def is_last(self) -> bool:
        """Whether the login is over."""
        return self.phase in {"done", "failed"}


class LoginCommand(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="word"):
    """A client's wish, which is answered by a `LoginReply` with the same number.

    `callback`: take `text`, the query of a redirect URL that the user pasted. `open`: open a browser now. `stop`: end
    without a token.
    """

    number: int
    want: Literal["callback", "open", "stop"]
    text: str = ""

    def __repr__(self) -> str:
        """Without the text, which may hold a code."""
        return f"Word({self.number}, {self.want!r})"


class LoginReply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="reply"):
    """The answer to a `LoginCommand`. `problem` says why it was not done; empty if it was."""

    number: int
    problem: str = ""
