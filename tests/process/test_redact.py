"""A planted secret never appears, and ordinary text stays readable."""

import base64

import pytest

from bridge.process.redact import Redactor, is_secret_name

SECRET = "pl4nted.s3cret-V4lue"


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"authorization: {SECRET}",
        f"AUTHORIZATION=Basic {SECRET}==",
        f"Proxy-Authorization: Basic {SECRET}",
        f'{{"Authorization": "Bearer {SECRET}"}}',
        f"[(b'Authorization', b'Bearer {SECRET}'), (b'Host', b'h')]",
        f"{{'authorization': 'Weird scheme {SECRET}'}}",
        f"sent Bearer {SECRET} up",
        f"bearer {SECRET}",
        f"DPoP {SECRET}",
        f"Mcp-Session-Id: {SECRET}",
        f"(b'mcp-session-id', b'{SECRET}')",
        f'"Mcp-Session-Id":"{SECRET}"',
        f"Cookie: a=b; session={SECRET}",
        f"set-cookie: sid={SECRET}; Path=/; HttpOnly",
        f"https://h/cb?code={SECRET}&x=1",
        f"https://h/cb?x=1&state={SECRET}",
        f"https://h/cb#access_token={SECRET}",
        f"https://h/mcp?api_key={SECRET}",
        f"https://h/mcp?token={SECRET}",
        f"code={SECRET}&grant_type=authorization_code",
        f"grant_type=refresh_token&refresh_token={SECRET}",
        f'{{"access_token":"{SECRET}","expires_in":3600}}',
        f'{{"refresh_token" : "a\\"{SECRET}"}}',
        f"http://user:{SECRET}@proxy:3128/",
        f"https://{SECRET}@h/",
    ],
)
def test_the_shape_of_a_secret_is_masked(text: str) -> None:
    masked = Redactor()(text)
    assert SECRET not in masked
    assert "***" in masked


@pytest.mark.parametrize(
    "text",
    [
        "POST https://example.com/mcp?page=2 -> 200",
        "the server wants a Bearer token.",
        'WWW-Authenticate: Bearer realm="mcp", resource_metadata="https://h/.well-known/x"',
        "state open, code 7",
        "tools/call answered with code=-32000",
        '{"jsonrpc":"2.0","id":"key","method":"ping"}',
        "mail me@example.com",
        "write --header 'Authorization:${AUTH}'",
        "Authorization: ${AUTH}",
        "pass --header 'Authorization: Bearer ${TOKEN}'",
        "pass --header 'Authorization: keyring:example-key', or --header 'X-API-Key: env:KEY'",
        "pass --header 'Authorization: file:~/token'",
        "https://h/@scope/package",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert Redactor()(text) == text


def test_a_known_value_is_masked_in_every_spelling() -> None:
    redactor = Redactor()
    redactor.add('se"cr/et +x')
    for spelling in ('se"cr/et +x', "se%22cr%2Fet%20%2Bx", "se%22cr%2Fet+%2Bx", 'se\\"cr/et +x'):
        assert redactor(f"<{spelling}>") == "<***>"


def test_the_longer_of_two_secrets_goes_whole() -> None:
    redactor = Redactor()
    redactor.add("abcd")
    redactor.add("abcdefgh")
    assert redactor("abcdefgh abcd") == "*** ***"


def test_a_secret_is_not_a_pattern() -> None:
    redactor = Redactor()
    redactor.add("a.c*(")
    assert redactor("abc a.c*(") == "abc ***"


def test_very_short_values_are_left() -> None:
    redactor = Redactor()
    redactor.add("")
    redactor.add("on")
    assert redactor("on and on") == "on and on"


def test_header_values_are_masked_with_what_is_inside_them() -> None:
    basic = base64.b64encode(b"user:hunter2!").decode()
    redactor = Redactor()
    redactor.add_headers(
        [
            ("Authorization", "Bearer tok-12345"),
            ("X-Other", f"Basic {basic}"),
            ("Cookie", "a=cookie-one; b=cookie-two"),
            ("X-Api-Key", "apikey-9"),
            ("User-Agent", "my-agent/1.0"),
        ]
    )
    text = f"tok-12345 {basic} hunter2! cookie-one cookie-two apikey-9 my-agent/1.0"
    assert redactor(text) == "*** *** *** *** *** *** my-agent/1.0"


def test_credentials_that_only_look_like_base64_do_no_harm() -> None:
    redactor = Redactor()
    redactor.add_headers([("Authorization", "Basic ***not base64***"), ("X", "Basic /////w==")])
    assert redactor("plain") == "plain"


@pytest.mark.parametrize(
    "name", ["Authorization", "X-Api-Key", "apikey", "Cookie", "X-Auth-Token", "CLIENT_SECRET", "--accessToken"]
)
def test_a_name_tells_that_its_value_is_a_secret(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["X-Team", "X-Monkey", "Accept-Language", "User-Agent", "keyboard", "tokens-per-minute"]
)
def test_other_names_do_not(name: str) -> None:
    assert not is_secret_name(name)
