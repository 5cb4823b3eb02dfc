"""Requests and answers in any order pass the parts: nothing fails, and each request has one answer."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.features.machine import FeatureMachine
from bridge.features.parts import FeatureContext, FeatureParts
from bridge.session.commands import Command, Report, SaveResult, SendToHost
from bridge.session.events import ResultSaved
from bridge.session.upstream import Machine, RouterContext
from tests.features.test_machine import renaming
from tests.session.modern_playbook import BOTH, LEGACY, MODERN, PairingPlaybook, body
from tests.session.playbook import URL, result
from tests.session.test_any_order import Step
from tests.session.test_router_any_order import Chaos, steps
from tests.support.cuts import unhurried
from tests.support.examples import multiplied


class PagedChaos(Chaos):
    """Its lists of tools have several pages, some without an end, and some results of tools are large."""

    def __init__(self, book: PairingPlaybook) -> None:
        super().__init__(book)
        self.saving: list[int] = []

    def timer(self, which: int, how: int) -> list[Command]:
        if self.saving and which % 2:
            return self.book.on(ResultSaved(self.saving.pop(0), "/x.json", problem="no room" if how % 2 else ""))
        return super().timer(which, how)

    def check(self, commands: list[Command]) -> None:
        self.saving += [command.number for command in commands if isinstance(command, SaveResult)]
        if not self.saving:
            super().check(commands)
            return
        for command in commands:
            if isinstance(command, SendToHost):
                self.told(command.line)

    def answer(self, exchange: int, how: int) -> bytes:
        sent: Any = self.book.exchanges.get(exchange)
        said = body(sent) if hasattr(sent, "body") else {}
        if said.get("method") == "tools/call" and how % 3 == 0:
            return result(said["id"], {"resultType": "complete", "content": [{"type": "text", "text": "x" * 2000}]})
        if said.get("method") != "tools/list" or how % 4 == 3:
            return super().answer(exchange, how)
        more = [{}, {"nextCursor": "same"}, {"nextCursor": f"page {exchange}"}][how % 3]
        return result(said["id"], {"resultType": "complete", "tools": [{"name": "pay"}], **more})


@pytest.mark.parametrize("eras", [frozenset(), LEGACY, MODERN, BOTH], ids=["unknown", "legacy", "modern", "both"])
@settings(parent=unhurried, max_examples=multiplied(100))
@given(steps=steps, request_timeout=st.sampled_from([None, 20.0]), merges=st.booleans())
def test_each_request_has_one_answer(
    eras: frozenset[str], steps: list[Step], request_timeout: float | None, merges: bool
) -> None:
    shared: list[FeatureParts] = []

    def in_front(machine: Machine, context: RouterContext) -> Machine:
        if not shared:
            about = FeatureContext(URL, lambda level, text: context.do(Report(level, text)))
            shared.append(FeatureParts(about, renaming, merges_pages=merges, max_result=1000))
        return FeatureMachine(machine, shared[0], context.fresh)

    book = PairingPlaybook(eras, retry_window=10.0, request_timeout=request_timeout, in_front=in_front)
    chaos = PagedChaos(book)
    for what, which, how in steps:
        chaos.check(chaos.acts[what](which, how))
    chaos.end()
