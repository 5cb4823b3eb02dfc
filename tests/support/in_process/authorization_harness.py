"""An `Authorization` among fakes: a store that several may share, a person and a token endpoint that a test scripts."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import msgspec

from bridge.errors import BridgeError
from bridge.oauth.client import Client
from bridge.oauth.errors import GrantRejected, SignInError
from bridge.oauth.grants.token_response import Tokens
from bridge.oauth.record import Record, decode, encode
from bridge.remote.credentials import AuthRefusal, Credential
from bridge.session.events import SignInEnded, SignInStarted
from bridge.tokens.authorization import Authorization, TokenObtained
from bridge.tokens.stored_record import StoredRecord
from tests.support.waits import stretched

DEADLINE = 10.0
URL = "https://mcp.example/mcp"
NOW = 1_000_000.0


def record(access: str = "a0", refresh: str = "r0", *, left: float | None = 3600.0, **changes: object) -> Record:
    """A record whose token was issued for an hour and has `left` seconds to go; None: it does not say."""
    ends = None if left is None else NOW + left
    made = Record(
        server=URL,
        profile="default",
        resource=URL,
        issuer="https://as.example",
        token_endpoint="https://as.example/token",
        client=Client(client_id="c", kind="dynamic"),
        asked="one two",
        access_token=access,
        refresh_token=refresh,
        issued_at=0.0 if ends is None else ends - 3600.0,
        expires_at=ends,
    )
    return msgspec.structs.replace(made, **changes)


class FakeStore:
    """The store, for as many as a test likes. `held` is whether somebody has its lock."""

    def __init__(self, kept: Record | bytes | None = None) -> None:
        self.data = encode(kept) if isinstance(kept, Record) else kept
        self.loads = 0
        self.saves = 0
        self.hint: bool | None = None
        self.load_problem: BridgeError | None = None
        self.save_problem: BridgeError | None = None
        self.lock_problem: BridgeError | None = None
        self.reading = asyncio.Event()
        self.reading.set()
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def held(self) -> bool:
        return self._locks["store key"].locked()

    @property
    def kept(self) -> Record | None:
        """What is in it."""
        return decode(self.data) if self.data else None

    def put(self, kept: Record) -> None:
        """Another process saves."""
        self.data = encode(kept)

    def exists_hint(self, store_key: str) -> bool:
        return self.data is not None if self.hint is None else self.hint

    async def load(self, store_key: str) -> bytes | None:
        assert store_key == "store key"
        self.loads += 1
        await self.reading.wait()
        if self.load_problem:
            raise self.load_problem
        return self.data

    async def save(self, store_key: str, data: bytes) -> None:
        assert store_key == "store key"
        await asyncio.sleep(0)
        if self.save_problem:
            raise self.save_problem
        self.saves += 1
        self.data = data

    def locked(self, store_key: str, timeout: float) -> AbstractAsyncContextManager[None]:
        assert timeout > 0
        return self._hold(store_key)

    @contextlib.asynccontextmanager
    async def _hold(self, store_key: str) -> AsyncIterator[None]:
        if self.lock_problem:
            raise self.lock_problem
        async with self._locks[store_key]:
            yield


class Issuer:
    """The authorization server and the person. Tokens rotate; a spent refresh token is refused and counted.

    `grants` holds a sign-in or a refresh back while it is not set; `under_way` counts both. With `refreshes` False no
    refresh token is given.
    """

    def __init__(self) -> None:
        self.good = {"r0"}
        self.refreshes = True
        self.refreshed: list[str] = []
        self.sign_ins: list[AuthRefusal] = []
        self.reuses = 0
        self.grants = asyncio.Event()
        self.grants.set()
        self.refresh_problem: SignInError | None = None
        self.sign_in_problem: BridgeError | None = None
        self.under_way = 0
        self.most_under_way = 0
        self._last = 0
        self.login = asyncio.Lock()
        """Held while somebody, in whichever process, is asked."""

    async def refresh(self, held: Record) -> Record:
        self.refreshed.append(held.refresh_token)
        async with self._working():
            if self.refresh_problem:
                raise self.refresh_problem
            if held.refresh_token not in self.good:
                self.reuses += 1
                raise GrantRejected("The refresh token is over.")
            self.good.discard(held.refresh_token)
            return self._granted(held)

    async def sign_in(self, refusal: AuthRefusal, previous: Record | None) -> Record:
        self.sign_ins.append(refusal)
        async with self._working():
            if self.sign_in_problem:
                raise self.sign_in_problem
            asked = previous.asked if previous else "one"
            wider = " ".join(dict.fromkeys([*asked.split(), *(refusal.lacks or ())]))
            return self._granted(record("", "", asked=wider))

    def _granted(self, held: Record) -> Record:
        self._last += 1
        refresh = f"r{self._last}" if self.refreshes else ""
        self.good |= {refresh} if refresh else set()
        tokens = Tokens(access_token=f"a{self._last}", refresh_token=refresh, expires_in=3600.0)
        return held.with_tokens(tokens, NOW)

    @contextlib.asynccontextmanager
    async def _working(self) -> AsyncIterator[None]:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.grants.wait()
            yield
        finally:
            self.under_way -= 1


class Renewing:
    """One process's way to the issuer. Who signs in puts the record on the shelf himself, if it takes it."""

    def __init__(self, issuer: Issuer, store: FakeStore) -> None:
        self._issuer = issuer
        self._shelf = store
        self.opened = 0
        self.wished: list[bool] = []

    async def refresh(self, held: Record) -> Record:
        return await self._issuer.refresh(held)

    async def sign_in(
        self,
        refusal: AuthRefusal,
        previous: Record | None,
        *,
        is_wished: bool,
        is_needed: Callable[[], Awaitable[bool]],
    ) -> TokenObtained | None:
        self.wished.append(is_wished)
        async with self._issuer.login:
            if not await is_needed():
                return None
            granted = await self._issuer.sign_in(refusal, previous)
            kept = StoredRecord("store key", self._shelf)
            await kept.replace(granted)
            return TokenObtained(granted, kept.is_kept)

    async def open_browser(self) -> None:
        self.opened += 1

    def still_refused(self, refusal: AuthRefusal, held: Record | None, now: float) -> BridgeError:
        return SignInError("It is still refused.")


