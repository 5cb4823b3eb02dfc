"""All that is known of sign-ins on this machine: what is stored, what is under way, and what runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bridge.app.copies import Copy
from bridge.app.host_environment import keyring_variables
from bridge.app.login_files import LoginFiles, Notice
from bridge.app.logins import reach
from bridge.app.sign_ins import TOKENS, Stored, stored_sign_ins, who
from bridge.errors import BridgeError
from bridge.login.news import News
from bridge.store.places import platform_places
from bridge.store.responses import Summary, summary_of, summary_of_others
from bridge.store.vault import StoreChoice, Vault, open_vault

KeptAnswers = Summary
"""What is kept of a server's answers, or of several servers'."""

_NEWS_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Use:
    """A copy that runs, and the slot, server and profile that its words mean."""

    copy: Copy
    slot: str
    server: str
    profile: str


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A login that is under way, and how it stands."""

    notice: Notice
    news: News


@dataclass(slots=True)
class Row:
    """One sign-in: a server as one client, in one profile. `server` is empty where its record is not to be had."""

    slot: str
    server: str = ""
    profile: str = ""
    stored: Stored | None = None
    who: str = ""
    login: UnderWay | None = None
    copies: list[Copy] = field(default_factory=list)
    kept: KeptAnswers = field(default_factory=KeptAnswers)
    """The answers of the server that are kept, whichever sign-in they are for."""


async def overview_here(token_store: StoreChoice, uses: Callable[[], Sequence[Use]]) -> list[Row]:
    """The overview of this machine. `uses` lists the copies, and may take a while. Raises `StoreError`."""
    vault = open_vault(token_store, lambda _: None, keyring_variables)
    rows = await overview(vault, LoginFiles(platform_places()), await asyncio.to_thread(uses))
    for row in rows:
        row.kept = summary_of(row.server) if row.server else Summary()
    return rows


def kept_of_others(rows: Sequence[Row]) -> tuple[int, Summary]:
    """Of how many servers without a row answers are kept, and what; which servers, nobody knows."""
    return summary_of_others(row.server for row in rows if row.server)


async def overview(vault: Vault, files: LoginFiles, uses: Sequence[Use]) -> list[Row]:
    """A row for each sign-in that is stored, under way or in use, by server and profile. Raises `StoreError`."""
    rows: dict[str, Row] = {}
    stored, logins = await asyncio.gather(stored_sign_ins(vault), _under_way(files))
    names = await asyncio.gather(*(who(one.record) if one.record else _nobody() for one in stored))
    for one, name in zip(stored, names, strict=True):
        record = one.record
        rows[one.slot] = Row(one.slot, record.server if record else "", record.profile if record else "", one, name)
    for login in logins:
        slot = f"{TOKENS}-{login.notice.slot.partition('-')[2]}"
        _named(rows, slot, login.notice.server, login.notice.profile).login = login
    for use in uses:
        _named(rows, use.slot, use.server, use.profile).copies.append(use.copy)
    return sorted(rows.values(), key=lambda row: (not row.server, row.server, row.profile, row.slot))


def _named(rows: dict[str, Row], slot: str, server: str, profile: str) -> Row:
    row = rows.setdefault(slot, Row(slot))
    row.server, row.profile = row.server or server, row.profile or profile
    return row


async def _nobody() -> str:
    return ""


async def _under_way(files: LoginFiles) -> list[UnderWay]:
    found = await asyncio.gather(*map(_asked, files.notices()))
    return [login for login in found if login is not None]


async def _asked(notice: Notice) -> UnderWay | None:
    """How this login stands; None where it is over."""
    channel = await reach(notice)
    if channel is None:
        return None
    try:
        with contextlib.suppress(BridgeError, TimeoutError):
            async with asyncio.timeout(_NEWS_SECONDS):
                news = await channel.news()
                return None if news.is_last else UnderWay(notice, news)
        return UnderWay(notice, News(phase="preparing"))
    finally:
        await channel.close()
