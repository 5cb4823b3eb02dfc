"""From where an address can be reached, and what a server opens that was reached there."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.oauth.reach import (
    ALLOWED,
    Reach,
    allowed_reaches,
    common_reach,
    first_not_allowed,
    is_local_name,
    reach_by_name,
    reach_of,
    read_reach,
)

ADDRESSES = {
    Reach.LOOPBACK: (
        *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "::1", "[::1]", "::", "127.0.0.1%lo"),
        *("::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"),
        *("64:ff9b:1::127.0.0.1", "64:ff9b:1:7f00:0:100::", "64:ff9b:1:7f:0:1::", "64:ff9b:1:0:7f:0:100:0"),
        *("64:ff9b:1:abcd::127.0.0.1", "2001:0:808:808::80ff:fffe", "2001:0:7f00:1::f7f7:f7f7"),
    ),
    Reach.LINK_LOCAL: (
        *("169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "febf::1", "fe80::5efe:808:808"),
        *("::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "fd00:ec2::254", "fd20:ce::254"),
        *("100.100.100.200", "168.63.129.16", "fd00:ec2::23", "fd00:42::42"),
    ),
    Reach.PRIVATE: (
        *("10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fd12:3456::1", "fd00::1", "fcff::1"),
        *("::ffff:10.0.0.1", "2002:0a00:0001::1", "64:ff9b::10.0.0.1", "64:ff9b:1::10.0.0.1", "2606::5efe:10.0.0.1"),
        "2606::200:5efe:192.168.0.1",
    ),
    Reach.SHARED: ("100.64.0.1", "100.127.255.255", "::ffff:100.64.0.1", "fd7a:115c:a1e0::1"),
    Reach.STAND_IN: ("198.18.0.1", "198.19.255.255", "fc00::1", "64:ff9b::198.18.0.1"),
    Reach.NONE: (
        *("255.255.255.255", "224.0.0.1", "239.1.2.3", "240.0.0.1", "192.0.0.8", "192.0.2.1", "203.0.113.1"),
        *("fec0::1", "ff02::1", "2001:db8::1", "100::1", "2001:20::1", "3fff::1", "::8.8.8.8", "5f00::1"),
    ),
    Reach.PUBLIC: (
        *("8.8.8.8", "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.63.255.255", "100.128.0.1", "169.253.1.1"),
        *("11.0.0.1", "192.167.1.1", "223.255.255.254", "198.20.0.1", "198.17.255.255"),
        *("2606:4700::1111", "[2a00:1450:4001::200e]", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"),
        *("64:ff9b:1::808:808", "64:ff9b:1:808:8:800::", "2001:0:808:808::f7f7:f7f7", "2606::5efe:8.8.8.8"),
    ),
}


@pytest.mark.parametrize("reach", ADDRESSES)
def test_the_reach_of_an_address(reach: Reach) -> None:
    assert {address: reach_of(address) for address in ADDRESSES[reach]} == dict.fromkeys(ADDRESSES[reach], reach)


@pytest.mark.parametrize("text", ["as.example", "localhost", "", "127.1", "not an address", "10.0.0.1/8"])
def test_what_is_no_address_has_none(text: str) -> None:
    assert reach_of(text) is None
    assert first_not_allowed([text], frozenset(Reach)) == text


def stands_for_ipv4(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    forms = ("::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16")
    return any(address in ipaddress.ip_network(network) for network in forms)


@given(st.ip_addresses())
def test_nothing_that_python_calls_private_is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if address.is_private or address.is_multicast or address.is_reserved or address.is_link_local:
        assert reach_of(str(address)) is not Reach.PUBLIC or stands_for_ipv4(address)


@given(st.ip_addresses(v=4))
def test_an_address_that_stands_for_another_is_judged_by_it(address: ipaddress.IPv4Address) -> None:
    high, low = f"{int(address) >> 16:x}", f"{int(address) & 0xFFFF:x}"
    for form in (
        *(f"::ffff:{address}", f"::ffff:{high}:{low}", f"::ffff:0:{address}", f"64:ff9b::{address}"),
        *(f"2002:{high}:{low}::1", f"2606:4700::5efe:{address}"),
    ):
        assert reach_of(form) is reach_of(str(address))
    # Some of these can be read in another way too.
    assert reach_of(f"64:ff9b:1::{address}") in {reach_of(str(address)), Reach.LOOPBACK}


@given(st.ip_addresses(v=4), st.sampled_from((48, 56, 64)))
def test_a_networks_own_translation_hides_no_address(address: ipaddress.IPv4Address, length: int) -> None:
    embedded = (0x64FF9B0001 << 40) << (128 - 80)  # 64:ff9b:1::
    number = int(address)
    before = 64 - length
    embedded |= (number >> (32 - before)) << 64 | (number & (1 << 32 - before) - 1) << (56 - (32 - before))
    reach = reach_of(str(ipaddress.IPv6Address(embedded)))
    assert reach is not Reach.PUBLIC or reach_of(str(address)) is Reach.PUBLIC


# -- what is known without an address


@pytest.mark.parametrize(
    ("host", "reach"),
    [
        ("localhost", Reach.LOOPBACK),
        ("App.LocalHost.", Reach.LOOPBACK),
        ("127.0.0.1", Reach.LOOPBACK),
        ("::1", Reach.LOOPBACK),
        ("printer", Reach.PRIVATE),
        ("nas.local", Reach.PRIVATE),
        ("10.0.0.1", Reach.PRIVATE),
        ("100.64.0.1", Reach.SHARED),
        ("8.8.8.8", Reach.PUBLIC),
        ("mcp.example.com", Reach.PUBLIC),
    ],
)
def test_the_reach_by_a_hosts_form(host: str, reach: Reach) -> None:
    assert reach_by_name(host) is reach


@pytest.mark.parametrize(
    ("addresses", "reach"),
    [
        ([], Reach.PUBLIC),
        (["10.0.0.1"], Reach.PRIVATE),
        (["10.0.0.1", "fd00::1"], Reach.PRIVATE),
        (["192.168.0.1", "fe80::1%eth0"], Reach.PRIVATE),
        (["127.0.0.1", "10.0.0.1"], Reach.PRIVATE),
        (["127.0.0.1", "::1"], Reach.LOOPBACK),
        (["8.8.8.8", "10.0.0.1"], Reach.PUBLIC),
        (["10.0.0.1", "8.8.8.8"], Reach.PUBLIC),
        (["8.8.8.8", "127.0.0.1"], Reach.PUBLIC),
        (["100.64.0.1", "fd7a:115c:a1e0::1"], Reach.SHARED),
        (["100.64.0.1", "10.0.0.1"], Reach.PUBLIC),
        (["198.18.0.1", "fc00::1"], Reach.STAND_IN),
    ],
)
def test_a_server_counts_as_private_only_where_all_its_addresses_are(addresses: list[str], reach: Reach) -> None:
    assert common_reach(addresses) is reach


@pytest.mark.parametrize("text", ["", "later", "Private"])
def test_what_is_kept_of_it_may_say_nothing(text: str) -> None:
    assert read_reach(text) is None


def test_what_is_kept_of_it_is_read() -> None:
    assert [read_reach(str(reach)) for reach in Reach] == list(Reach)


# -- what a server opens


def test_a_server_opens_what_is_like_itself_and_public() -> None:
    table = {
        server: allowed_reaches(server, names_this_machine=False, allow_private=False) - {Reach.PUBLIC}
        for server in Reach
    }
    assert table == {
        Reach.LOOPBACK: {Reach.PRIVATE},
        Reach.LINK_LOCAL: {Reach.PRIVATE},
        Reach.PRIVATE: {Reach.PRIVATE},
        Reach.SHARED: {Reach.SHARED},
        Reach.STAND_IN: {Reach.STAND_IN},
        Reach.NONE: set(),
        Reach.PUBLIC: set(),
    }


@pytest.mark.parametrize("server", list(Reach))
def test_what_the_user_allows_is_never_this_machine(server: Reach) -> None:
    opens = allowed_reaches(server, names_this_machine=False, allow_private=True)
    assert opens == ALLOWED | {Reach.PUBLIC}


@pytest.mark.parametrize("allow_private", [True, False])
def test_all_is_open_to_a_server_whose_url_names_this_machine(allow_private: bool) -> None:
    opens = allowed_reaches(Reach.LOOPBACK, names_this_machine=True, allow_private=allow_private)
    assert opens == set(Reach) - {Reach.NONE}


def test_every_address_of_a_name_counts() -> None:
    assert first_not_allowed(["8.8.8.8", "10.0.0.1", "127.0.0.1"], {Reach.PUBLIC, Reach.PRIVATE}) == "127.0.0.1"
    assert first_not_allowed(["8.8.8.8", "10.0.0.1"], {Reach.PUBLIC, Reach.PRIVATE}) is None


# -- is_local_name


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST", "localhost.", "as.localhost", "printer.local", "store.corp", "x.y.internal"),
        *("nas.home.arpa", "router", "intranet", "wiki.lan", "localhost.localdomain", "a.private"),
    ],
)
def test_a_local_name(host: str) -> None:
    assert is_local_name(host)


@pytest.mark.parametrize(
    "host",
    ["as.example.com", "localhost.example.com", "local.example", "mylocal.net", "corp.com", "8.8.8.8", "::1", "127.1"],
)
def test_another_name_or_a_literal(host: str) -> None:
    assert not is_local_name(host)
