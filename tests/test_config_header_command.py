"""What `--header-command` may be, and what its command may print."""

import pytest

from bridge.config import Settings
from bridge.config.header_command import (
    HeaderCommand,
    NotHeaders,
    PrintedHeaders,
    header_command_in,
    printed_headers,
    secrets_in,
)
from bridge.errors import UsageError

SECRET = "hunter2-Zq4"
ONE = (("Authorization", f"Bearer {SECRET}"),)


@pytest.mark.parametrize(
    ("value", "platform", "meant"),
    [
        ("get-token --for 'my team'", "linux", HeaderCommand(("get-token", "--for", "my team"))),
        (r'C:\bin\get.exe "my team"', "win32", HeaderCommand((r"C:\bin\get.exe", "my team"))),
        ("shell: echo $TOKEN | head -1", "linux", HeaderCommand(shell="echo $TOKEN | head -1")),
        (("shell:x", "$TOKEN 'a"), "linux", HeaderCommand(("shell:x", "$TOKEN 'a"))),
    ],
)
def test_a_command_is_words_or_what_a_shell_is_to_read(
    value: str | tuple[str, ...], platform: str, meant: HeaderCommand
) -> None:
    assert header_command_in(value, platform) == meant


@pytest.mark.parametrize("value", ["shell:", "shell:  ", "'hunter2-Zq4", "''", ("", "hunter2-Zq4")])
def test_what_cannot_be_a_command_is_refused_without_showing_it(value: str | tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as raised:
        Settings("https://a.example/mcp", header_command=value)
    assert SECRET not in str(raised.value)
    assert "--header-command" in str(raised.value)


def test_a_run_with_such_a_command_does_not_sign_in_and_does_not_show_it() -> None:
    settings = Settings("https://a.example/mcp", header_command=f"get {SECRET}")
    assert not settings.signs_in
    assert SECRET not in repr(settings)
    assert SECRET not in repr(header_command_in(f"get {SECRET}", "linux"))


@pytest.mark.parametrize(
    ("printed", "lifetime"),
    [
        (f'{{"Authorization": "Bearer {SECRET}"}}', None),
        (f'\ufeff {{"Authorization": "Bearer {SECRET}", "expires_in": 3600}}\r\n', 3600),
        (f'{{"headers": {{"Authorization": "Bearer {SECRET}"}}, "expires_in": 1.5}}', 1.5),
        (f"Authorization: Bearer {SECRET}", None),
        (f"\r\nAuthorization:Bearer {SECRET}\r\nExpires_In: 3600\r\n", 3600),
        (f'{{"Authorization": "Bearer {SECRET}", "expires_in": 1e300}}', 366 * 86_400),
    ],
)
def test_headers_come_as_json_or_as_lines(printed: str, lifetime: float | None) -> None:
    found = printed_headers(printed.encode())
    assert found == PrintedHeaders(ONE, lifetime)
    assert SECRET not in repr(found)


def test_lines_may_have_several_headers_and_values_with_colons() -> None:
    found = printed_headers(b"Cookie: a=b; c=d\nX-Where: http://x:1/\n")
    assert found.headers == (("Cookie", "a=b; c=d"), ("X-Where", "http://x:1/"))


@pytest.mark.parametrize(
    ("printed", "what"),
    [
        (b" \n", "printed nothing"),
        (b"\xff\xfe", "not UTF-8"),
        (b"hunter2-Zq4", r"no header \(line 1\)"),
        (b"X-A: b\n: hunter2-Zq4", r"no header \(line 2\)"),
        (b'{"Authorization": "hunter2-Zq4"', "not valid JSON"),
        (b"[" * 10_000, "not valid JSON"),
        (b'["hunter2-Zq4"]', "JSON that is not an object"),
        (b"{}", "printed no header"),
        (b"expires_in: 5", "printed no header"),
        (b'{"headers": {}}', "printed no header"),
        (b'{"X-Key": {"v": "hunter2-Zq4"}}', "the header X-Key with a value that is not a string"),
        (b'{"headers": {"X-Key": "hunter2-Zq4"}, "expiresIn": 5}', "more members than headers and expires_in"),
        (b'{"X-Key": "hunter2-Zq4\\r\\nX-B: c"}', r"header X-Key contains U\+000D"),
        ("X-Key: hunter2-Zq4\u00e9".encode(), r"header X-Key contains U\+00E9"),
        (b'{"X-Key": ""}', "The header X-Key has no value"),
        (b'{"hunter2 Zq4": "x"}', "name of a header has a character"),
        (b"Content-Length: 5", "The bridge sets the header Content-Length itself"),
        (b"Mcp-Param-City: 5", "The bridge sets the header Mcp-Param-City itself"),
        (b"X-Key: hunter2-Zq4\nexpires_in: 0", "expires_in that is not a number of seconds above 0"),
        (b'{"X-Key": "hunter2-Zq4", "expires_in": true}', "expires_in that is not"),
        (b'{"X-Key": "hunter2-Zq4", "expires_in": "soon"}', "expires_in that is not"),
        (b'{"X-Key": "hunter2-Zq4", "expires_in": -1}', "expires_in that is not"),
        (b"".join(b"X-%d: a\n" % number for number in range(51)), "more than 50 headers"),
        (b"X-Key: " + b"a" * 16_001, "more than 16000 characters"),
    ],
)
def test_what_is_no_headers_is_told_without_showing_it(printed: bytes, what: str) -> None:
    with pytest.raises(NotHeaders, match=what) as raised:
        printed_headers(printed)
    assert SECRET not in raised.value.what + raised.value.hint
    assert raised.value.hint


def test_what_may_be_secret_in_the_output_is_found_in_each_form() -> None:
    for text in (
        f"Authorization: Bearer {SECRET}",
        f'{{"Authorization": "Bearer {SECRET}"}}',
        f'{{"a": "{SECRET}",',
        f"  {SECRET}  ",
    ):
        assert SECRET in set(secrets_in(text))
