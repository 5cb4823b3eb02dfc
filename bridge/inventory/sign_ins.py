"""Lists the sign-ins that are stored on this machine, and ends them.

Signing out, in this order:

| step | why |
|---|---|
| end a login that is under way | it would store what is about to be removed |
| note the sign-out in the history | running copies then open no tab by themselves |
| under the record's lock, revoke the tokens and remove the record | no copy renews the token meanwhile |
| remove answers that were for this sign-in only | another account must not get them |
| remove what the command of `--header-command` printed for this server and profile | it is a credential as well |
| remove the registration, where the user wants that | the next sign-in registers again |
| with it, the issuer that the client belongs to | otherwise that outlasts any sign-out (`oauth.issuer_binding`) |
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from bridge.config import Settings, TokenStore
from bridge.errors import BridgeError
from bridge.inventory.server_names import KnownServer, known_from
from bridge.oauth.record import Record, client_key
from bridge.process.host_environment import keyring_variables
from bridge.store.choice import open_store
from bridge.store.errors import StoreError
from bridge.store.paths import is_key, platform_paths
from bridge.store.secret_store import SecretStore
from bridge.tokens.command_headers import KIND, headers_prefix
from bridge.tokens.issuers_file import IssuersFile, check_issuer_of, drop_every
from bridge.tokens.login_files import LoginFiles
from bridge.tokens.login_order import login_of
from bridge.tokens.logins import reach
from bridge.tokens.stored_sign_in import READ_SECONDS, Stored, read_stored, settings_for

_LOCK_SECONDS = 10.0
_STOP_SECONDS = 3.0

TOKENS = "tokens"
CLIENT = "client"


@dataclass(frozen=True, slots=True)
class SignedOut:
    """The result of a sign-out.

    `kept_in` is where the tokens were, empty where there were none; `is_removed`: nothing of them is left.
    `headers_forgotten`: what a command of `--header-command` had printed was removed.
    `issuer_forgotten` is the authorization server that the user's client belonged to, where that was forgotten.
    `problems` has a sentence for each failure.
    """

    login_ended: bool = False
    kept_in: str = ""
    is_removed: bool = True
    is_revoked: bool = False
    registration_forgotten: bool = False
    headers_forgotten: bool = False
    issuer_forgotten: str = ""
    problems: tuple[str, ...] = field(default=())


async def stored_sign_ins(store: SecretStore, seconds: float = READ_SECONDS) -> list[Stored]:
    """Every sign-in in the store, including those whose record cannot be read now. Raises `StoreError`."""
    return list(await asyncio.gather(*(read_stored(store, store_key, seconds) for store_key in store.keys(TOKENS))))


async def known_sign_ins(token_store: TokenStore) -> list[KnownServer]:
    """The servers that the user signed in to, except those whose record cannot be read now."""
    store = open_store(token_store, lambda _: None, keyring_variables)
    stored = await stored_sign_ins(store)
    return [known_from(one.store_key, one.record) for one in stored if one.record is not None]


def open_signing_out(token_store: TokenStore, add_secret: Callable[[str], None]) -> SigningOut:
    """What ends the sign-ins that are stored on this machine."""
    from bridge.store.response_files import forget_private

    store = open_store(token_store, lambda _: None, keyring_variables)
    return SigningOut(store, LoginFiles(platform_paths()), add_secret=add_secret, forget=forget_private)


class SigningOut:
    """Ends sign-ins. `add_secret` is given each secret before it is used.

    `forget(server)` removes the answers of a server that are for one sign-in only; with None, those of every server. It
    may block, and returns a sentence where it fails.
    """

    def __init__(
        self,
        store: SecretStore,
        files: LoginFiles,
        *,
        add_secret: Callable[[str], None],
        clock: Callable[[], float] = time.time,
        forget: Callable[[str | None], str] = lambda _: "",
    ) -> None:
        self._forget = forget
        self._store = store
        self._files = files
        self._paths = files.paths
        self._add_secret = add_secret
        self._clock = clock

    async def sign_out(self, store_key: str, settings: Settings | None = None, *, registration: bool) -> SignedOut:
        """End the sign-in in `store_key`. `settings` are those for reaching its servers, where they are known."""
        ended = await self._end_login(store_key)
        self._files.log_out(login_of(store_key), self._clock())
        if not self._store.exists_hint(store_key):
            # A copy may be left in a keyring that was locked at the last sign-out.
            left = await self._delete(store_key)
            kept = await self._forget_answers(settings.url) if settings else ()
            headers, unremoved = await self._forget_headers(None, settings)
            issuer, unforgotten = await self._settle_issuer(None, settings, forget=registration)
            return SignedOut(
                login_ended=ended,
                is_removed=not left and not unremoved,
                headers_forgotten=headers,
                issuer_forgotten=issuer,
                problems=(*left, *kept, *unremoved, *unforgotten),
            )
        async with contextlib.AsyncExitStack() as stack:
            # A process that holds the lock for so long hangs, or there are no locks. The tokens are removed anyway.
            with contextlib.suppress(StoreError):
                await stack.enter_async_context(self._store.locked(store_key, _LOCK_SECONDS))
            stored = await read_stored(self._store, store_key)
            unrevoked = await self._revoke(stored, settings)
            left = await self._delete(store_key)
        known = stored.record.server if stored.record else settings.url if settings else None
        headers, unremoved = await self._forget_headers(stored.record, settings)
        problems = [*unrevoked, *left, *await self._forget_answers(known), *unremoved]
        forgotten = False
        if registration and stored.record is not None:
            client = client_key(stored.record.issuer, stored.record.client.redirect_uri)
            forgotten = self._store.exists_hint(client)
            problems += await self._delete(client)
            forgotten = forgotten and not self._store.exists_hint(client)
        issuer, unforgotten = await self._settle_issuer(stored.record, settings, forget=registration)
        problems += unforgotten
        return SignedOut(
            login_ended=ended,
            kept_in=stored.place,
            is_removed=not left and not unremoved,
            is_revoked=not unrevoked,
            registration_forgotten=forgotten,
            headers_forgotten=headers,
            issuer_forgotten=issuer,
            problems=tuple(problems),
        )

    async def every(self) -> list[Stored]:
        """Every sign-in to end: those that are stored, and those that a login under way would store."""
        stored = await stored_sign_ins(self._store)
        keys = {one.store_key for one in stored}
        under_way = [
            Stored(store_key, "", server=notice.server)
            for notice in self._files.notices()
            if is_key(notice.store_key) and (store_key := f"{TOKENS}-{notice.store_key.partition('-')[2]}") not in keys
        ]
        return [*stored, *under_way]

    async def forget_registrations(self) -> tuple[int, tuple[str, ...]]:
        """Forget every registration; return how many were forgotten, and a sentence for each failure."""
        count, problems = await self._forget_keys(self._store.keys(CLIENT))
        return count, (*problems, *drop_every(self._paths))

    async def forget_headers(self) -> tuple[int, tuple[str, ...]]:
        """Forget what every command of `--header-command` printed; return as `forget_registrations` does."""
        return await self._forget_keys(self._store.keys(KIND))

    async def _forget_headers(self, record: Record | None, settings: Settings | None) -> tuple[bool, tuple[str, ...]]:
        if record is not None:
            prefix = headers_prefix(record.server, record.profile)
        elif settings is not None:
            prefix = headers_prefix(settings.url, settings.sign_in.profile)
        else:
            return False, ()
        count, problems = await self._forget_keys([key for key in self._store.keys(KIND) if key.startswith(prefix)])
        return count > 0, problems

    async def _forget_keys(self, keys: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        """Remove these; return how many were removed, and a sentence for each failure."""
        problems = [problem for store_key in keys for problem in await self._delete(store_key)]
        return sum(not self._store.exists_hint(store_key) for store_key in keys), tuple(problems)

    async def _settle_issuer(
        self, record: Record | None, settings: Settings | None, *, forget: bool
    ) -> tuple[str, tuple[str, ...]]:
        """Forget which authorization server the client belongs to, or make sure that it is stored.

        Returns the issuer that was forgotten, empty where there was none, and a sentence for each failure.
        """
        if record is not None:
            server, profile = record.server, record.profile
            client_id = record.client.client_id if record.client.kind == "static" else None
        elif settings is not None:
            server, profile, client_id = settings.url, settings.sign_in.profile, settings.sign_in.client_id
        else:
            return "", ()
        file = IssuersFile(self._paths, server, profile)
        if not forget:
            if record is not None:
                await file.remember(record)
            return "", ()
        try:
            return await file.drop(client_id), ()
        except BridgeError as problem:
            return "", (str(problem),)

    async def _end_login(self, store_key: str) -> bool:
        notice = self._files.notice(login_of(store_key))
        channel = await reach(notice) if notice else None
        if channel is None:
            return False
        try:
            # Until it has ended, it may still store tokens.
            with contextlib.suppress(BridgeError, TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await channel.say("stop")
                    while not (await channel.login_status()).is_last:
                        pass
        finally:
            await channel.close()
        return True

    async def _revoke(self, stored: Stored, settings: Settings | None) -> tuple[str, ...]:
        """Revoke the tokens at the server; return a sentence where that failed."""
        record = stored.record
        if record is None:
            return (f"The tokens were not revoked, because they cannot be read: {stored.problem}",)
        from bridge.login.account import NO_REVOCATION, REVOKED, revoke
        from bridge.login.client_key_file import key_loader
        from bridge.tokens.sign_in_setup import open_http

        try:
            settings = settings or settings_for(record)
        except BridgeError as problem:
            return (f"The tokens could not be revoked: {problem}",)
        if record.client.kind == "static":
            try:
                await check_issuer_of(record, settings, self._paths)
            except BridgeError as problem:
                return (f"The tokens were not revoked: {problem}",)
            # The user keeps that secret, not the store.
            client = msgspec.structs.replace(record.client, secret=settings.sign_in.client_secret)
            record = msgspec.structs.replace(record, client=client)
        load_key = key_loader(settings.sign_in)
        went = await revoke(open_http(settings, kept=record.reach), record, self._add_secret, load_key)
        if went == REVOKED or not (record.access_token or record.refresh_token):
            return ()
        if went == NO_REVOCATION:
            return ("The server offers no revocation, so it may accept the tokens until they expire.",)
        return (f"The tokens {went}",)

    async def _forget_answers(self, server: str | None) -> tuple[str, ...]:
        problem = await asyncio.to_thread(self._forget, server)
        return (problem,) if problem else ()

    async def _delete(self, store_key: str) -> tuple[str, ...]:
        try:
            await self._store.delete(store_key)
        except BridgeError as problem:
            return (str(problem),)
        return ()
