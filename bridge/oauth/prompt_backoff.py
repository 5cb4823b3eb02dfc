"""When a browser may be opened by itself: never one tab after the other while the user does not answer.

A user who asks for a sign-in, by the tool `sign_in` or at the command line, is not held back by any of this.

| how the last sign-in went | a tab by itself |
|---|---|
| there was none, or it opened no tab | now |
| the user signed out while this run was there | not in this run |
| the user refused or did not answer, n times in a row | after the pause, doubled n times, at most an hour |
| it ended without an outcome, as when its process was killed | now, once; then as if the user had refused |
| it succeeded | now: the token did not last, which is not the user's doing |
| it succeeded, and the server refused the new token | after the pause |
| it failed for another reason | after the pause |
"""

from __future__ import annotations

from typing import Literal

import msgspec

PAUSE = 60.0
"""Seconds between two tabs that are opened by themselves."""

LONGEST_PAUSE = 3600.0

_MOST_FAILURES = 30

Outcome = Literal["", "done", "refused", "timed-out", "stopped", "failed"]


class PromptHistory(msgspec.Struct, frozen=True):
    """How sign-ins to one server went. Times are Unix seconds, 0 for never.

    `tab_at`: when a browser was last opened. `outcome` and `ended_at` are the last sign-in's; while one is under way
    they are empty and 0. `failures` counts those in a row that no token came of; `crashes` those that ended without a
    word. `logged_out_at`: when somebody signed out on purpose.
    """

    tab_at: float = 0.0
    outcome: Outcome = ""
    ended_at: float = 0.0
    failures: int = 0
    crashes: int = 0
    logged_out_at: float = 0.0

    def tab_opened(self, now: float) -> PromptHistory:
        """A sign-in opens a browser."""
        crashes = self.crashes + 1 if self.was_cut_off else 0
        return msgspec.structs.replace(self, tab_at=now, outcome="", ended_at=0.0, crashes=crashes)

    def ended(self, outcome: Outcome, now: float) -> PromptHistory:
        """A sign-in is over."""
        failures = min(self.failures + 1, _MOST_FAILURES) if outcome in {"refused", "timed-out"} else self.failures
        if outcome == "done":
            return PromptHistory(tab_at=self.tab_at, outcome=outcome, ended_at=now)
        return msgspec.structs.replace(self, outcome=outcome, ended_at=now, failures=failures, crashes=0)

    def logged_out(self, now: float) -> PromptHistory:
        """Somebody signed out."""
        return PromptHistory(logged_out_at=now)

    @property
    def was_cut_off(self) -> bool:
        """Whether the last sign-in to open a tab ended without a word. Only told while none is under way."""
        return bool(self.tab_at) and not self.ended_at


class PromptHeldBack(msgspec.Struct, frozen=True):
    """No tab is opened by itself before `until` (Unix seconds; infinite: not in this run)."""

    until: float
    outcome: Outcome


def held_back(history: PromptHistory, *, now: float, since: float, pause: float = PAUSE) -> PromptHeldBack | None:
    """Judge by the table above; None: a tab may be opened. Call it while no sign-in is under way.

    `since`: when this run began (Unix seconds).
    """
    last = max(history.tab_at, history.ended_at)
    if since < history.logged_out_at <= now:
        return PromptHeldBack(float("inf"), "stopped")
    if not history.tab_at or last > now:  # The clock was set back: what it said is worth nothing.
        return None
    if history.outcome == "done":
        return None
    if history.was_cut_off and not history.crashes:
        return None
    failures = max(0, min(history.failures + history.crashes, _MOST_FAILURES))
    until = last + min(pause * 2**failures, max(pause, LONGEST_PAUSE))
    return PromptHeldBack(until, history.outcome) if now < until else None
