"""The two rules for this machine, and that each room goes by them."""

import ipaddress

import pytest

from bridge.config import Settings
from bridge.config.signing_in import check_issuer
from bridge.errors import UsageError
from bridge.login.browser import check_openable
from bridge.loopback import connects_to_this_machine, is_loopback, localhost_addresses
from bridge.oauth.addresses import check_endpoint
from bridge.oauth.errors import MetadataError, SignInError
from bridge.oauth.reach import Reach, reach_of

LOOPBACK = ("127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1")
UNSPECIFIED = ("0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0")
ELSEWHERE = ("128.0.0.1", "169.254.169.254", "10.0.0.1", "::2", "fe80::1", "::ffff:8.8.8.8")
NAMES = ("localhost", "LOCALHOST", "localhost.", "a.b.localhost", "A.Localhost.")
OTHER_NAMES = ("", ".", "notlocalhost", "localhost.example.com", "127.example.com", "127.1", "0x7f.1", "[::1]")


@pytest.mark.parametrize("host", [*NAMES, *LOOPBACK, "127.0.0.1."])
def test_a_host_that_always_means_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", [*OTHER_NAMES, *UNSPECIFIED, *ELSEWHERE])
def test_a_host_that_may_mean_another_machine(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", NAMES)
def test_a_localhost_name_has_both_loopback_addresses(host: str) -> None:
    assert localhost_addresses(host) == ("127.0.0.1", "::1")


@pytest.mark.parametrize("host", [*OTHER_NAMES, *LOOPBACK])
def test_no_other_host_has_addresses_without_a_lookup(host: str) -> None:
    assert localhost_addresses(host) == ()


@pytest.mark.parametrize("address", [*LOOPBACK, *UNSPECIFIED])
def test_a_connection_to_it_ends_at_this_machine(address: str) -> None:
    assert connects_to_this_machine(ipaddress.ip_address(address))
    assert reach_of(address) is Reach.LOOPBACK


@pytest.mark.parametrize("address", ELSEWHERE)
def test_a_connection_to_it_may_end_elsewhere(address: str) -> None:
    assert not connects_to_this_machine(ipaddress.ip_address(address))
    assert reach_of(address) is not Reach.LOOPBACK


@pytest.mark.parametrize(
    "host", ["localhost", "as.localhost", "localhost.", "127.8.8.8", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_plain_http_is_allowed_to_a_loopback_host_everywhere(host: str) -> None:
    url = f"http://{host}/x"
    assert Settings(url=url).url == url
    check_issuer(url)
    assert check_endpoint(url, "issuer") == url
    check_openable(url)


@pytest.mark.parametrize("host", ["example.com", "notlocalhost", "0.0.0.0", "[::]", "10.0.0.1", "169.254.169.254"])
def test_plain_http_is_refused_to_any_other_host_everywhere(host: str) -> None:
    url = f"http://{host}/x"
    with pytest.raises(UsageError, match="--allow-http"):
        Settings(url=url)
    with pytest.raises(UsageError, match="https"):
        check_issuer(url)
    with pytest.raises(MetadataError, match="plain http"):
        check_endpoint(url, "issuer")
    with pytest.raises(SignInError, match="over http"):
        check_openable(url)
