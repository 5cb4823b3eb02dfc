"""Hosts that start copies of the bridge again and again, on tokens that live for seconds: `scripts/soak.py` runs this.

The authorization server rotates strictly: a refresh token that comes a second time ends all that grew from the consent
(RFC 9700 4.14.2), and a person would have to sign in once more. So one tab at the end is the proof.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.support.oauth.site import Site
from tests.support.process.bridge_process import BridgeProcess
from tests.support.process.instances import COPIES, end_copy, start_copy, works
from tests.support.process.login_rounds import MANNERS, play_round
from tests.support.waits import stretched

COPIES_OF_A_RESTART = 2
ROUND = 60.0
"""Seconds that a round or a restart may take at most."""

_KILLED_AT = (0.25, 0.5)
"""Parts of a token's life: it is renewed from 0.8 on, and a busy machine may kill later than was decided."""
_STAYS = 0.1
_BETWEEN_CALLS = 0.05


@dataclass(frozen=True)
class Tally:
    """What came of it all. `tabs` beyond the first, and `reuses`, are failures."""

    restarts: int
    tabs: int
    refreshes: int
    reuses: int
    killed: int
    seconds: float

    @property
    def is_good(self) -> bool:
        """One tab in all, and no refresh token was spent twice."""
        return self.tabs == 1 and self.reuses == 0

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"{self.restarts} restarts of {COPIES_OF_A_RESTART} copies in {self.seconds:.0f} s, "
            f"{self.killed} of them killed: {self.tabs} tab{'s' * (self.tabs != 1)}, {self.refreshes} refreshes, "
            f"{self.reuses} tokens spent twice"
        )


class Soak:
    """Restarts against one server, whose access tokens live for `lifetime` seconds."""

    def __init__(self, site: Site, lifetime: float) -> None:
        self._site = site
        site.authority.lifetime = lifetime
        site.allows_reuse = True  # It is counted here, and told.
        self._lifetime = lifetime
        self._killed = 0

    async def run(self, restarts: int) -> Tally:
        """Start, work, end, and so on; a restart overlaps with the end of the one before."""
        began = time.monotonic()
        before: contextlib.AsyncExitStack | None = None
        copies: list[BridgeProcess] = []
        async with contextlib.AsyncExitStack() as last:
            for number in range(restarts):
                async with asyncio.timeout(stretched(ROUND)):
                    stack = contextlib.AsyncExitStack()
                    last.push_async_exit(stack)
                    _, started = await asyncio.gather(self._end(before, copies, number), self._start(stack))
                    before, copies = stack, started
            async with asyncio.timeout(stretched(ROUND)):
                await self._end(before, copies, restarts)
        ledger, authority = self._site.authority.ledger, self._site.authority
        seconds = time.monotonic() - began
        tabs = len(self._site.person.opened)
        return Tally(restarts, tabs, authority.refreshed, ledger.reuses, self._killed, seconds)

    async def _start(self, stack: contextlib.AsyncExitStack) -> list[BridgeProcess]:
        # One after the other: what is entered last is let go first, whoever is quicker.
        copies = [await stack.enter_async_context(start_copy(self._site)) for _ in range(COPIES_OF_A_RESTART)]
        await asyncio.gather(*(self._work(copy) for copy in copies))
        return copies

    async def _work(self, copy: BridgeProcess) -> None:
        """A session as short as hosts have them while they start: a tenth of a token's life, a call now and then."""
        await works(copy)
        end = time.monotonic() + _STAYS * self._lifetime
        while time.monotonic() < end:
            assert (await copy.call("echo")).result
            await asyncio.sleep(_BETWEEN_CALLS)

    async def _end(self, stack: contextlib.AsyncExitStack | None, copies: list[BridgeProcess], number: int) -> None:
        if stack is None:
            return
        await asyncio.gather(*(end_copy(copy, self._ending(number + at)) for at, copy in enumerate(copies)))
        await stack.aclose()

    def _ending(self, number: int) -> str:
        """Hosts close stdin, send SIGTERM, or kill.

        Who is killed while it renews has spent a refresh token for nothing, and nobody could help that; so it happens
        only where the token is neither new nor due.
        """
        newest = max(access.expires_at for access in self._site.authority.ledger.access.values())
        age = 1 - (newest - time.time()) / self._lifetime
        if number % 3 == 2 and _KILLED_AT[0] < age < _KILLED_AT[1]:
            self._killed += 1
            return "killed"
        return "closed-stdin" if number % 3 else "terminated"


async def soak(restarts: int, lifetime: float) -> Tally:
    """Restart hosts of one new person; raises AssertionError where one of them does not work."""
    async with Site() as site:
        return await Soak(site, lifetime).run(restarts)


async def rounds(count: int) -> float:
    """Play this many rounds (see login_rounds.py); returns the seconds it took. Raises AssertionError."""
    began = time.monotonic()
    for number in range(count):
        async with asyncio.timeout(stretched(ROUND)):
            await play_round(MANNERS[number % len(MANNERS)])
    return time.monotonic() - began


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for, and say in one line how it went; returns the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--restarts", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=0)
    chosen = parser.parse_args(arguments)
    good = True
    try:
        if chosen.rounds:
            took = asyncio.run(rounds(chosen.rounds))
            _say(f"{chosen.rounds} rounds of {COPIES} copies in {took:.0f} s: one tab, one registration, one code each")
        if chosen.restarts:
            tally = asyncio.run(soak(chosen.restarts, chosen.seconds))
            _say(str(tally))
            good = tally.is_good
    except (AssertionError, TimeoutError) as problem:
        _say(f"failed: {problem or type(problem).__name__}")
        good = False
    return 0 if good else 1


def _say(line: str) -> None:
    sys.stdout.write(f"soak: {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
