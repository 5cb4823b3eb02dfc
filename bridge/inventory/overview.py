"""All sign-ins of this machine: those that are stored, those under way, and those that running copies use."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bridge.config import TokenStore
from bridge.errors import BridgeError
from bridge.inventory.running_instances import RunningInstance
from bridge.inventory.sign_ins import TOKENS, stored_sign_ins
from bridge.login.channel_messages import LoginStatus
from bridge.process.host_environment import keyring_variables
from bridge.store.choice import open_store
from bridge.store.paths import platform_paths
from bridge.store.response_files import Summary, summary_of, summary_of_others
from bridge.store.secret_store import SecretStore
from bridge.tokens.login_files import LoginFiles, Notice
from bridge.tokens.logins import reach
from bridge.tokens.stored_sign_in import Stored, who

KeptAnswers = Summary
"""The stored answers of one server, or of several."""

_NEWS_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ServerInUse:
    """A running copy, and the store key, server and profile that its arguments mean."""

    instance: RunningInstance
    store_key: str
    server: str
    profile: str


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A login that is under way, and its status."""

    notice: Notice
    login_status: LoginStatus


@dataclass(slots=True)
class SignInRow:
    """One sign-in: to a server, as one client, in one profile. `server` is empty where its record cannot be read."""

    store_key: str
    server: str = ""
    profile: str = ""
    stored: Stored | None = None
    who: str = ""
    login: UnderWay | None = None
    instances: list[RunningInstance] = field(default_factory=list)
    kept: KeptAnswers = field(default_factory=KeptAnswers)
    """The stored answers of the server, for all sign-ins."""


async def overview_here(token_store: TokenStore, uses: Callable[[], Sequence[ServerInUse]]) -> list[SignInRow]:
    """The overview of this machine. `uses` lists the copies, and may take a while. Raises `StoreError`."""
    store = open_store(token_store, lambda _: None, keyring_variables)
    rows = await overview(store, LoginFiles(platform_paths()), await asyncio.to_thread(uses))
    for row in rows:
        row.kept = summary_of(row.server) if row.server else Summary()
    return rows


def kept_of_others(rows: Sequence[SignInRow]) -> tuple[int, Summary]:
    """How many servers without a row have stored answers, and a summary of them; their URLs are not known."""
    return summary_of_others(row.server for row in rows if row.server)


async def overview(store: SecretStore, files: LoginFiles, uses: Sequence[ServerInUse]) -> list[SignInRow]:
    """A row for each sign-in that is stored, under way or in use, by server and profile. Raises `StoreError`."""
    rows: dict[str, SignInRow] = {}
    stored, logins = await asyncio.gather(stored_sign_ins(store), _under_way(files))
    names = await asyncio.gather(*(who(one.record) if one.record else _nobody() for one in stored))
    for one, name in zip(stored, names, strict=True):
        record = one.record
        rows[one.store_key] = SignInRow(
            one.store_key, record.server if record else "", record.profile if record else "", one, name
        )
    for login in logins:
        store_key = f"{TOKENS}-{login.notice.store_key.partition('-')[2]}"
        _named(rows, store_key, login.notice.server, login.notice.profile).login = login
    for use in uses:
        _named(rows, use.store_key, use.server, use.profile).instances.append(use.instance)
    return sorted(rows.values(), key=lambda row: (not row.server, row.server, row.profile, row.store_key))


def _named(rows: dict[str, SignInRow], store_key: str, server: str, profile: str) -> SignInRow:
    row = rows.setdefault(store_key, SignInRow(store_key))
    row.server, row.profile = row.server or server, row.profile or profile
    return row


async def _nobody() -> str:
    return ""


async def _under_way(files: LoginFiles) -> list[UnderWay]:
    found = await asyncio.gather(*map(_asked, files.notices()))
    return [login for login in found if login is not None]


async def _asked(notice: Notice) -> UnderWay | None:
    """The status of this login; None where it has ended."""
    channel = await reach(notice)
    if channel is None:
        return None
    try:
        with contextlib.suppress(BridgeError, TimeoutError):
            async with asyncio.timeout(_NEWS_SECONDS):
                login_status = await channel.login_status()
                return None if login_status.is_last else UnderWay(notice, login_status)
        return UnderWay(notice, LoginStatus(phase="preparing"))
    finally:
        await channel.close()
