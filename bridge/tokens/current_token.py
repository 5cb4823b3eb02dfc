"""The record whose token requests carry at the moment, and what is known of it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from bridge.oauth.record import Freshness, Record, freshness
from bridge.oauth.recovery import Step, TokenInUse, TokenSource, next_step
from bridge.remote.credentials import ANONYMOUS, AuthRefusal, Credential

_PAST_TOKENS = 8


class CurrentToken:
    """One record at a time; none where requests go out without a token.

    `add_secret` is given each secret before it is used. `identities` counts the changes of the identity; `changed` is
    set when the next record takes the place of this one.
    """

    def __init__(self, add_secret: Callable[[str], None], *, use_id_token: bool) -> None:
        self.record: Record | None = None
        self.credential = ANONYMOUS
        self.identities = 0
        self.changed = asyncio.Event()
        self._add_secret = add_secret
        self._use_id_token = use_id_token
        self._origin = TokenSource.STORE
        self._is_accepted = False
        self._past: deque[str] = deque(maxlen=_PAST_TOKENS)

    @property
    def identity(self) -> str:
        """In whose name requests go out (`Record.identity`); empty without a record."""
        return _identity(self.record)

    def adopt(self, record: Record | None, origin: TokenSource) -> None:
        """Use this record from now on."""
        for secret in record.secrets() if record else ():
            self._add_secret(secret)
        if self.record is not None and self.record.access_token:
            self._past.append(self.record.access_token)
        self.identities += _identity(record) != self.identity
        self.record = record
        self._origin = origin
        self._is_accepted = False
        self.credential = Credential(self.credential.serial + 1, self._header(record))
        self.changed.set()
        self.changed = asyncio.Event()

    def accepted(self, credential: Credential) -> None:
        """The server accepted a request with this credential."""
        if credential.serial == self.credential.serial:
            self._is_accepted = True

    def next_step(self, refusal: AuthRefusal, stored: Record | None, now: float) -> Step:
        """What to do about a refusal (`oauth.recovery`). `stored` is what the store has, `now` is in Unix seconds."""
        if stored is not None and stored.access_token in self._past:
            stored = None  # It was in use here before, and could only not be replaced in the store.
        record = self.record
        # A token that expired before it was ever used was not refused for any other reason.
        expired = record is not None and freshness(record, now) is Freshness.EXPIRED
        held = TokenInUse(record, self._origin, self._is_accepted or expired)
        in_use = refusal.credential.serial == self.credential.serial
        return next_step(held, stored, in_use=in_use, lacks=refusal.lacks, step_ups=refusal.step_ups)

    def _header(self, record: Record | None) -> bytes | None:
        if record is None or not record.access_token:
            return None
        token = (self._use_id_token and record.id_token) or record.access_token
        return b"Bearer " + token.encode("ascii")


def _identity(record: Record | None) -> str:
    return record.identity if record is not None else ""
