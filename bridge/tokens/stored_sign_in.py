"""One sign-in as the store has it, and the account that it is for."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from bridge.config import Settings
from bridge.errors import BridgeError
from bridge.oauth.record import Freshness, Record, decode, freshness
from bridge.store.secret_store import SecretStore

READ_SECONDS = 5.0
"""How long reading one sign-in may take."""

WHO_SECONDS = 3.0
"""How long asking for the account's name may take."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A sign-in in the store. `problem` says why its record cannot be read, where that is so."""

    store_key: str
    place: str
    record: Record | None = None
    problem: str = ""
    server: str = ""
    """The server's URL where it is known without the record, as from a login under way."""


async def read_stored(store: SecretStore, store_key: str, seconds: float = READ_SECONDS) -> Stored:
    """The sign-in in `store_key`."""
    place = store.place(store_key)
    try:
        async with asyncio.timeout(seconds):
            data = await store.load(store_key)
        place = store.place(store_key)  # Loading may have moved it from where an earlier version kept it.
    except TimeoutError:
        return Stored(store_key, place, problem=f"{place} did not answer within {seconds:g} seconds")
    except BridgeError as problem:
        return Stored(store_key, place, problem=str(problem))
    record = decode(data) if data else None
    return Stored(
        store_key, place, record, "" if record else "it is damaged, or was written by a later version of the bridge"
    )


async def who(record: Record, settings: Settings | None = None, seconds: float = WHO_SECONDS) -> str:
    """The name of the account that is signed in; empty where it is not known. Never raises.

    The ID token has it; else the server that issued the token is asked, unless the token has expired.
    """
    from bridge.oauth.identity import user_of_id_token

    if known := user_of_id_token(record.id_token):
        return known
    is_good = bool(record.access_token) and freshness(record, time.time()) is not Freshness.EXPIRED
    if record.userinfo_endpoint is None or not is_good:
        return ""
    from bridge.login.account import whoami
    from bridge.tokens.sign_in_setup import open_http

    try:
        async with asyncio.timeout(seconds):
            return await whoami(open_http(settings or settings_for(record), kept=record.reach), record)
    except (BridgeError, TimeoutError):
        return ""


def settings_for(record: Record) -> Settings:
    """Settings with which the servers of a sign-in can be reached; the other options of its run are not known."""
    return Settings(url=record.server, allow_http=True)
