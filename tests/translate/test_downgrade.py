"""A modern host on a legacy server: the session is opened, requests are checked, the server is described."""

from __future__ import annotations

import msgspec
import pytest

from bridge.protocol.writing import members
from bridge.translate import request_meta
from tests.translate.downgrade_book import (
    CAPABILITIES,
    CLIENT,
    HOST,
    LOG_LEVEL,
    OFFERS,
    SERVER,
    SERVER_INFO,
    VERSION,
    Book,
    fault,
    line,
    modern_meta,
)

INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def initialize_result(**more: object) -> dict[str, object]:
    return {"protocolVersion": "2025-11-25", "capabilities": OFFERS, "serverInfo": SERVER_INFO, **more}


# -- opening


def test_the_first_request_opens_the_session_and_is_sent_after_that() -> None:
    book = Book()
    down, (asked,) = book.host(1, "tools/list")
    assert down == []
    assert asked["method"] == "initialize"
    assert asked["params"] == {
        "protocolVersion": "2025-11-25",
        "capabilities": {"sampling": {"tools": {}}, "elicitation": {"form": {}, "url": {}}, "roots": {}},
        "clientInfo": HOST,
    }
    down, up = book.answers(asked["id"], initialize_result())
    assert down == []
    assert up == [INITIALIZED, {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}]


def test_requests_wait_in_order_while_the_session_is_opened() -> None:
    book = Book()
    book.host(0, "tools/list")
    assert book.host("0", "prompts/list") == ([], [])
    assert [book.downgrade.is_waiting, book.downgrade.awaits(0), book.downgrade.awaits("0")] == [True, True, True]
    _, up = book.answers(1, initialize_result())
    assert [message["method"] for message in up] == ["notifications/initialized", "tools/list", "prompts/list"]
    assert not book.downgrade.is_waiting
    assert book.downgrade.awaits(0)


def test_an_error_to_initialize_goes_to_each_that_waits_and_the_next_one_tries_again() -> None:
    book = Book()
    book.host(1, "tools/list")
    book.host(2, "server/discover")
    down, up = book.fails(1, -32000, "closed", data={"source": "mcp-remote-bridge"})
    assert up == []
    assert [message["id"] for message in down] == [1, 2]
    assert all(message["error"]["data"] == {"source": "mcp-remote-bridge"} for message in down)
    assert not book.downgrade.awaits(1)
    _, (asked,) = book.host(3, "tools/list")
    assert asked["method"] == "initialize"


@pytest.mark.parametrize("version", ["2023-01-01", "2026-07-28"])
def test_a_version_that_is_not_legacy_is_refused_with_its_name(version: str) -> None:
    book = Book()
    book.host(1, "tools/list")
    down, up = book.answers(1, initialize_result(protocolVersion=version))
    assert version in fault(down, 1, -32000, "version")["message"]
    assert up == []


@pytest.mark.parametrize("version", ["2025-06-18", "2025-03-26", "2024-11-05"])
def test_every_legacy_version_will_do(version: str) -> None:
    book = Book()
    book.host(1, "tools/list")
    down, up = book.answers(1, initialize_result(protocolVersion=version))
    assert down == []
    assert up[0] == INITIALIZED


def test_what_was_cancelled_while_it_waited_for_the_session_is_not_sent() -> None:
    book = Book()
    book.host(1, "tools/list")
    book.host(2, "prompts/list")
    assert book.cancels(1) == ([], [])
    _, up = book.answers(1, initialize_result())
    assert [message["method"] for message in up] == ["notifications/initialized", "prompts/list"]


def test_closing_fails_what_waits_for_the_session() -> None:
    book = Book()
    book.host(1, "tools/list")
    book.downgrade.close()
    down, up = book.taken()
    fault(down, 1, -32000, "shutdown")
    assert up == []


@pytest.mark.parametrize(
    "info", [None, {"name": "x"}, "x", {"name": 1, "version": "1"}], ids=["no", "half", "text", "odd"]
)
def test_a_host_that_does_not_name_itself_well_is_named_for_it(info: object) -> None:
    meta = members(msgspec.json.encode({**modern_meta({}), CLIENT: info}))
    said = request_meta.legacy_client(meta)
    assert msgspec.json.decode(said["clientInfo"]) == {"name": "mcp-remote-bridge", "version": "unknown"}


# -- what a request says of itself


