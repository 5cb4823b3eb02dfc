"""What to do about a request that was refused for want of the right token, as one table.

| the refused token | status | what is done |
|---|---|---|
| is not the one in use any more | any | `RETRY` with the one in use |
| is not the one in the store | any | `RELOAD`: somebody signed in or refreshed elsewhere |
| lacks a scope it never asked for | 403 | `SIGN_IN` with more scopes; a refresh cannot widen a grant |
| lacks a scope that was asked for | 403 | `GIVE_UP` |
| came from a sign-in and was never accepted | 401 | `GIVE_UP`: another sign-in would end the same way |
| came from a refresh and was never accepted | 401 | `SIGN_IN` |
| has a refresh token | 401 | `REFRESH` |
| none, or without a refresh token | 401 | `SIGN_IN` |
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

import msgspec

from bridge.oauth.record import Record

MAX_STEP_UPS = 3
"""How often one request may ask for more scopes."""


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
    """The token in use. `accepted` tells whether the server ever took it."""

    record: Record | None
    origin: TokenSource
    accepted: bool


def next_step(
    held: TokenInUse, stored: Record | None, *, in_use: bool, lacks: Sequence[str] | None, step_ups: int
) -> Step:
    """Decide. `lacks` are the scopes that a 403 named, None for a 401; `step_ups` counts this request's so far."""
    if not in_use:
        return Step.RETRY
    record = held.record
    if stored is not None and stored.access_token and (record is None or stored.access_token != record.access_token):
        return Step.RELOAD
    if lacks is not None:
        from bridge.oauth.scopes import split

        asked = set(split(record.asked)) if record else set()
        # A refusal that names no scope is worth one try: the metadata may name more than were asked for.
        new = step_ups == 0 if not lacks else not set(lacks) <= asked
        return Step.SIGN_IN if new and step_ups < MAX_STEP_UPS else Step.GIVE_UP
    if record is None or not record.access_token:
        return Step.SIGN_IN
    if held.origin is TokenSource.SIGN_IN and not held.accepted:
        return Step.GIVE_UP
    if held.origin is TokenSource.REFRESH and not held.accepted:
        return Step.SIGN_IN
    return Step.REFRESH if record.refresh_token else Step.SIGN_IN
