"""Proxies by the environment's variables."""

import pytest

from bridge.errors import UsageError
from bridge.remote.proxy import Proxy, proxy_for

HTTPS = "https://mcp.example.com/mcp"
HTTP = "http://mcp.example.com/mcp"
SECRET = "s3cr3t-value"


@pytest.mark.parametrize(
    ("url", "environ", "expected"),
    [
        (HTTPS, {}, None),
        (HTTPS, {"HTTPS_PROXY": "http://proxy:3128"}, "http://proxy:3128"),
        (HTTPS, {"https_proxy": "proxy:3128"}, "http://proxy:3128"),
        (HTTPS, {"https_proxy": "proxy"}, "http://proxy:80"),
        (HTTPS, {"HTTPS_PROXY": "https://proxy/"}, "https://proxy:443"),
        (HTTPS, {"ALL_PROXY": "socks5h://proxy"}, "socks5h://proxy:1080"),
        (HTTPS, {"all_proxy": "SOCKS5://[2001:db8::1]:9050"}, "socks5://[2001:db8::1]:9050"),
        (HTTPS, {"HTTP_PROXY": "http://proxy:1"}, None),
        (HTTP, {"HTTP_PROXY": "http://proxy:1", "HTTPS_PROXY": "http://proxy:2"}, "http://proxy:1"),
        (HTTPS, {"HTTPS_PROXY": "http://upper:1", "https_proxy": "http://lower:1"}, "http://lower:1"),
        (HTTPS, {"HTTPS_PROXY": "http://upper:1", "https_proxy": ""}, None),
        (HTTPS, {"HTTPS_PROXY": "http://one:1", "ALL_PROXY": "http://two:1"}, "http://one:1"),
        (HTTP, {"HTTP_PROXY": "http://evil:1", "REQUEST_METHOD": "GET"}, None),
        (HTTP, {"http_proxy": "http://proxy:1", "REQUEST_METHOD": "GET"}, "http://proxy:1"),
    ],
)
def test_the_variable_that_counts(url: str, environ: dict[str, str], expected: str | None) -> None:
    proxy = proxy_for(url, environ)
    assert (proxy.url if proxy else None) == expected


@pytest.mark.parametrize(
    ("url", "no_proxy", "direct"),
    [
        (HTTPS, "", False),
        (HTTPS, "*", True),
        (HTTPS, "other.example, example.com", True),
        (HTTPS, "other.example example.com", True),
        (HTTPS, ".example.com", True),
        (HTTPS, "*.example.com", True),
        (HTTPS, "MCP.EXAMPLE.COM", True),
        (HTTPS, "example.com.", True),
        ("https://mcp.example.com./mcp", "example.com", True),
        ("https://mcp.example.com./mcp", "mcp.example.com.:443", True),
        ("https://mcp.bücher.example/", "bücher.example", True),
        ("https://mcp.bücher.example/", "*.BÜCHER.example.", True),
        ("https://mcp.bücher.example/", ".xn--bcher-kva.example:443", True),
        ("https://mcp.xn--bcher-kva.example/", "bücher.example", True),
        ("https://mcp.bücher.example./", "bücher.example", True),
        ("https://mcp.bücher.example/", "cher.example", False),
        ("https://mcp.bücher.example/", "\u2603.example", False),
        (HTTPS, "ample.com", False),
        (HTTPS, "mcp.example.com.evil", False),
        (HTTPS, "mcp.example.com:443", True),
        (HTTPS, "mcp.example.com:8443", False),
        ("https://mcp.example.com:8443/", "mcp.example.com:8443", True),
        (HTTPS, ".", False),
        ("https://10.1.2.3/", "10.0.0.0/8", True),
        ("https://11.1.2.3/", "10.0.0.0/8", False),
        ("https://10.1.2.3/", "10.1.2.3", True),
        ("https://10.1.2.3/", "10.1.2.3:443", True),
        ("https://10.1.2.3/", "10.1.2.3:444", False),
        ("https://10.1.2.30/", "10.1.2.3", False),
        ("https://[2001:db8::5]/", "2001:db8::/32", True),
        ("https://[2001:db8::5]/", "[2001:db8:0::5]", True),
        ("https://[2001:db8::5]:99/", "[2001:db8::5]:99", True),
        ("https://[2001:db8::5]:99/", "[2001:db8::5]:98", False),
        ("https://[2001:db8::5]/", "10.0.0.0/8", False),
    ],
)
def test_no_proxy(url: str, no_proxy: str, direct: bool) -> None:
    proxy = proxy_for(url, {"ALL_PROXY": "http://proxy:1", "NO_PROXY": no_proxy})
    assert (proxy is None) is direct


@pytest.mark.parametrize("url", ["http://localhost:1/", "http://127.0.0.1:1/", "https://[::1]/", "http://a.localhost/"])
def test_loopback_is_reached_directly(url: str) -> None:
    # A broken variable must not matter either.
    assert proxy_for(url, {"ALL_PROXY": "gopher://x"}) is None


def test_credentials_are_split_off_and_decoded() -> None:
    proxy = proxy_for(HTTPS, {"HTTPS_PROXY": f"http://us%40er:{SECRET}%2F%3A@proxy:3128"})
    assert proxy == Proxy("http://proxy:3128", ("us@er", f"{SECRET}/:"))
    assert SECRET not in repr(proxy)


def test_the_scheme_of_a_proxy() -> None:
    assert Proxy("socks5h://proxy:1080").scheme == "socks5h"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (f"socks4://u:{SECRET}@proxy", "unsupported scheme socks4"),
        (f"{SECRET}://proxy", "unsupported scheme"),
        (f"u:{SECRET}://proxy", "unsupported scheme"),
        (f"http://u:{SECRET}/x@proxy:1", "does not contain the URL of a proxy"),
        (f"http://u:12/{SECRET}@proxy:1", "does not contain the URL of a proxy"),
        (f"http://u:{SECRET}@proxy:99999", "does not contain the URL of a proxy"),
        (f"http://u:{SECRET}@:1", "does not contain the URL of a proxy"),
        (f"http://u:{SECRET} x@proxy:1", "does not contain the URL of a proxy"),
    ],
)
def test_a_bad_proxy_names_the_variable_and_shows_no_secret(value: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        proxy_for(HTTPS, {"https_proxy": value})
    assert "https_proxy" in str(caught.value)
    assert says in str(caught.value)
    assert SECRET not in str(caught.value)
