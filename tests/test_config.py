"""Settings: what is accepted, what is refused, and that no refusal shows a secret."""

import os
from pathlib import Path
from typing import Any

import pytest

from bridge.config import (
    OWNED_HEADERS,
    FeatureSettings,
    Settings,
    ascii_url,
    merge_headers,
    parse_header,
    parse_seconds,
)
from bridge.config.header_file import read_header_file
from bridge.errors import UsageError

SECRET = "s3cr3t-value"


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/mcp",
        "HTTPS://Example.COM:8443/mcp/?a=b%20c&d",
        "https://example.com",
        "https://[2001:db8::1]/mcp",
        "http://localhost:3000/mcp",
        "http://api.localhost/mcp",
        "http://127.9.9.9:1/mcp",
        "http://[::1]:8080/sse",
        "https://bücher.example/mcp",
        "https://Bücher.EXAMPLE:8443/mcp?a=b",
        "https://bücher.example./",
        "https://mcp.example.com./mcp",
    ],
)
def test_a_url_is_kept_byte_for_byte(url: str) -> None:
    assert Settings(url=url).url == url


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://example.com/", "not ftp"),
        ("example.com/mcp", "must start with https:// or http://."),
        ("https:///mcp", "no usable host"),
        ("https://example.com:0/", "no usable port"),
        ("https://example.com:99999/", "malformed"),
        ("https://[::1/mcp", "malformed"),
        ("https://example.com/mcp#part", "fragment"),
        ("https://example.com/mcp#", "fragment"),
        ("https://example.com/a b", "U+0020"),
        (" https://example.com/", "U+0020"),
        ("https://example.com/\n", "U+000A"),
        ("https://exa\tmple.com/", "U+0009"),
        ("https://example.com\\mcp", "U+005C"),
        ("https://example.com/bücher", "U+00FC"),
        ("https://bücher.example/ü", "U+00FC"),
        ("https://bücher.example/?ü", "U+00FC"),
        ("https://b\tücher.example/", "U+0009"),
        ("https://\u2603.example/", "an invalid host name: Codepoint U+2603"),
        (f"https://{'ü' * 70}.example/", "an invalid host name"),
        ("https://bü\\cher.example/", "an invalid host name"),
        ("https://bü cher.example/", "an invalid host name"),
        ("https://ü..example/", "an invalid host name"),
        ("https://${env:SITE}/mcp", "${env:SITE}, which the host did not replace"),
    ],
)
def test_a_url_that_cannot_be_fetched_as_written_is_refused(url: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        Settings(url=url)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://mcp.example.com:8443/mcp", "https://mcp.example.com:8443/mcp"),
        ("https://bücher.example/mcp?a=b", "https://xn--bcher-kva.example/mcp?a=b"),
        ("https://Bücher.example:8443", "https://xn--bcher-kva.example:8443"),
        ("https://faß.example./", "https://xn--fa-hia.example./"),
    ],
)
def test_a_url_in_ascii(url: str, expected: str) -> None:
    assert ascii_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [f"https://user:{SECRET}@h/", f"https://user:{SECRET}@bücher.example/", f"https://{SECRET}@h/", "https://@h/"],
)
def test_credentials_in_the_url_are_refused_and_not_shown(url: str) -> None:
    with pytest.raises(UsageError, match="--header") as caught:
        Settings(url=url)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("host", ["example.com", "10.0.0.1", "localhost.example.com", "127.example.com", "[::2]"])
def test_plain_http_to_another_host_needs_the_flag(host: str) -> None:
    url = f"http://{host}/mcp"
    with pytest.raises(UsageError, match="--allow-http") as caught:
        Settings(url=url)
    assert "can read every message" in str(caught.value)
    assert Settings(url=url, allow_http=True).url == url


@pytest.mark.parametrize(
    "wrong",
    [
        {"connect_timeout": 0.0},
        {"connect_timeout": float("nan")},
        {"request_timeout": -1.0},
        {"request_timeout": float("inf")},
        {"retry_window": 0.0},
        {"transport": "ws"},
        {"protocol": "newest"},
        {"log_level": "loud"},
        {"client_cert_key": Path("key.pem")},
    ],
)
def test_a_bad_setting_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Settings(url="https://h/", **wrong)


def test_a_bad_setting_for_what_the_host_gets_is_refused() -> None:
    with pytest.raises(UsageError, match="--merge-pages: choose auto, on or off"):
        FeatureSettings(merge_pages="some")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="--keep-alive must be more than 0 seconds, not 0"):
        FeatureSettings(keep_alive=0.0)
    with pytest.raises(UsageError, match="--max-result must be 1000 bytes or more, not 999"):
        FeatureSettings(max_result=999)
    with pytest.raises(UsageError, match="--pass-through passes everything, and --max-result does not"):
        FeatureSettings(max_result=5000, pass_through=True)
    with pytest.raises(UsageError, match="--tool-timeout must be more than 0 seconds, not inf"):
        FeatureSettings(tool_timeout=float("inf"))


def test_the_old_transport_knows_no_modern_protocol() -> None:
    with pytest.raises(UsageError, match="only the legacy protocol"):
        Settings(url="https://h/", transport="sse", protocol="modern")
    for protocol in ("auto", "legacy"):
        assert Settings(url="https://h/", transport="sse", protocol=protocol).protocol == protocol
    for transport in ("auto", "http"):
        assert Settings(url="https://h/", transport=transport, protocol="modern").transport == transport


