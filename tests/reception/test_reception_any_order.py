"""Somebody has to sign in, again and again, at any moment: each request has one answer, and all of it is valid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.session.commands import Command, EndSession, Post, SignIn
from bridge.session.events import Cause, ExchangeFailed, SignInEnded, SignInShown, SignInStarted
from tests.reception.reception_book import LINK, PROBLEM, ReceptionPlaybook
from tests.session.modern_playbook import MODERN_VERSION, body
from tests.session.playbook import INITIALIZED, cancelled, error, result
from tests.session.test_any_order import Step, pick
from tests.support.pieces import unhurried

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
    """A host, a server and a person that do anything, and a count of who waits for an answer."""

    def __init__(self, book: ReceptionPlaybook) -> None:
        self.book = book
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
            self.sign_in_starts,
            self.link_is_shown,
            self.sign_in_ends,
            self.sign_in_fails,
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
        return self.book.host(self.book.who.introduces_itself(self.number(method)))

    def initialized(self, which: int, how: int) -> list[Command]:
        return [] if self.book.who.is_modern else self.book.host(INITIALIZED)

    def ask(self, which: int, how: int) -> list[Command]:
        if not self.last_id and not self.book.who.is_modern:
            return self.introduce(which, how)
        method, params = pick(ASKED, how)
        if self.states and params.get("name") == "sign_in":
            params = {**params, "requestState": self.states.pop(), "inputResponses": {"sign-in": {"action": "accept"}}}
        return self.book.host(self.book.who.asks(self.number(method), method, **params))

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

    # -- the person

    def sign_in_starts(self, which: int, how: int) -> list[Command]:
        if self.is_asked:
            return []
        self.is_asked = True
        return self.book.on(SignInStarted())

    def link_is_shown(self, which: int, how: int) -> list[Command]:
        return self.book.on(SignInShown(f"{LINK}{how % 2}", is_open=which % 2 == 0, ends_in=300.0))

    def sign_in_ends(self, which: int, how: int) -> list[Command]:
        self.is_asked = False
        return self.book.on(SignInEnded())

    def sign_in_fails(self, which: int, how: int) -> list[Command]:
        self.is_asked = False
        return self.book.on(SignInEnded(PROBLEM))

    # -- time and the server

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
        self.wishes += sum(isinstance(command, SignIn) for command in commands)
        for command in self.book.told(commands):
            self.told(msgspec.json.decode(command.line))
        waiting = [id_ for id_, method in self.waiting.items() if method != LISTEN]
        assert self.book.session.busy or not waiting, f"{waiting} wait, and nobody knows"
        could_be_answered = self.book.exchanges or self.book.timers or self.is_asked
        assert could_be_answered or not waiting, "nothing could bring an answer"

    def told(self, message: dict[str, Any]) -> None:
        if "method" in message:
            if "id" in message:
                self.questions.append(message["id"])
            return
        id_ = message["id"]
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
        """Whatever happened: once somebody has signed in and the server answers, the host has the server's tools."""
        self.check(self.book.on(SignInStarted()))
        self.check(self.book.on(SignInEnded()))
        self.settle()
        if self.is_turned_away:
            self.check(self.introduce(0, 0))
        self.check(self.initialized(0, 0))
        self.settle()
        id_ = self.number("tools/list")
        self.check(self.book.host(self.book.who.asks(id_, "tools/list")))
        self.settle()
        assert [tool["name"] for tool in self.book.answer(id_)["result"]["tools"]] == ["pay"]

    def settle(self) -> None:
        """The server answers all there is, and all that waits for a pause or for patience has waited."""
        for _ in range(20):
            while waiting := self.book.unserved():
                self.check(self.book.answer_exchange(waiting[0]))
            for key in sorted(self.book.timers):
                if key in self.book.timers and not key[0].startswith("reception"):
                    self.check(self.book.fires(*key))


steps = st.lists(st.tuples(st.integers(0, 16), st.integers(0, 7), st.integers(0, 59)), max_size=50)


@pytest.mark.parametrize("server", ["legacy", "modern"])
@pytest.mark.parametrize("revision", ["2025-06-18", "2025-11-25", MODERN_VERSION])
@settings(parent=unhurried, max_examples=150)
@given(steps=steps, gets_well=st.booleans())
def test_each_request_has_one_answer(revision: str, server: str, steps: list[Step], gets_well: bool) -> None:
    book = ReceptionPlaybook(revision, capabilities=OPENS_LINKS, server=server)
    chaos = Chaos(book)
    chaos.check(chaos.introduce(0, 0))
    for what, which, how in steps:
        chaos.check(chaos.acts[what](which, how))
    if gets_well:
        chaos.is_well_again()
    chaos.end()
    assert not book.wire.faults
