"""What a line from the host means, and what is said at once to one that means nothing."""

from typing import Any

import msgspec
import pytest

from bridge.protocol.framing import Framed, Overlong, Unframed
from bridge.protocol.jsonrpc import Notification, Request, Response
from bridge.session.events import HostBatch, HostMessage
from bridge.session.host_input import read_line
from tests.session.playbook import notification, request, result


def refusal(line: Framed) -> dict[str, Any]:
    said = read_line(line)
    assert isinstance(said, bytes)
    assert b"\n" not in said
    answer: dict[str, Any] = msgspec.json.decode(said)
    assert answer["jsonrpc"] == "2.0"
    assert answer["error"]["data"] == {"source": "mcp-remote-bridge", "kind": "bad-input"}
    return answer


@pytest.mark.parametrize(
    ("line", "kind"), [(request(1), Request), (notification("n"), Notification), (result(1), Response)]
)
def test_a_message_keeps_its_bytes(line: bytes, kind: type) -> None:
    event = read_line(line)
    assert isinstance(event, HostMessage)
    assert isinstance(event.message, kind)
    assert event.message.line == line


def test_bytes_without_a_header_are_told_to_a_host_that_writes_headers() -> None:
    answer = refusal(Unframed(12))
    assert (answer["id"], answer["error"]["code"]) == (None, -32700)
    assert "Content-Length" in answer["error"]["message"]


@pytest.mark.parametrize("line", [b"hello", b"{", b'{"jsonrpc":"2.0"', b"[1,", b"\xff"])
def test_what_is_not_json_is_a_parse_error(line: bytes) -> None:
    answer = refusal(line)
    assert (answer["id"], answer["error"]["code"]) == (None, -32700)


@pytest.mark.parametrize(
    ("line", "id_"),
    [
        (b'{"id":0,"method":"ping"}', 0),
        (b'{"jsonrpc":"1.0","id":"","method":"ping"}', ""),
        (b'{"jsonrpc":"2.0","id":[1],"method":"ping"}', None),
        (b'{"jsonrpc":"2.0","id":5}', 5),
        (b"null", None),
        (b"[]", None),
    ],
)
def test_json_that_is_no_message_is_an_invalid_request_with_its_id(line: bytes, id_: object) -> None:
    answer = refusal(line)
    assert (answer["id"], answer["error"]["code"]) == (id_, -32600)


def test_a_line_that_was_too_long_to_keep() -> None:
    answer = refusal(Overlong(123))
    assert (answer["id"], answer["error"]["code"]) == (None, -32700)
    assert "123 bytes" in answer["error"]["message"]


def test_a_batch_is_taken_apart_and_its_faults_answered_one_by_one() -> None:
    lines = [request(1), b'{"id":2}', notification("n"), b"3"]
    event = read_line(b"[" + b", ".join(lines) + b"]")
    assert isinstance(event, HostBatch)
    assert [message.line for message in event.messages] == [lines[0], lines[2]]
    faults = [msgspec.json.decode(error) for error in event.errors]
    assert [(fault["id"], fault["error"]["code"]) for fault in faults] == [(2, -32600), (None, -32600)]


def test_a_batch_has_a_limit() -> None:
    assert isinstance(read_line(b"[" + b",".join([request(1)] * 1000) + b"]"), HostBatch)
    assert refusal(b"[" + b",".join([request(1)] * 1001) + b"]")["error"]["code"] == -32600
