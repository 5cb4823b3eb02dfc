"""Kept answers in any order: whatever the disk has and the server says, each request has one answer; see `Chaos`."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.session.commands import Command, KeepResponse, Post
from bridge.session.events import NeverConnected, ResponseFound
from bridge.session.response_cache import LARGEST, LONGEST, CachedResult
from tests.session.modern_playbook import BOTH, MODERN, PairingPlaybook, asked, discovered
from tests.session.test_any_order import Step, pick
from tests.session.test_router_any_order import Chaos
from tests.support.cuts import unhurried
from tests.support.examples import multiplied

WALL = 1_900_000_000.0
HINTS = {"resultType": "complete", "ttlMs": 60_000, "cacheScope": "public"}


class CachingChaos(Chaos):
    """As `Chaos`, before a disk that has anything, and a server that lets everything be kept."""

    def __init__(self, book: PairingPlaybook) -> None:
        super().__init__(book)
        self.acts += [self.found, self.found, self.found, self.found, self.ask_plainly, self.ask_plainly, self.never]

    def found(self, which: int, how: int) -> list[Command]:
        if not self.book.lookups:
            return []
        look = self.book.lookups.pop(pick(sorted(self.book.lookups), which))
        value = discovered() if look.question.kind == "discover" else {"tools": [], "contents": []}
        good = msgspec.json.encode({**value, **HINTS})
        age = pick([1.0, 70.0, -5.0, 1e9], how // 5)
        kept = pick(
            [None, CachedResult(good, WALL - age, 60.0, False), CachedResult(good[:-3], WALL - age, 60.0, True)], how
        )
        return self.book.on(ResponseFound(look.exchange, kept, WALL, which))

    def ask_plainly(self, which: int, how: int) -> list[Command]:
        """A legacy host asks for what may be kept, without a progress token."""
        method = pick(["tools/list", "resources/read", "prompts/list"], how)
        return self.book.host(msgspec.json.encode({**self.bare(method), "params": {"uri": "a:1"}}))

    def never(self, which: int, how: int) -> list[Command]:
        return self.book.on(NeverConnected("Nothing there."))

    def bare(self, method: str) -> dict[str, object]:
        return {"jsonrpc": "2.0", "id": self.ask(method), "method": method}

    def answer(self, exchange: int, how: int) -> bytes:
        line = super().answer(exchange, how)
        return line.replace(b'"ttlMs":0', b'"ttlMs":9').replace(b'"contents":[]', b'"contents":[],"ttlMs":60000')

    def check(self, commands: list[Command]) -> None:
        super().check(commands)
        for command in commands:
            if isinstance(command, KeepResponse) and command.kept is not None:
                assert 0 < command.kept.ttl <= LONGEST
                assert len(command.kept.result) <= LARGEST
                assert b'"error"' not in command.kept.result


class StatelessChaos(CachingChaos):
    """A modern host before a modern server, which in the end answers whatever it is asked."""

    def __init__(self, book: PairingPlaybook) -> None:
        super().__init__(book)
        self.acts = [
            *(self.discover, self.ask_modern, self.ask_modern, self.ask_modern, self.cancel, self.listen),
            *(self.found, self.found, self.found, self.start, self.event, self.body, self.body, self.close, self.fail),
            *(self.timer, self.other),
        ]

    def discover(self, which: int, how: int) -> list[Command]:
        return self.book.host(asked(self.ask("server/discover"), "server/discover"))

    def ask_modern(self, which: int, how: int) -> list[Command]:
        method = pick(["tools/list", "tools/list", "tools/call", "resources/read"], how)
        id_ = self.ask(method)
        return self.book.host(asked(id_, method, **({} if method == "tools/list" else {"name": "pay", "uri": "a:1"})))

    def drain(self) -> None:
        """Nobody has to sign in, the disk has nothing, and the server answers well."""
        self.check(self.book.signing_in(False))
        for _ in range(60):
            if self.book.lookups:
                look = self.book.lookups.pop(min(self.book.lookups))
                self.check(self.book.on(ResponseFound(look.exchange, None, WALL)))
            elif open_ := sorted(self.book.exchanges.keys() - self.book.settled - self.streams_of_changes()):
                line = self.answer(open_[0], 0)
                self.check(
                    self.book.sends(open_[0], line) if open_[0] in self.streaming else self.book.answers(open_[0], line)
                )
            elif timers := [key for key in self.book.timers if key[0] == "call"]:
                self.check(self.book.fires(*timers[0]))

    def streams_of_changes(self) -> set[int]:
        return {number for number, sent in self.book.exchanges.items() if b"subscriptions/listen" in body_of(sent)}


def body_of(sent: object) -> bytes:
    return bytes(sent.body) if isinstance(sent, Post) else b""


steps = st.lists(st.tuples(st.integers(0, 27), st.integers(0, 7), st.integers(0, 59)), max_size=60)


@pytest.mark.parametrize("eras", [frozenset(), MODERN, BOTH], ids=["unknown", "modern", "both"])
@settings(parent=unhurried, max_examples=multiplied(150))
@given(steps=steps, request_timeout=st.sampled_from([None, 20.0]))
def test_each_request_has_one_answer(eras: frozenset[str], steps: list[Step], request_timeout: float | None) -> None:
    book = PairingPlaybook(eras, retry_window=10.0, request_timeout=request_timeout, keeps_responses=True)
    chaos = CachingChaos(book)
    for what, which, how in steps:
        chaos.check(chaos.acts[what](which, how))
    chaos.end()


@settings(parent=unhurried, max_examples=multiplied(300))
@given(steps=st.lists(st.tuples(st.integers(0, 16), st.integers(0, 7), st.integers(0, 59)), max_size=30))
def test_whatever_waits_is_answered_in_the_end(steps: list[Step]) -> None:
    book = PairingPlaybook(MODERN, is_fixed=True, retry_window=1e6, keeps_responses=True)
    chaos = StatelessChaos(book)
    for what, which, how in steps:
        chaos.check(chaos.acts[what](which, how))
    chaos.drain()
    assert set(chaos.waiting.values()) <= {"subscriptions/listen"}
    chaos.end()
