"""What a host has asked and not been answered: known without reading answers, and forgotten in time."""

import pytest

from bridge.protocol.jsonrpc import Request, RequestId
from bridge.provisional.pending import PendingHostRequests
from bridge.session.events import HostMessage
from bridge.session.host_input import read_line
from tests.provisional.provisional_book import Unfinished
from tests.session.modern_playbook import BOTH, LEGACY, MODERN, PairingPlaybook, called, listening_to
from tests.session.playbook import request, tool_call


def asked(id_: object, params: object = None) -> Request:
    """A request as it was read."""
    event = read_line(request(id_, "ping", params))
    assert isinstance(event, HostMessage)
    assert isinstance(event.message, Request)
    return event.message


def test_those_without_an_answer_are_told_from_the_rest() -> None:
    open_: set[RequestId] = {1, 3}
    table = PendingHostRequests(Unfinished(open_))
    for number in range(1, 5):
        table.enter(asked(number), float(number))
    assert [one.id for one in table.awaited()] == [1, 3]
    assert table.oldest() == 1.0
    open_.discard(1)
    assert table.oldest() == 3.0
    open_.clear()
    assert table.oldest() is None
    assert table.awaited() == []


def test_an_id_may_be_used_again() -> None:
    table = PendingHostRequests(Unfinished())
    table.enter(asked(1), 1.0)
    table.enter(asked(2), 2.0)
    table.enter(asked(1), 3.0)
    assert [one.id for one in table.awaited()] == [2, 1]
    assert table.pop(1) == asked(1)
    assert table.pop(1) is table.pop(None) is None
    assert 1 not in table


def test_the_first_request_waits_from_the_start_of_the_process() -> None:
    table = PendingHostRequests(Unfinished(), started_at=1.0)
    table.enter(asked(1), 3.0)
    assert table.oldest() == 1.0
    table.pop(1)
    table.enter(asked(2), 4.0)
    assert table.oldest() == 4.0


@pytest.mark.parametrize("another_waits", [False, True])
@pytest.mark.parametrize("size", [0, 200_000], ids=["small", "large"])
def test_what_was_answered_is_not_kept(size: int, another_waits: bool) -> None:
    table = PendingHostRequests(Unfinished((), busy=another_waits))
    for number in range(1, 2000):
        table.enter(asked(number, {"x": "x" * size}), 0.0)
        kept = [id_ for id_ in range(1, number + 1) if id_ in table] if number % 100 == 0 else []
        assert len(kept) <= (6 if size else 64)


def test_what_waits_is_kept_however_much_it_is() -> None:
    table = PendingHostRequests(Unfinished())
    for number in range(1, 1000):
        table.enter(asked(number), 0.0)
    assert len(table.awaited()) == 999


@pytest.mark.parametrize("eras", [frozenset(), LEGACY, MODERN, BOTH], ids=["unknown", "legacy", "modern", "both"])
def test_pairing_knows_what_has_no_answer(eras: frozenset[str]) -> None:
    book = PairingPlaybook(eras)
    book.host(called("m"))
    book.host(listening_to("listen"))
    book.host(request(0, "initialize", {"protocolVersion": "2025-06-18"}))
    book.host(tool_call(1))
    for id_ in ("m", "listen", 0, 1):
        assert book.router.awaits(id_)
    assert not book.router.awaits("another")
    book.host_closes()
    for id_ in ("m", "listen", 0, 1):
        assert not book.router.awaits(id_)
