"""When the bridge may open a browser unasked: it must not open one tab after another while the user does not answer.

None of this applies when the user asks for a sign-in, with the tool `sign_in` or a command.

| the last sign-in | the bridge may open a tab |
|---|---|
| there was none, or it opened no tab | now |
| the user signed out during this run | not in this run |
| the user refused or did not answer, n times in a row | after the pause, doubled n times, at most an hour |
| ended without an outcome, because its process was killed | now, once; then as if the user had refused |
| succeeded | now: the token expired, which is not the user's doing |
| succeeded, but the server refused the new token at once | after the pause |
| was the fifth within ten minutes | ten minutes after the first: a server whose tokens do not last opens no more tabs |
| failed for another reason | after the pause |
"""

from __future__ import annotations

from typing import Literal

import msgspec

from bridge.protocol.backoff import Backoff

PAUSE = 60.0
"""Seconds between two tabs that are opened unasked."""

LONGEST_PAUSE = 3600.0

_MOST_FAILURES = 30

_MANY, _MANY_SECONDS = 5, 600.0

Outcome = Literal["", "done", "unaccepted", "refused", "timed-out", "stopped", "failed"]
"""How a sign-in ended. `unaccepted`: it succeeded, and the server refused the new token at once."""


class PromptHistory(msgspec.Struct, frozen=True):
    """The sign-ins to one server. Times are Unix seconds, 0 for never.

    `tab_at` is when a browser was last opened. `outcome` and `ended_at` belong to the last sign-in, and are empty and 0
    while one is under way. `failures` counts the sign-ins in a row that the user refused or did not answer, `crashes`
    those that ended without an outcome. `logged_out_at` is when the user signed out. Since `counted_from`, at most ten
    minutes before the last one, `counted` tabs were opened.
    """

    tab_at: float = 0.0
    outcome: Outcome = ""
    ended_at: float = 0.0
    failures: int = 0
    crashes: int = 0
    logged_out_at: float = 0.0
    counted_from: float = 0.0
    counted: int = 0

    def tab_opened(self, now: float) -> PromptHistory:
        """The history after a sign-in opened a browser."""
        crashes = self.crashes + 1 if self.was_cut_off else 0
        begins = not 0 <= now - self.counted_from < _MANY_SECONDS
        return msgspec.structs.replace(
            self,
            tab_at=now,
            outcome="",
            ended_at=0.0,
            crashes=crashes,
            counted_from=now if begins else self.counted_from,
            counted=1 if begins else self.counted + 1,
        )

    def ended(self, outcome: Outcome, now: float) -> PromptHistory:
        """The history after a sign-in ended."""
        failures = min(self.failures + 1, _MOST_FAILURES) if outcome in {"refused", "timed-out"} else self.failures
        if outcome == "done":
            return msgspec.structs.replace(
                self, outcome=outcome, ended_at=now, failures=0, crashes=0, logged_out_at=0.0
            )
        return msgspec.structs.replace(self, outcome=outcome, ended_at=now, failures=failures, crashes=0)

    def logged_out(self, now: float) -> PromptHistory:
        """The history after the user signed out."""
        return PromptHistory(logged_out_at=now)

    @property
    def was_cut_off(self) -> bool:
        """Whether the last sign-in that opened a tab ended without an outcome. Valid only while none is under way."""
        return bool(self.tab_at) and not self.ended_at


class PromptHeldBack(msgspec.Struct, frozen=True):
    """No tab may be opened unasked before `until` (Unix seconds; infinite: not in this run)."""

    until: float
    outcome: Outcome


def held_back(history: PromptHistory, *, now: float, since: float, pause: float = PAUSE) -> PromptHeldBack | None:
    """Decide by the table above; None if a tab may be opened. Call it while no sign-in is under way.

    `since` is when this run began (Unix seconds).
    """
    last = max(history.tab_at, history.ended_at)
    if since < history.logged_out_at <= now:
        return PromptHeldBack(float("inf"), "stopped")
    if not history.tab_at or last > now:  # The clock was set back, so the times mean nothing.
        return None
    if history.outcome == "done":
        until = history.counted_from + _MANY_SECONDS
        return PromptHeldBack(until, "done") if history.counted >= _MANY and now < until else None
    if history.was_cut_off and not history.crashes:
        return None
    failures = max(0, min(history.failures + history.crashes, _MOST_FAILURES))
    until = last + Backoff(pause, max(pause, LONGEST_PAUSE)).before(failures + 1)
    return PromptHeldBack(until, history.outcome) if now < until else None


_WHY = {
    "": "the last sign-in was interrupted",
    "done": "it has needed that several times within ten minutes",
    "unaccepted": "the server refused the token of the last sign-in",
    "refused": "the last sign-in was refused",
    "timed-out": "the last sign-in was not finished in time",
}


def why_held_back(held: PromptHeldBack, url: str, now: float) -> str:
    """Why the bridge opens no browser for the server at `url`, as a sentence for the user."""
    if held.until == float("inf"):
        return f"You signed out of {url}, so the bridge opens no browser by itself."
    why = _WHY.get(held.outcome, "the last sign-in failed")
    seconds = f"{held.until - now:.0f} s"
    return f"{url} needs you to sign in, but {why}, so the bridge opens no browser by itself for another {seconds}."
