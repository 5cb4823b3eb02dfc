"""A task from the host's call to its result, in the requests that go over HTTP (SEP-2663, Routing Headers)."""

from bridge.session.commands import Abandon
from tests.session.modern_playbook import META_CAPABILITIES, MODERN, PairingPlaybook, body, discovered, headers_for
from tests.session.playbook import INITIALIZED, request, result, tool_call
from tests.translate.test_upgrade_tasks import ID, RESULT, created, state
from tests.translate.upgrade_book import TASKS

OPEN = request(0, "initialize", {"protocolVersion": "2025-11-25", "capabilities": {"elicitation": {}}})
FORM = {"method": "elicitation/create", "params": {"message": "Who?", "requestedSchema": {"type": "object"}}}


def test_each_request_about_a_task_says_in_a_header_about_which() -> None:
    book = PairingPlaybook(MODERN)
    (post,) = book.posts(book.host(OPEN))
    offered = {**discovered(), "capabilities": {"tools": {}, "extensions": {TASKS: {}}}}
    (opened,) = book.told_all(book.answers(post.exchange, result(body(post)["id"], offered)))
    assert opened["result"]["capabilities"]["tasks"]["cancel"] == {}
    assert book.posts(book.host(INITIALIZED)) == []
    (post,) = book.posts(book.host(tool_call(1)))
    book.answers(post.exchange, result(body(post)["id"], created(ttlMs=60_000)))
    assert book.session.busy

    (look,) = book.posts(book.fires(*book.waits_for("era/task")))
    assert look.headers == headers_for("tasks/get", ID)
    assert TASKS in body(look)["params"]["_meta"][META_CAPABILITIES]["extensions"]
    said = state("input_required", inputRequests={"k": FORM})
    (question,) = book.told_all(book.answers(look.exchange, result(body(look)["id"], said)))
    assert question["method"] == "elicitation/create"
    (update,) = book.posts(book.host(result(question["id"], {"action": "decline"})))
    assert update.headers == headers_for("tasks/update", ID)
    assert book.answers(update.exchange, result(body(update)["id"], {"resultType": "complete"})) == []

    (look,) = book.posts(book.fires(*book.waits_for("era/task")))
    said = state("completed", result=RESULT)
    (answer,) = book.told_all(book.answers(look.exchange, result(body(look)["id"], said)))
    assert (answer["id"], answer["result"]) == (1, RESULT)
    assert not book.session.busy


def test_a_server_that_is_away_for_long_is_asked_again() -> None:
    book = PairingPlaybook(MODERN)
    (post,) = book.posts(book.host(OPEN))
    offered = {**discovered(), "capabilities": {"tools": {}, "extensions": {TASKS: {}}}}
    book.answers(post.exchange, result(body(post)["id"], offered))
    (post,) = book.posts(book.host(tool_call(1)))
    book.answers(post.exchange, result(body(post)["id"], created()))
    (look,) = book.posts(book.fires(*book.waits_for("era/task")))
    assert book.told(book.answers(look.exchange, b"gateway", status=502)) == []
    assert book.session.busy
    (look,) = book.posts(book.fires(*book.waits_for("era/task")))
    (answer,) = book.told_all(book.answers(look.exchange, result(body(look)["id"], state("completed", result=RESULT))))
    assert answer["result"] == RESULT


def test_at_the_end_a_task_without_a_waiting_request_is_cancelled() -> None:
    book = PairingPlaybook(MODERN)
    (post,) = book.posts(book.host(OPEN))
    offered = {**discovered(), "capabilities": {"tools": {}, "extensions": {TASKS: {}}}}
    book.answers(post.exchange, result(body(post)["id"], offered))
    slow, post = book.posts(book.host(tool_call(1))) + book.posts(book.host(tool_call(2)))
    book.answers(post.exchange, result(body(post)["id"], created()))
    commands = book.host_closes()
    assert sorted(answer["id"] for answer in book.told_all(commands)) == [1, 2]
    (goodbye,) = book.posts(commands)
    assert goodbye.headers == headers_for("tasks/cancel", ID)
    assert Abandon(slow.exchange) in commands
    assert Abandon(goodbye.exchange) not in commands
    assert book.answers(goodbye.exchange, result(body(goodbye)["id"], {})) == []