def test_settings_do_not_show_header_values() -> None:
    assert SECRET not in repr(Settings(url="https://h/", headers=(("Authorization", SECRET),)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer abc", ("Authorization", "Bearer abc")),
        ("Authorization:Bearer abc", ("Authorization", "Bearer abc")),
        ("X-Time : 12:30 \t", ("X-Time", "12:30")),
        ("Authorization:${AUTH}", ("Authorization", "Bearer x")),
        ("Authorization: Bearer ${TOKEN}", ("Authorization", "Bearer t1")),
        ("Authorization: Bearer ${env:TOKEN}", ("Authorization", "Bearer t1")),
        ("X-Two: ${TOKEN}-${TOKEN}", ("X-Two", "t1-t1")),
        ("X-Nested: ${NESTED}", ("X-Nested", "${TOKEN}")),
        ("X-Newline: ${NEWLINE}", ("X-Newline", "v")),
        ("X-Price: $5 $TOKEN ${", ("X-Price", "$5 $TOKEN ${")),
        ("User-Agent: mine/1", ("User-Agent", "mine/1")),
        ("Mcp-Params: 1", ("Mcp-Params", "1")),
    ],
)
def test_a_header_is_read(text: str, expected: tuple[str, str]) -> None:
    environ = {"AUTH": "Bearer x", "TOKEN": "t1", "NESTED": "${TOKEN}", "NEWLINE": "v\r\n"}
    assert parse_header(text, environ) == expected


@pytest.mark.parametrize("text", ["X: ${A:-b}", "X: ${env:A:-b}", "X: ${EMPTY:-b}", "X: ${B:-c}", "X: ${NONE:-}b"])
def test_a_variable_may_have_a_default(text: str) -> None:
    assert parse_header(text, {"EMPTY": "", "B": "b"}) == ("X", "b")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        (SECRET, "not of the form"),
        (f": {SECRET}", "not of the form"),
        (f"X Y: {SECRET}", "name of a header has a character"),
        (f"Zoë: {SECRET}", "name of a header has a character"),
        (f"'Authorization: {SECRET}'", "starts with a quotation mark"),
        (f"${{NAME}}: {SECRET}", "before its colon"),
        ("Authorization:", "Authorization has no value"),
        ("Authorization: ", "split an argument at its spaces"),
        (f"X-A: {SECRET}\nX-B: 1", "X-A contains U+000A"),
        (f"X-A: {SECRET}\rb", "X-A contains U+000D"),
        (f"X-A: {SECRET}\0b", "X-A contains U+0000"),
        (f"X-A: {SECRET}\u201d", "X-A contains U+201D"),
        ("X-A: ${LINES}", "X-A contains U+000A"),
        ("Authorization: Bearer ${MISSING}", "variable MISSING, which is not set"),
        ("Authorization: Bearer ${env:MISSING}", "variable MISSING, which is not set"),
        ("Authorization: Bearer ${EMPTY}", "variable EMPTY, which is empty"),
        ("X-A: ${input:api-key}", "${input:api-key}, which the host did not replace"),
        (f"X-A: ${{TOKEN:+{SECRET}}}", "${TOKEN...}, which the host did not replace"),
        ("X-A: ${EMPTY:-}", "X-A has no value"),
        ("X-A: ${}", "${...}, which the host did not replace"),
    ],
)
def test_a_bad_header_is_refused_without_its_value(text: str, says: str) -> None:
    environ = {"EMPTY": "", "LINES": f"{SECRET}\nX: 1", "TOKEN": SECRET}
    with pytest.raises(UsageError) as caught:
        parse_header(text, environ)
    assert says in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", [*sorted(OWNED_HEADERS), "mcp-param-", "mcp-param-region"])
def test_a_header_the_bridge_sets_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"The bridge sets the header|sets the authorize parameter") as caught:
        parse_header(f"{name.title()}: {SECRET}", {})
    assert SECRET not in str(caught.value)


def test_the_headers_that_describe_a_request_are_the_bridges_own() -> None:
    assert {"mcp-method", "mcp-name", "mcp-protocol-version", "mcp-session-id"} <= OWNED_HEADERS


def test_a_header_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_bytes(b"\xef\xbb\xbf# ours\r\n\r\nAuthorization: Bearer ${T}\r\n  # indented\n X-A:1 \n")
    assert read_header_file(file, {"T": "abc"}) == (("Authorization", "Bearer abc"), ("X-A", "1"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (f"X-A: 1\n\n{SECRET}\n".encode(), "line 3: A header is not of the form"),
        (
            f"# c\nX-A: ${{NOPE}} {SECRET}".encode(),
            "line 2: The header X-A needs the environment variable NOPE",
        ),
        (b"X-A: \xff", "not UTF-8"),
        (f"Host: {SECRET}".encode(), "line 1: The bridge sets the header Host"),
    ],
)
def test_a_bad_header_file_is_named_with_its_line(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "headers"
    file.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_header_file(file, {})
    assert str(file) in str(caught.value)
    assert says in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_missing_header_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_header_file(tmp_path / "none", {})
    assert str(tmp_path / "none") in str(caught.value)
    assert os.strerror(2) in str(caught.value)


def test_a_header_given_twice_is_taken_from_the_stronger_side() -> None:
    merged = merge_headers([("A", "1"), ("b", "2")], [("B", "3"), ("B", "4")])
    assert merged == (("A", "1"), ("B", "3"), ("B", "4"))


def test_seconds_are_read() -> None:
    assert parse_seconds(" 1.5 ", "--x") == 1.5
    assert parse_seconds("0", "--x", zero_is_none=True) is None


@pytest.mark.parametrize("text", ["", "abc", "30s", "0", "-1", "inf", "nan", "1e999"])
def test_bad_seconds_name_their_source(text: str) -> None:
    with pytest.raises(UsageError, match="MCP_BRIDGE_X"):
        parse_seconds(text, "MCP_BRIDGE_X")
