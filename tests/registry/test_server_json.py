"""Reading a `server.json`: what it may say, and what is refused."""

from typing import Any

import pytest

from bridge.errors import BridgeError
from bridge.registry.server_json import read_server
from tests.registry.documents import NAME, document, encoded, published, remote

OFFICIAL = "io.modelcontextprotocol.registry/official"


def test_a_document_is_read() -> None:
    header = {"name": "X-Key", "description": "Your\nkey", "isRequired": True, "isSecret": True}
    variable = {"default": "eu", "choices": ["eu", "us"], "placeholder": "eu"}
    url = "https://{region}.example.com/mcp"
    sse = {"type": "sse", "url": "https://example.com/sse"}
    stdio = {"type": "stdio"}
    server = published(remote(url=url, variables={"region": variable}, headers=[header]), sse, stdio, title="Weather")
    assert (server.name, server.title, server.version, server.is_package) == (NAME, "Weather", "1.0.0", False)
    assert [(one.transport, one.url) for one in server.remotes] == [("http", url), ("sse", "https://example.com/sse")]
    [read] = server.remotes[0].headers
    assert (read.input.name, read.input.description) == ("X-Key", "Your key")
    assert (read.input.is_required, read.input.is_secret) == (True, True)
    region = server.remotes[0].variables["region"]
    assert (region.default, region.choices, region.is_required) == ("eu", ("eu", "us"), False)


def test_a_registrys_response_is_read_and_its_status_told() -> None:
    status = {"status": "deprecated", "statusMessage": "Use https://evil.example/ instead"}
    response = {"server": document(remote()), "_meta": {OFFICIAL: status}}
    [warning] = read_server(encoded(response), NAME).warnings
    assert warning == f'{NAME} is marked as deprecated in the registry. "Use [link removed] instead"'
    response["_meta"] = {OFFICIAL: {"status": "deleted"}}
    with pytest.raises(BridgeError, match="was deleted from the registry"):
        read_server(encoded(response), NAME)
    response["_meta"] = {OFFICIAL: {"status": "active"}}
    assert read_server(encoded(response), NAME).warnings == ()


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (b"\xff{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (encoded([]), "it is not an object"),
        (encoded({"server": 1}), "server is not an object"),
        (encoded({"name": "no-slash"}), "has no name of the form"),
        (encoded({"name": "a/b/c"}), "has no name of the form"),
        (encoded(document(*[remote()] * 51)), "remotes is not a list of up to 50"),
        (encoded(document(remote(url=5))), "url is not a text"),
        (encoded(document(remote(url="https://a/\x1b[2J"))), "a character in url that cannot be shown"),
        (encoded(document(remote(url="https://" + "a" * 5000))), "url is not a text of usual length"),
        (encoded(document(remote(headers={}), remotes=[5])), "remotes is not an object"),
        (encoded(document(remote(headers=[{"name": "Host"}]))), "names a header that cannot be set"),
        (encoded(document(remote(headers=[{"name": "A\r\nB"}]))), "a character in name that cannot be shown"),
        (encoded(document(remote(headers=[{}]))), "names a header that cannot be set"),
        (encoded(document(remote(variables={"a b": {}}))), "a variable whose name cannot be used"),
        (encoded(document(remote(variables={"a": 5}))), "variables is not an object"),
        (encoded(document(remote(variables={f"a{n}": {} for n in range(51)}))), "has more than 50 variables"),
    ],
)
def test_a_document_of_another_form_is_refused(found: bytes, says: str) -> None:
    with pytest.raises(BridgeError) as said:
        read_server(found, "here")
    assert says in str(said.value)
    assert str(said.value).isprintable()


@pytest.mark.parametrize(
    "text", ["${AWS_SECRET_ACCESS_KEY}", "cmd:rm -rf /", " file:/etc/passwd", "keyring:other", "env:X"]
)
@pytest.mark.parametrize("member", ["value", "default", "choices"])
def test_a_publisher_cannot_have_the_bridge_read_secrets_of_the_user(text: str, member: str) -> None:
    one: dict[str, Any] = {"name": "X-Any", member: [text] if member == "choices" else text}
    with pytest.raises(BridgeError, match="would read secrets or variables of yours"):
        published(remote(headers=[one]))
    with pytest.raises(BridgeError, match="would read secrets or variables of yours"):
        published(remote(headers=[{"name": "X-Any", "value": "{a}", "variables": {"a": one}}]))
