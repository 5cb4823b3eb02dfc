"""The user has to sign in, again and again, at any moment: each request has one valid answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.session.commands import Command, EndSession, OpenSignIn, Post
from bridge.session.events import (
    Cause,
    ExchangeFailed,
    HostBatch,
    SignInEnded,
    SignInShown,
    SignInStarted,
    SystemResumed,
)
from bridge.session.host_input import read_line
from tests.provisional.provisional_book import LINK, PROBLEM, Host, ProvisionalPlaybook
from tests.session.modern_playbook import MODERN_VERSION, body
from tests.session.playbook import INITIALIZED, cancelled, error, result
from tests.session.test_any_order import Step, pick
from tests.support.cuts import unhurried
from tests.support.examples import multiplied

LISTEN = "subscriptions/listen"
OPENS_LINKS: dict[str, object] = {"elicitation": {"url": {}}}
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("tools/list", {}),
    ("tools/call", {"name": "sign_in", "arguments": {}}),
    ("prompts/list", {}),
    ("tools/call", {"name": "pay", "arguments": {}}),
    ("resources/list", {}),
    ("resources/read", {"uri": "a:1"}),
    ("vendor/thing", {}),
]


class Chaos:
    """A host, a server and a user that do anything, and the requests that wait for an answer.

    `other`: the host speaks another revision as well.
    """

    def __init__(self, book: ProvisionalPlaybook, other: str = "") -> None:
        self.book = book
        self.hosts = [book.who, Host(other, capabilities=OPENS_LINKS) if other else book.who]
        self.has_opened = False
        self.in_batches: set[int] = set()
        self.waiting: dict[int, str] = {}
        self.questions: list[str] = []
        self.states: list[str] = []
        self.is_asked = False
        self.is_turned_away = False
        self.wishes = 0
        self.last_id = 0
        self.acts: list[Callable[[int, int], list[Command]]] = [
            self.introduce,
            self.initialized,
            self.ask,
            self.ask,
            self.ask,
            self.cancel,
            self.listen,
            self.answer_question,
            self.batch,
            self.turn,
            self.sign_in_starts,
            self.more_is_needed,
            self.link_is_shown,
            self.sign_in_ends,
            self.sign_in_fails,
            self.wake,
            self.time,
            self.time,
            self.serve,
            self.serve,
            self.fail,
        ]

    # -- the host

    def number(self, method: str) -> int:
        self.last_id += 1
        self.waiting[self.last_id] = method
        return self.last_id

    def introduce(self, which: int, how: int) -> list[Command]:
        method = "server/discover" if self.book.who.is_modern else "initialize"
        self.has_opened |= not self.book.who.is_modern
        return self.book.host(self.book.who.introduces_itself(self.number(method)))

    def initialized(self, which: int, how: int) -> list[Command]:
        return [] if self.book.who.is_modern else self.book.host(INITIALIZED)

    def ask(self, which: int, how: int) -> list[Command]:
        if not self.has_opened and not self.book.who.is_modern:
            return self.introduce(which, how)
        method, params = pick(ASKED, how)
        if self.states and params.get("name") == "sign_in":
            params = {**params, "requestState": self.states.pop(), "inputResponses": {"sign-in": {"action": "accept"}}}
        return self.book.host(self.book.who.asks(self.number(method), method, **params))

    def batch(self, which: int, how: int) -> list[Command]:
        if self.book.who.revision != "2025-03-26" or not self.has_opened:
            return self.ask(which, how)
        lines = []
        for method, params in (pick(ASKED, how), pick(ASKED, which)):
            lines.append(self.book.who.asks(self.number(method), method, **params).strip())
            self.in_batches.add(self.last_id)
        event = read_line(b"[" + b",".join(lines) + b"]")
        assert isinstance(event, HostBatch)
        return self.book.on(event)

    def turn(self, which: int, how: int) -> list[Command]:
        self.hosts.reverse()
        self.book.who = self.hosts[0]
        return []

    def listen(self, which: int, how: int) -> list[Command]:
        if not self.book.who.is_modern:
            return self.book.host(self.book.who.asks(self.number("ping"), "ping"))
        wanted = {"toolsListChanged": True, "promptsListChanged": how % 2 == 0}
        return self.book.host(self.book.who.asks(self.number(LISTEN), LISTEN, notifications=wanted))

    def cancel(self, which: int, how: int) -> list[Command]:
        able = [id_ for id_, method in self.waiting.items() if method != "initialize"]
        if not able:
            return []
        id_ = pick(able, which)
        if self.waiting[id_] != LISTEN:
            del self.waiting[id_]
        return self.book.host(cancelled(id_))

    def answer_question(self, which: int, how: int) -> list[Command]:
        if not self.questions:
            return []
        action = pick(["accept", "decline", "cancel"], how)
        return self.book.host(result(self.questions.pop(0), {"action": action}))

    # -- the user

    def sign_in_starts(self, which: int, how: int) -> list[Command]:
        if self.is_asked:
            return []
        self.is_asked = True
        return self.book.on(SignInStarted())

    def more_is_needed(self, which: int, how: int) -> list[Command]:
        if self.is_asked:
            return []
        self.is_asked = True
        return self.book.on(SignInStarted(widens=True))

    def link_is_shown(self, which: int, how: int) -> list[Command]:
        return self.book.on(SignInShown(f"{LINK}{how % 2}", is_open=which % 2 == 0, ends_in=300.0))

    def sign_in_ends(self, which: int, how: int) -> list[Command]:
        self.is_asked = False
        return self.book.on(SignInEnded())

    def sign_in_fails(self, which: int, how: int) -> list[Command]:
        self.is_asked = False
        return self.book.on(SignInEnded(PROBLEM))

    # -- time and the server

    def wake(self, which: int, how: int) -> list[Command]:
        return self.book.on(SystemResumed(100.0))

    def time(self, which: int, how: int) -> list[Command]:
        if not self.book.timers:
            return []
        return self.book.fires(*pick(sorted(self.book.timers), which))

    def serve(self, which: int, how: int) -> list[Command]:
        waiting = self.book.unserved()
        return self.book.answer_exchange(pick(waiting, which)) if waiting else []

    def fail(self, which: int, how: int) -> list[Command]:
        waiting = self.book.unserved()
        if not waiting:
            return []
        exchange = pick(waiting, which)
        asked = self.book.exchanges[exchange]
        if how % 3 == 0 and isinstance(asked, Post) and "id" in body(asked):
            return self.book.answers(exchange, error(body(asked)["id"], "No."))
        del self.book.exchanges[exchange]
        cause = Cause.UNAUTHORIZED if how % 3 == 1 else Cause.UNREACHABLE
        return self.book.on(ExchangeFailed(exchange, cause, how % 2 == 0, PROBLEM))

    # -- what must hold

    def check(self, commands: list[Command]) -> None:
        self.wishes += sum(isinstance(command, OpenSignIn) for command in commands)
        for command in self.book.told(commands):
            said = msgspec.json.decode(command.line)
            for message in said if isinstance(said, list) else [said]:
                self.told(message)
        waiting = [id_ for id_, method in self.waiting.items() if method != LISTEN]
        assert self.book.session.busy or not waiting, f"{waiting} wait, and it is not busy"
        could_be_answered = self.book.exchanges or self.book.timers or self.is_asked
        assert could_be_answered or not waiting, "nothing could bring an answer"

    def told(self, message: dict[str, Any]) -> None:
        if "method" in message:
            if "id" in message:
                self.questions.append(message["id"])
            return
        id_ = message["id"]
        if id_ in self.in_batches and id_ not in self.waiting:
            return  # It was taken back when it had its answer, and the batch had not.
        assert id_ in self.waiting, f"a second answer, or one to nothing: {message}"
        if self.waiting.pop(id_) == "initialize":
            self.is_turned_away = "error" in message
        state = message.get("result", {}).get("requestState")
        self.states += [state] if state else []

    def end(self) -> None:
        self.check(self.book.host_closes())
        assert not self.waiting
        assert not self.book.session.busy
        open_ = [sent for number, sent in self.book.exchanges.items() if number not in self.book.settled]
        assert all(isinstance(sent, EndSession) for sent in open_)
        assert self.book.host_closes() == []

    def is_well_again(self) -> None:
        """Whatever happened: once the user has signed in and the server answers, the host has the server's tools."""
        self.check(self.book.on(SignInStarted()))
        self.check(self.book.on(SignInEnded()))
        self.settle()
        if self.is_turned_away or not (self.has_opened or self.book.who.is_modern):
            self.check(self.introduce(0, 0))
        self.check(self.initialized(0, 0))
        self.settle()
        id_ = self.number("tools/list")
        self.check(self.book.host(self.book.who.asks(id_, "tools/list")))
        self.settle()
        (answer,) = [said for said in self.book.heard if isinstance(said, dict) and said.get("id") == id_]
        assert [tool["name"] for tool in answer["result"]["tools"]] == ["pay"]

    def settle(self) -> None:
        """The server answers all there is, and all that waits for a pause or for patience has waited."""
        for _ in range(20):
            while waiting := self.book.unserved():
                self.check(self.book.answer_exchange(waiting[0]))
            for key in sorted(self.book.timers):
                if key in self.book.timers and not key[0].startswith("provisional"):
                    self.check(self.book.fires(*key))