class AuthorizationHarness:
    """One process's authorization. `now` is its clock."""

    def __init__(
        self, store: FakeStore | None = None, issuer: Issuer | None = None, *, use_id_token: bool = False
    ) -> None:
        self.store = store or FakeStore()
        self.issuer = issuer or Issuer()
        self.now = NOW
        self.concealed: list[str] = []
        self.told: list[bool] = []
        self.problems: list[str] = []
        self.widens: list[bool] = []
        self.renewing = Renewing(self.issuer, self.store)
        self.made = 0
        self.authorization = Authorization(
            "store key",
            self.store,
            self._make,
            use_id_token=use_id_token,
            add_secret=self.concealed.append,
            tell=self._hear,
            clock=lambda: self.now,
        )

    def _make(self) -> Renewing:
        self.made += 1
        return self.renewing

    def _hear(self, event: SignInStarted | SignInEnded) -> None:
        self.told.append(isinstance(event, SignInStarted))
        if isinstance(event, SignInEnded):
            self.problems.append(event.problem)
        else:
            self.widens.append(event.widens)

    async def credential(self) -> Credential:
        """As a request gets it."""
        ready = self.authorization.ready()
        return await self.authorization.obtain() if ready is None else ready

    async def token(self) -> str | None:
        """What a request would carry now."""
        header = (await self.credential()).header
        return header.decode().removeprefix("Bearer ") if header else None

    def refuse(
        self,
        credential: Credential,
        *,
        lacks: tuple[str, ...] | None = None,
        quiet: bool = False,
        step_ups: int = 0,
    ) -> asyncio.Task[None]:
        """Tell, as a request does, that the server did not take it."""
        status = 401 if lacks is None else 403
        refusal = AuthRefusal(URL, status, ("Bearer",), "", credential, lacks, step_ups, quiet)
        return asyncio.create_task(self.authorization.refused(refusal))

    async def refused(self, credential: Credential | None = None, **details: object) -> None:
        """The same, and wait for what comes of it."""
        await within(self.refuse(credential or await self.credential(), **details))  # type: ignore[arg-type]


async def within(waiting: asyncio.Task[None]) -> None:
    """Wait for something that must end."""
    async with asyncio.timeout(stretched(DEADLINE)):
        await waiting


async def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition of this process."""
    async with asyncio.timeout(stretched(DEADLINE)):
        while not holds():  # noqa: ASYNC110 - what is waited for rings no bell
            await asyncio.sleep(0)


async def settled() -> None:
    """Let everything happen that can."""
    for _ in range(50):
        await asyncio.sleep(0)
