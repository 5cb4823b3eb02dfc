"""Addresses: what may be asked and opened by its form, and where metadata is looked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.oauth.addresses import (
    authorization_base,
    authorization_server_urls,
    check_endpoint,
    is_url,
    protected_resource_urls,
)
from bridge.oauth.errors import MetadataError

# -- check_endpoint


@pytest.mark.parametrize(
    "url",
    [
        "https://as.example/authorize",
        "https://as.example",
        "HTTPS://AS.Example:8443/a%20b?c=d&e",
        "https://as_1.example./x",
        "https://xn--bcher-kva.example/",
        "https://203.0.113.7/x",
        "https://[2001:db8::1]:8443/x",
        "https://as.example/@handle/x",
        "http://localhost:1234/x",
        "http://LOCALHOST./x",
        "http://as.localhost/x",
        "http://127.0.0.1/x",
        "http://127.8.9.10/x",
        "http://[::1]:80/x",
    ],
)
def test_an_endpoint_stays_as_it_is(url: str) -> None:
    assert check_endpoint(url, "token endpoint") == url


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "is not https"),
        ("/token", "is not https"),
        ("file:///etc/passwd", "is not https"),
        ("javascript:alert(1)", "is not https"),
        ("ms-settings:privacy", "is not https"),
        ("data:text/html,x", "is not https"),
        ("ftp://as.example/x", "is not https"),
        ("http://as.example/x", "plain http"),
        ("http://10.0.0.1/x", "plain http"),
        ("http://localhost.evil.example/x", "plain http"),
        ("http://notlocalhost/x", "plain http"),
        ("http://[::ffff:10.0.0.1]/x", "plain http"),
        ("https:as.example/x", "no usable host"),
        ("https:///as.example/x", "no usable host"),
        ("https://:443/x", "no usable host"),
        ("https://as..example/x", "no usable host"),
        ("https://-as.example/x", "no usable host"),
        ("https://as%2eexample/x", "no usable host"),
        ("https://as,example/x", "no usable host"),
        ("https://as.example$(id)/x", "no usable host"),
        ("https://" + "a" * 64 + ".example/", "no usable host"),
        ("https://" + "a." * 150 + "example/", "no usable host"),
        # Notations of IPv4 addresses that browsers and resolvers know.
        ("https://127.1/x", "no usable host"),
        ("https://2130706433/x", "no usable host"),
        ("https://0x7f.0.0.1/x", "no usable host"),
        ("https://0177.0.0.01/x", "no usable host"),
        ("https://as.0x/x", "no usable host"),
        ("https://[fe80::1%25eth0]/x", "no usable host"),
        ("https://[127.0.0.1]/x", "https://[127.0.0.1]"),
        ("https://[v1.x]/x", "no usable host"),
        ("https://[v1.x:y]/x", "no usable host"),
        ("https://[::1/x", "malformed"),
        ("https://as.example:/x\\", "U+005C"),
        ("https://as.example:99999/x", "malformed"),
        ("https://as.example:8x/x", "malformed"),
        ("https://as.example:0/x", "no usable port"),
        ("https://user@as.example/x", "user name or password"),
        ("https://as.example@evil.example/x", "user name or password"),
        ("https://@as.example/x", "user name or password"),
        ("https://as.example/x#y", "fragment"),
        ("https://as.example/x#", "fragment"),
        ("https://as.example/x y", "U+0020"),
        (" https://as.example/x", "U+0020"),
        ("https://as.example/x\r\nHost: evil", "U+000D"),
        ("https://as.example/\x00", "U+0000"),
        ("https://as.example/\x7f", "U+007F"),
        ("https://b\u00fccher.example/", "U+00FC"),
        ("https://as.example\\@evil.example/", "U+005C"),
        ('https://as.example/"&calc', "U+0022"),
        ("https://as.example/`id`", "U+0060"),
        ("https://as.example/" + "x" * 2048, "more than 2048"),
    ],
)
def test_a_refused_endpoint(url: str, says: str) -> None:
    with pytest.raises(MetadataError) as caught:
        check_endpoint(url, "token endpoint")
    message = caught.value.message
    assert message.startswith("The token endpoint was refused: '")
    assert says in message
    assert message.isprintable()
    assert len(message) < 400


def test_what_may_be_a_password_is_not_said() -> None:
    for url in (
        "https://me:hunter2@as.example/x",
        "https://me:hunter2@a@as.example/",
        "https:// me:hunter2@as.example",
    ):
        with pytest.raises(MetadataError) as caught:
            check_endpoint(url, "token endpoint")
        assert "hunter2" not in str(caught.value)
        assert "as.example" in str(caught.value)


def test_a_url_in_form_may_be_plain_http() -> None:
    assert is_url("http://mcp.example/mcp")
    assert not is_url("http://mcp.example/mcp#x")
    assert not is_url("ftp://mcp.example/mcp")


@given(st.text(max_size=60) | st.text("htps:/@[]?#.%\\ 127x-", max_size=40).map("https://".__add__))
def test_any_text_is_judged(text: str) -> None:
    try:
        assert check_endpoint(text, "x") == text
    except MetadataError as problem:
        assert problem.message.isprintable()  # noqa: PT017 - either way is right


# -- where metadata is


@pytest.mark.parametrize(
    ("server_url", "base"),
    [
        ("https://api.example.com/v1/mcp", "https://api.example.com"),
        ("HTTPS://API.Example.com:443/v1/mcp?x=1", "https://api.example.com"),
        ("https://api.example.com:8443", "https://api.example.com:8443"),
        ("http://127.0.0.1:80/mcp", "http://127.0.0.1"),
        ("http://[::1]:3000/mcp", "http://[::1]:3000"),
    ],
)
def test_the_authorization_base_url(server_url: str, base: str) -> None:
    assert authorization_base(server_url) == base


WELL_KNOWN = "https://h.example/.well-known"


@pytest.mark.parametrize(
    ("server_url", "paths"),
    [
        ("https://h.example", ["oauth-protected-resource"]),
        ("https://h.example/", ["oauth-protected-resource"]),
        ("https://h.example/public/mcp", ["oauth-protected-resource/public/mcp", "oauth-protected-resource"]),
        (
            "https://h.example/mcp/",
            ["oauth-protected-resource/mcp/", "oauth-protected-resource/mcp", "oauth-protected-resource"],
        ),
        ("https://h.example/mcp?a=b&c", ["oauth-protected-resource/mcp?a=b&c", "oauth-protected-resource"]),
        ("https://h.example/?a=b", ["oauth-protected-resource?a=b", "oauth-protected-resource"]),
    ],
)
def test_protected_resource_metadata_is_at(server_url: str, paths: list[str]) -> None:
    assert protected_resource_urls(server_url, None) == tuple(f"{WELL_KNOWN}/{path}" for path in paths)


def test_the_url_that_a_challenge_names_is_first() -> None:
    own = protected_resource_urls("https://h.example/mcp", None)
    elsewhere = "https://other.example/custom/metadata.json?x=1"
    assert protected_resource_urls("https://h.example/mcp", elsewhere) == (elsewhere, *own)
    assert protected_resource_urls("https://h.example/mcp", own[1]) == (own[1], own[0])


@pytest.mark.parametrize(
    "named", ["", "/relative", "http://other.example/x", "file:///x", "https://u:p@h.example/x", "https://h.example/#"]
)
def test_one_that_may_not_be_asked_is_passed_over(named: str) -> None:
    assert protected_resource_urls("https://h.example/mcp", named) == protected_resource_urls(
        "https://h.example/mcp", None
    )


@pytest.mark.parametrize(
    ("issuer", "urls"),
    [
        ("https://h.example", ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]),
        ("https://h.example/", ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]),
        (
            "https://h.example/tenant1",
            [
                "/.well-known/oauth-authorization-server/tenant1",
                "/.well-known/openid-configuration/tenant1",
                "/tenant1/.well-known/openid-configuration",
            ],
        ),
        (
            "https://h.example/a/b/",
            [
                "/.well-known/oauth-authorization-server/a/b",
                "/.well-known/openid-configuration/a/b",
                "/a/b/.well-known/openid-configuration",
            ],
        ),
    ],
)
def test_authorization_server_metadata_is_at(issuer: str, urls: list[str]) -> None:
    assert authorization_server_urls(issuer) == tuple(f"https://h.example{url}" for url in urls)


@pytest.mark.parametrize("issuer", ["https://h.example/?tenant=1", "https://h.example/t#x"])
def test_an_issuer_has_no_query_and_no_fragment(issuer: str) -> None:
    with pytest.raises(MetadataError, match="no query and no fragment"):
        authorization_server_urls(issuer)