@pytest.mark.parametrize(
    ("meta", "code"),
    [
        (None, -32602),
        ("x", -32602),
        ({}, -32602),
        ({VERSION: 1, CAPABILITIES: {}}, -32602),
        ({VERSION: "2026-07-28"}, -32602),
        ({VERSION: "2026-07-28", CAPABILITIES: []}, -32602),
        ({VERSION: "2026-07-28", CAPABILITIES: {}, LOG_LEVEL: "loud"}, -32602),
        ({VERSION: "2026-07-28", CAPABILITIES: {}, LOG_LEVEL: 1}, -32602),
        ({VERSION: "2025-11-25", CAPABILITIES: {}}, -32022),
    ],
    ids=["none", "text", "empty", "version-1", "no-caps", "odd-caps", "odd-level", "level-1", "old"],
)
def test_a_request_that_does_not_say_what_it_must_is_refused(meta: object, code: int) -> None:
    book = Book(is_strict=False)
    down, up = book.host_line(line(id=1, method="tools/list", params={} if meta is None else {"_meta": meta}))
    error = fault(down, 1, code)
    assert up == []
    if code == -32022:
        assert error["data"]["supported"] == ["2026-07-28"]
        assert error["data"]["requested"] == "2025-11-25"


@pytest.mark.parametrize("params", [None, [], "x", 1])
def test_a_request_without_params_is_refused(params: object) -> None:
    book = Book(is_strict=False)
    fault(book.host_line(line(id=0, method="tools/list", params=params))[0], 0, -32602)


@pytest.mark.parametrize(
    "method",
    [
        "ping",
        "initialize",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "tasks/get",
        "tasks/list",
    ],
)
def test_methods_that_are_gone_are_unknown(method: str) -> None:
    down, up = Book(is_strict=False).host(1, method)
    fault(down, 1, -32601, "unknown-method")
    assert up == []


def test_a_method_that_cannot_be_written_is_unknown() -> None:
    book = Book(is_strict=False).opened()
    said = rb'{"jsonrpc":"2.0","id":1,"method":"\ud83d","params":{"_meta":%b}}' % msgspec.json.encode(modern_meta())
    fault(book.host_line(said)[0], 1, -32601)


def test_two_requests_share_a_session_where_a_legacy_server_would_see_the_same() -> None:
    def key(written: bytes) -> bytes:
        return request_meta.session_key(members(written))

    one = key(b'{"%b":{"roots":{},"sampling":{"tools":{}, "x":1e400}},"%b":{"name":"a","version":"1"}}' % KEYS)
    same = b'{"%b":{"sampling":{ "x":1e400,"tools":{}},"roots":{"z":1}},"%b":{"version":"1","name":"a"},"q":1}' % KEYS
    assert key(same) == one
    assert key(same.replace(b"1e400", b"1e401")) != one
    assert key(same.replace(b'"name":"a"', b'"name":"b"')) != one
    assert key(same.replace(b'"roots"', b'"other"')) != one


KEYS = (CAPABILITIES.encode(), CLIENT.encode())


# -- discovery


def test_discovery_says_what_initialize_said() -> None:
    book = Book()
    book.host(7, "server/discover")
    offers = {
        **OFFERS,
        "completions": {},
        "tasks": {"list": {}},
        "extensions": {"a/b": {}, "io.modelcontextprotocol/tasks": {}},
    }
    down, _ = book.answers(1, initialize_result(capabilities=offers, instructions="Be kind."))
    del offers["tasks"]
    assert down == [
        {
            "jsonrpc": "2.0",
            "id": 7,
            "result": {
                "resultType": "complete",
                "supportedVersions": ["2026-07-28"],
                "capabilities": {**offers, "extensions": {"a/b": {}}},
                "instructions": "Be kind.",
                "ttlMs": 0,
                "cacheScope": "private",
                "_meta": {SERVER: SERVER_INFO},
            },
        }
    ]
    assert book.host(8, "server/discover")[1] == []


def test_a_server_without_a_name_is_named_by_its_address() -> None:
    book = Book(is_strict=False)
    book.host(1, "server/discover")
    down, _ = book.answers(1, {"protocolVersion": "2024-11-05", "capabilities": [], "instructions": 4})
    result = down[0]["result"]
    assert result["_meta"] == {SERVER: {"name": "server.example", "version": "unknown"}}
    assert result["capabilities"] == {}
    assert "instructions" not in result
