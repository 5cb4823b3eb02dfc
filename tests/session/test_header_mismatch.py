"""A legacy session whose server wants headers that repeat the message gets them, and the request once more."""

import pytest

from bridge.session.commands import Headers, Post
from bridge.session.session import Session, Transport
from tests.session.playbook import INITIALIZE, URL, Machine, Playbook, error, request, result, session_headers

MISMATCH = -32020
MARKED = {
    "tools": [
        {
            "name": "pay",
            "inputSchema": {
                "type": "object",
                "properties": {"region": {"type": "string", "x-mcp-header": "Region"}, "amount": {"type": "integer"}},
            },
        }
    ]
}
METHOD, NAME, REGION = b"mcp-method", b"mcp-name", b"mcp-param-region"


def pay(id_: object, region: str = "eu") -> bytes:
    return request(id_, "tools/call", {"name": "pay", "arguments": {"region": region, "amount": 1}})


def added(post: Post) -> Headers:
    """The headers beside those of the session, which must be there."""
    assert post.headers[: len(session_headers())] == session_headers()
    return post.headers[len(session_headers()) :]


def posted(book: Playbook, line: bytes) -> Post:
    (post,) = book.posts(book.host(line))
    return post


def mended(book: Playbook) -> Post:
    """A call that the server refuses for want of headers, and the post that follows the list of tools."""
    first = posted(book, pay(1))
    assert added(first) == ()
    (listing,) = book.posts(book.answers(first.exchange, error(1, "Header mismatch", MISMATCH)))
    assert added(listing) == ((METHOD, b"tools/list"),)
    assert b'"method":"tools/list"' in listing.body
    id_ = listing.body.split(b'"id":"')[1].split(b'"')[0].decode()
    (again,) = book.posts(book.answers(listing.exchange, result(id_, MARKED)))
    assert again.body == pay(1)
    return again


def test_the_call_is_sent_again_with_its_headers_and_later_ones_have_them_at_once() -> None:
    book = Playbook()
    book.opened()
    again = mended(book)
    assert added(again) == ((METHOD, b"tools/call"), (NAME, b"pay"), (REGION, b"eu"))
    (told,) = book.told(book.answers(again.exchange, result(1, {"content": []})))
    assert told.line == result(1, {"content": []})
    assert added(posted(book, pay(2, "us"))) == ((METHOD, b"tools/call"), (NAME, b"pay"), (REGION, b"us"))
    assert added(posted(book, request(3))) == ((METHOD, b"ping"),)
    assert added(posted(book, request(4, "resources/read", {"uri": "a:1"}))) == (
        (METHOD, b"resources/read"),
        (NAME, b"a:1"),
    )
    said = [report.text for report in book.reports if "-32020" in report.text]
    assert said == [
        f"{URL} wants headers that repeat the message (-32020, for the tool pay); they are sent from now on"
    ]


def test_a_tool_that_changed_its_headers_is_not_reported_once_more() -> None:
    book = Playbook()
    book.opened()
    mended(book)
    changed = posted(book, pay(2))
    assert book.posts(book.answers(changed.exchange, error(2, "Header mismatch", MISMATCH)))
    assert len([report for report in book.reports if "-32020" in report.text]) == 1


def test_an_error_without_an_id_counts_too() -> None:
    book = Playbook()
    book.opened()
    first = posted(book, pay(1))
    (listing,) = book.posts(book.answers(first.exchange, error(None, "Header mismatch", MISMATCH), status=400))
    assert b"tools/list" in listing.body


def test_a_server_that_still_refuses_is_believed() -> None:
    book = Playbook()
    book.opened()
    again = mended(book)
    refused = error(1, "Still not", MISMATCH)
    (told,) = book.told(book.answers(again.exchange, refused))
    assert told.line == refused


def test_a_call_is_sent_again_although_the_list_cannot_be_read() -> None:
    book = Playbook()
    book.opened()
    first = posted(book, pay(1))
    (listing,) = book.posts(book.answers(first.exchange, error(1, "Header mismatch", MISMATCH)))
    (again,) = book.posts(book.answers(listing.exchange, b"<html>", status=500))
    assert added(again) == ((METHOD, b"tools/call"), (NAME, b"pay"))


def test_another_request_needs_no_list() -> None:
    book = Playbook()
    book.opened()
    first = posted(book, request(1, "prompts/get", {"name": "greet"}))
    (again,) = book.posts(book.answers(first.exchange, error(1, "Header mismatch", MISMATCH), status=400))
    assert added(again) == ((METHOD, b"prompts/get"), (NAME, b"greet"))


def test_a_list_that_the_host_reads_later_counts() -> None:
    book = Playbook()
    book.opened()
    mended(book)
    listing = posted(book, request(2, "tools/list"))
    assert book.told(book.answers(listing.exchange, result(2, {"tools": [{"name": "pay", "inputSchema": {}}]})))
    assert added(posted(book, pay(3))) == ((METHOD, b"tools/call"), (NAME, b"pay"))


def test_initialize_is_not_sent_again() -> None:
    book = Playbook()
    (post,) = book.posts(book.host(INITIALIZE))
    refused = error(0, "Header mismatch", MISMATCH)
    assert [told.line for told in book.told(book.answers(post.exchange, refused))] == [refused]


class PassingThrough(Playbook):
    """With `--pass-through`."""

    @staticmethod
    def machine(transport: Transport, retry_window: float, request_timeout: float | None) -> Machine:
        return Session(URL, transport, retry_window, request_timeout, mends_headers=False)


@pytest.mark.parametrize("status", [200, 400])
def test_with_pass_through_the_host_gets_the_refusal(status: int) -> None:
    book = PassingThrough()
    book.opened()
    refused = error(1, "Header mismatch", MISMATCH)
    post = posted(book, pay(1))
    assert [told.line for told in book.told(book.answers(post.exchange, refused, status=status))] == [refused]