steps = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 7), st.integers(0, 59)), max_size=50)


@pytest.mark.parametrize("server", ["legacy", "modern"])
@pytest.mark.parametrize("revision", ["2025-03-26", "2025-06-18", "2025-11-25", MODERN_VERSION])
@settings(parent=unhurried, max_examples=multiplied(150))
@given(steps=steps, gets_well=st.booleans())
def test_each_request_has_one_answer(revision: str, server: str, steps: list[Step], gets_well: bool) -> None:
    go_through(
        Chaos(ProvisionalPlaybook(revision, capabilities=OPENS_LINKS, server=server)), steps, gets_well=gets_well
    )


@pytest.mark.parametrize("server", ["legacy", "modern"])
@settings(parent=unhurried, max_examples=multiplied(150))
@given(steps=steps, gets_well=st.booleans())
def test_each_request_of_a_host_of_both_eras_has_one_answer(server: str, steps: list[Step], gets_well: bool) -> None:
    book = ProvisionalPlaybook("2025-11-25", capabilities=OPENS_LINKS, server=server)
    book.checks_host = book.checks_answers = False
    go_through(Chaos(book, MODERN_VERSION), steps, gets_well=gets_well)


def go_through(chaos: Chaos, steps: list[Step], *, gets_well: bool) -> None:
    """Do all that, and see to it that it ends well."""
    chaos.check(chaos.introduce(0, 0))
    for what, which, how in steps:
        chaos.check(chaos.acts[what](which, how))
    if gets_well:
        chaos.is_well_again()
    chaos.end()
    assert not chaos.book.wire.faults
