"""What to do when a server refuses a request because of its token.

The first row that applies decides:

| the refused token | status | step |
|---|---|---|
| is no longer the one in use | any | `RETRY` with the one in use |
| differs from the one in the store | any | `RELOAD`: another process signed in or refreshed |
| lacks a scope that was not requested | 403 | `SIGN_IN` with more scopes, because a refresh cannot add any |
| lacks a scope that was requested | 403 | `GIVE_UP` |
| came from a sign-in and was never accepted | 401 | `GIVE_UP`: another sign-in would end the same way |
| came from a refresh and was never accepted | 401 | `SIGN_IN` |
| can be renewed without the user | 401 | `REFRESH` |
| cannot be renewed, or there is no token | 401 | `SIGN_IN` |
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

import msgspec

from bridge.oauth.record import Record

MAX_STEP_UPS = 3
"""How many times one request may lead to a sign-in for more scopes."""


class Step(enum.Enum):
    """See the table above."""

    RETRY = enum.auto()
    RELOAD = enum.auto()
    REFRESH = enum.auto()
    SIGN_IN = enum.auto()
    GIVE_UP = enum.auto()


class TokenSource(enum.Enum):
    """Where the token in use came from."""

    STORE = enum.auto()
    REFRESH = enum.auto()
    SIGN_IN = enum.auto()


class TokenInUse(msgspec.Struct, frozen=True):
    """The token in use. `accepted` says whether the server ever accepted it."""

    record: Record | None
    origin: TokenSource
    accepted: bool


def next_step(
    held: TokenInUse, stored: Record | None, *, in_use: bool, lacks: Sequence[str] | None, step_ups: int
) -> Step:
    """Decide by the table above.

    `lacks` are the scopes that a 403 named, None for a 401. `step_ups` counts the sign-ins for more scopes that this
    request has led to so far.
    """
    if not in_use:
        return Step.RETRY
    record = held.record
    if stored is not None and stored.access_token and (record is None or stored.access_token != record.access_token):
        return Step.RELOAD
    if lacks is not None:
        from bridge.oauth.scopes import split

        asked = set(split(record.asked)) if record else set()
        # A refusal that names no scope is tried once: the metadata may list more scopes than were requested.
        new = step_ups == 0 if not lacks else not set(lacks) <= asked
        return Step.SIGN_IN if new and step_ups < MAX_STEP_UPS else Step.GIVE_UP
    if record is None or not record.access_token:
        return Step.SIGN_IN
    if held.origin is TokenSource.SIGN_IN and not held.accepted:
        return Step.GIVE_UP
    if held.origin is TokenSource.REFRESH and not held.accepted:
        return Step.SIGN_IN
    return Step.REFRESH if record.is_renewable else Step.SIGN_IN
