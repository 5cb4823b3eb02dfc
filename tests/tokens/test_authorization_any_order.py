"""Whatever the order of requests, refusals, cancellations and other processes: what must always hold."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import BridgeError
from bridge.oauth.errors import SignInError, TokenEndpointUnavailable
from bridge.remote.credentials import Credential
from tests.support.cuts import unhurried
from tests.support.in_process.authorization_harness import (
    DEADLINE,
    AuthorizationHarness,
    FakeStore,
    Issuer,
    record,
    settled,
)
from tests.support.waits import stretched

ASKING = ("ask", "other", "refuse", "refuse-quiet", "lack", "accept", "cancel")
AROUND = ("hold", "grant", "later", "down", "up", "deny")


class World:
    """Two processes on one store. The server takes the newest token, and nothing else."""

    def __init__(self) -> None:
        self.store, self.issuer = FakeStore(record()), Issuer()
        self.desks = [AuthorizationHarness(self.store, self.issuer), AuthorizationHarness(self.store, self.issuer)]
        self.running: list[asyncio.Task[None]] = []
        self.quiet: list[asyncio.Task[None]] = []
        self.seen: list[tuple[AuthorizationHarness, Credential]] = []
        self.scopes = 0

    def step(self, name: str) -> None:
        harness = self.desks[0]
        if name in {"ask", "other"}:
            self.running.append(asyncio.create_task(self._ask(self.desks[name == "other"])))
        elif name.startswith(("refuse", "lack")) and self.seen:
            one, credential = self.seen[-1]
            self.scopes += name == "lack"
            lacks = (f"more{self.scopes}",) if name == "lack" else None
            task = one.refuse(credential, lacks=lacks, quiet=name == "refuse-quiet")
            (self.quiet if name == "refuse-quiet" else self.running).append(task)
        elif name == "accept" and self.seen:
            self.seen[-1][0].authorization.accepted(self.seen[-1][1])
        elif name == "cancel" and self.running:
            self.running[-1].cancel()
        elif name == "hold":
            self.issuer.grants.clear()
        elif name == "grant":
            self.issuer.grants.set()
        elif name == "later":
            harness.now += 3590
            self.desks[1].now += 3590
        elif name == "down":
            self.issuer.refresh_problem = TokenEndpointUnavailable("It is down.")
        elif name == "up":
            self.issuer.refresh_problem = self.issuer.sign_in_problem = None
        elif name == "deny":
            self.issuer.sign_in_problem = SignInError("access_denied")

    async def _ask(self, harness: AuthorizationHarness) -> None:
        self.seen.append((harness, await harness.credential()))

    async def end(self) -> None:
        """Everything that waits comes to an end, but what waits for a person whom nobody asked."""
        self.step("grant")
        self.step("up")
        async with asyncio.timeout(stretched(DEADLINE)):
            results = await asyncio.gather(*self.running, return_exceptions=True)
            for result in results:
                assert result is None or isinstance(result, BridgeError | asyncio.CancelledError), repr(result)
            for number, harness in enumerate(self.desks):
                credential = await harness.credential()
                await harness.refused(credential, lacks=(f"last{number}",))
                assert (await harness.credential()).serial > credential.serial
            await settled()
        for task in self.quiet:
            task.cancel()
        results = await asyncio.gather(*self.quiet, return_exceptions=True)
        for result in results:
            assert result is None or isinstance(result, asyncio.CancelledError | TokenEndpointUnavailable), repr(result)
        for harness in self.desks:
            await harness.authorization.close()


@unhurried
@given(st.lists(st.tuples(st.sampled_from(ASKING + AROUND), st.booleans()), max_size=25))
def test_no_refresh_token_is_spent_twice_and_nothing_hangs(steps: list[tuple[str, bool]]) -> None:
    async def run() -> None:
        world = World()
        for name, pauses in steps:
            world.step(name)
            if pauses:
                await settled()
            # One piece of work in each of the two processes; a refresh only under the lock that both share.
            assert world.issuer.under_way <= 2
        await world.end()
        assert world.issuer.reuses == 0
        assert not world.store.held
        assert world.store.kept is not None
        for harness in world.desks:
            assert harness.told == [True, False] * (len(harness.told) // 2)

    asyncio.run(run())
