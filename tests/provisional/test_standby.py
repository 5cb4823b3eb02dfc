"""Before a sign-in is needed, everything passes, and the provisional server is not loaded."""

from collections.abc import Callable

import pytest

from bridge.provisional.host_state import HostMemory
from bridge.provisional.provisional_server import ProvisionalServer
from bridge.provisional.standby import Standby
from bridge.session.events import SignInEnded, SignInStarted
from tests.provisional.provisional_book import LOGIN, Host, ProvisionalPlaybook, changes, methods
from tests.session.modern_playbook import MODERN_VERSION
from tests.session.playbook import INITIALIZED, URL

REVISIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", MODERN_VERSION]

every_revision = pytest.mark.parametrize("revision", REVISIONS)


class Loads:
    """Counts how often the provisional server is loaded."""

    def __init__(self, book: ProvisionalPlaybook) -> None:
        self.count = 0
        self._book = book
        book.session = book.provisional = Standby(book.router, self._load)

    def _load(self, memory: HostMemory) -> ProvisionalServer:
        self.count += 1
        return ProvisionalServer(
            self._book.router, memory, 8.0, url=URL, login_command=lambda: LOGIN, fresh=lambda: "unguessable"
        )


@every_revision
def test_nothing_is_loaded_where_no_sign_in_is_needed(revision: str) -> None:
    book = ProvisionalPlaybook(revision)
    loads = Loads(book)
    book.in_session()
    book.lists_tools(5)
    if book.who.is_modern:
        book.asks(6, "subscriptions/listen", notifications={"toolsListChanged": True})
        book.serve()
    book.calls(7, "pay")
    book.serve()
    assert book.answer(7)["result"]["content"] == []
    book.wakes()
    book.host_closes()
    assert loads.count == 0


@every_revision
def test_it_is_loaded_once_however_often_the_user_signs_in(revision: str) -> None:
    book = ProvisionalPlaybook(revision)
    loads = Loads(book)
    book.in_session()
    for _ in range(3):
        book.on(SignInStarted())
        book.on(SignInEnded())
    assert loads.count == 1


@pytest.mark.parametrize("open_", [lambda book: book.in_session(), lambda book: None], ids=["later", "at once"])
@every_revision
def test_what_happened_before_the_sign_in_is_known(revision: str, open_: Callable[[ProvisionalPlaybook], None]) -> None:
    book = ProvisionalPlaybook(revision)
    Loads(book)
    open_(book)
    if not book.heard and not book.exchanges:
        book.host(book.who.introduces_itself())
    book.asks(8, "tools/list")
    if book.who.is_modern:
        book.asks(9, "subscriptions/listen", notifications={"toolsListChanged": True})
    book.needs_sign_in()
    book.shows(is_open=True)
    told = book.waits()
    assert [tool["name"] for said in told if said.get("id") == 8 for tool in said["result"]["tools"]] == ["sign_in"]
    if book.who.is_modern:
        assert "notifications/subscriptions/acknowledged" in methods(told)
    book.signed_in()
    told = book.serve()
    assert not [said for said in told if said.get("id") == 8]


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_a_host_that_is_initialized_late_hears_then_that_its_lists_changed(revision: str) -> None:
    book = ProvisionalPlaybook(revision)
    Loads(book)
    book.host(book.who.introduces_itself())
    book.needs_sign_in()
    book.shows(is_open=True)
    book.waits()
    book.signed_in()
    book.serve()
    assert methods(book.says(INITIALIZED)) == changes("tools", "prompts", "resources")


def test_another_host_may_open_after_a_sign_in() -> None:
    book = ProvisionalPlaybook("2025-06-18")
    Loads(book)
    book.received()
    book.signed_in()
    book.serve()
    book.lists_tools(1)
    book.who = Host("2025-03-26", name="another")
    book.checks_answers = False
    book.version = "2025-03-26"
    book.host(book.who.introduces_itself(20))
    book.serve()
    assert book.answer(20)["result"]["serverInfo"]["name"] == "far"
