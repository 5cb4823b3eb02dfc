"""What HTTP headers say of requests about tasks (SEP-2663, Streamable HTTP: Routing Headers)."""

import pytest
from msgspec import Raw

from bridge.protocol.headers import request_headers

VERSION = "2026-07-28"


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
@pytest.mark.parametrize(
    ("params", "value"),
    [
        (b'{"taskId":"786512e2"}', b"786512e2"),
        (b'{"taskId":"\\u00e9","name":"a","uri":"b"}', b"=?base64?w6k=?="),
        (b'{"name":"a","uri":"b"}', None),
        (b'{"taskId":5}', None),
        (b"[]", None),
        (b"", None),
    ],
    ids=["plain", "encoded", "absent", "number", "array", "none"],
)
def test_a_request_about_a_task_names_the_task(method: str, params: bytes, value: bytes | None) -> None:
    found = dict(request_headers(VERSION, method, Raw(params)) or ())
    assert found[b"mcp-method"] == method.encode()
    assert found.get(b"mcp-name") == value


@pytest.mark.parametrize("method", ["tasks/result", "tasks/list", "notifications/tasks"])
def test_other_methods_of_that_name_have_no_target(method: str) -> None:
    found = dict(request_headers(VERSION, method, Raw(b'{"taskId":"a"}')) or ())
    assert b"mcp-name" not in found


def test_a_tool_is_named_by_its_name_alone() -> None:
    found = dict(request_headers(VERSION, "tools/call", Raw(b'{"taskId":"a","name":"b","uri":"c"}')) or ())
    assert found[b"mcp-name"] == b"b"
