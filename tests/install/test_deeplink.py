"""Links that add a server to a host."""

import base64
import json
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from bridge.install.deeplink import HOSTS_WITH_LINKS, link_for
from bridge.inventory.host_table import HOSTS_BY_KEY

ENTRY = {"command": "/bin/a b", "args": ["https://x.example/mcp?a=1&b=2", "--header", "A: keyring:ä+/"]}


@pytest.mark.parametrize(
    ("host", "begin"),
    [("cursor", "cursor://anysphere.cursor-deeplink/mcp/install?"), ("lm-studio", "lmstudio://add_mcp?")],
)
def test_a_link_holds_the_name_and_the_entry_in_base64(host: str, begin: str) -> None:
    link = link_for(host, "my server", ENTRY)
    assert link.startswith(begin)
    query = parse_qs(urlsplit(link).query)
    assert query["name"] == ["my server"]
    assert json.loads(base64.b64decode(query["config"][0], validate=True)) == ENTRY


@pytest.mark.parametrize(("host", "scheme"), [("vscode", "vscode"), ("vscode-insiders", "vscode-insiders")])
def test_a_link_of_vs_code_holds_json(host: str, scheme: str) -> None:
    link = link_for(host, "n", ENTRY)
    begin, _, rest = link.partition("?")
    assert begin == f"{scheme}:mcp/install"
    assert not set(rest) & set(' "{}&=#')
    assert json.loads(unquote(rest)) == {"name": "n", **ENTRY}


def test_the_hosts_with_links_are_rows_of_the_table() -> None:
    assert set(HOSTS_WITH_LINKS) <= set(HOSTS_BY_KEY)
