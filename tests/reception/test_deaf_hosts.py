"""Which hosts never notice that a list changed, and by what name they are known."""

import pytest
from msgspec import Raw

from bridge.protocol import mcp
from bridge.reception.deaf_hosts import ignores_list_changed
from tests.session.modern_playbook import META_CLIENT


@pytest.mark.parametrize("name", ["claude-ai", "codex-mcp-client"])
def test_some_are_known(name: str) -> None:
    assert ignores_list_changed(name)


@pytest.mark.parametrize("name", ["", "claude-code", "Claude-AI", "claude-ai (via mcp-remote 0.1.29)", "codex"])
def test_no_other_is_taken_for_one_of_them(name: str) -> None:
    assert not ignores_list_changed(name)


def test_a_host_is_known_by_its_name_and_not_by_its_title() -> None:
    client = b'{"name":"codex-mcp-client","title":"Codex","version":"1"}'
    assert mcp.client_program(Raw(b'{"clientInfo":%b}' % client)) == "codex-mcp-client"
    stamped = b'{"_meta":{"%b":%b}}' % (META_CLIENT.encode(), client)
    assert mcp.stamped_client_program(Raw(stamped)) == "codex-mcp-client"


@pytest.mark.parametrize(
    "params",
    [b"", b"{}", b"[]", b"5", b'{"clientInfo":5,"_meta":5}', b'{"clientInfo":{"name":5}}', b'{"_meta":{"x":1}}', b"{"],
)
def test_a_host_that_gives_no_name_has_none(params: bytes) -> None:
    assert mcp.client_program(Raw(params)) == ""
    assert mcp.stamped_client_program(Raw(params)) == ""
