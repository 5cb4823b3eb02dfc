"""Where an address can be reached from, and which addresses an MCP server may lead the bridge to.

While the user signs in, the MCP server and every server that it names choose URLs that the bridge requests and the user
opens. A remote server must not make the bridge request something that only this machine or its network can reach. So
each address has a reach. What a server may lead to follows from the reach of the address that its own refusal came
from. What the server's owner writes into DNS does not count.

| reach | addresses |
|---|---|
| loopback | a connection to them ends at this machine (`bridge/loopback`) |
| link-local | 169.254/16, fe80::/10 (RFC 3927, RFC 4291); other addresses of cloud metadata services |
| private | 10/8, 172.16/12, 192.168/16 (RFC 1918), fc00::/7 (RFC 4193) |
| shared | 100.64/10 (RFC 6598), which VPNs such as Tailscale use, and Tailscale's own part of fc00::/7 |
| stand-in | 198.18/15, fc00::/18: the defaults of Clash, mihomo and sing-box for the "fake IP" of any name |
| none | all others in IANA's special-purpose registries: documentation, multicast, reserved, retired |
| public | all others |

| the MCP server | may lead to |
|---|---|
| its URL names this machine (`localhost`, a name below it, a loopback address) | all except "none" |
| its URL does not, but it was reached at a loopback or link-local address | private, public |
| was reached at a private, shared or stand-in address | addresses of the same reach, public |
| was reached at a public address, or its address is not known | public |

`--allow-private` adds private, shared and stand-in addresses to each row, but never loopback and link-local ones.

An IPv6 address that contains an IPv4 address is judged by that IPv4 address:

| form | position of the IPv4 address |
|---|---|
| ::ffff:0:0/96 mapped, ::ffff:0:0:0/96 translated (RFC 4291, RFC 2765) | the last 32 bits |
| 64:ff9b::/96 NAT64 (RFC 6052) | the last 32 bits |
| 64:ff9b:1::/48 local-use NAT64 (RFC 8215) | after 48, 56, 64 or 96 bits (RFC 6052 2.2) |
| 2002::/16 6to4 (RFC 3056) | after 16 bits |
| 2001::/32 Teredo (RFC 4380) | server: after 32 bits; client: the last 32, inverted |
| interface identifier 0:5efe or 200:5efe, ISATAP (RFC 5214) | the last 32 bits |

If several readings are possible, the first one that is not public counts. No name is resolved here.
"""

from __future__ import annotations

import enum
import ipaddress
import re
from collections.abc import Collection, Iterable

from bridge.loopback import connects_to_this_machine, is_localhost


class Reach(enum.StrEnum):
    """Where an address can be reached from; see the table above. The values are stored in records."""

    LOOPBACK = "loopback"
    LINK_LOCAL = "link-local"
    PRIVATE = "private"
    SHARED = "shared"
    STAND_IN = "stand-in"
    NONE = "none"
    PUBLIC = "public"


ALLOWED = frozenset((Reach.PRIVATE, Reach.SHARED, Reach.STAND_IN))
"""What `--allow-private` adds."""

_ALL = frozenset(Reach) - {Reach.NONE}
_NEVER_BY_REACH = frozenset((Reach.LOOPBACK, Reach.LINK_LOCAL, Reach.NONE))

# The first network that contains an address counts. The rest of IPv4 is public, the rest of IPv6 is not.
_NETWORKS = tuple(
    (ipaddress.ip_network(network), reach)
    for reach, networks in (
        (Reach.LINK_LOCAL, "169.254.0.0/16 fe80::/10"),
        # Metadata and credentials at EC2 and EKS, Google Cloud, Scaleway, Alibaba Cloud, Azure: by their documentation.
        (Reach.LINK_LOCAL, "fd00:ec2::/32 fd20:ce::254/128 fd00:42::42/128 100.100.100.200/32 168.63.129.16/32"),
        (Reach.SHARED, "100.64.0.0/10 fd7a:115c:a1e0::/48"),
        (Reach.STAND_IN, "198.18.0.0/15 fc00::/18"),
        (Reach.PRIVATE, "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7"),
        # IANA's IPv4 and IPv6 Special-Purpose Address Registries, multicast and reserved.
        (Reach.NONE, "192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3"),
        (Reach.NONE, "2001::/23 2001:db8::/32 3fff::/20"),
        # The only part of IPv6 that is allocated as public (RFC 4291 2.4).
        (Reach.PUBLIC, "2000::/3"),
    )
    for network in networks.split()
)
_MAPPED = tuple(ipaddress.IPv6Network(network) for network in ("::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96"))
_OWN_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")
_NAT64_PREFIXES = (48, 56, 64, 96)
_ISATAP = frozenset((0x00005EFE, 0x02005EFE))

_ENDS_IN_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?")
# RFC 6762 3 and its appendix G, RFC 8375, and ICANN's `.internal`.
_LOCAL_SUFFIXES = (
    *(".localdomain", ".local", ".internal", ".home.arpa"),
    *(".intranet", ".private", ".corp", ".home", ".lan"),
)


def reach_of(address: str) -> Reach | None:
    """The reach of an IP address literal, with or without brackets and zone; None for anything else."""
    try:
        ip = ipaddress.ip_address(address.removeprefix("[").removesuffix("]").partition("%")[0])
    except ValueError:
        return None
    return _reach(ip)


def reach_by_name(host: str) -> Reach:
    """The reach of a host, judged by its form alone: an address literal, a local name or a public name.

    A lookup of the name may show another reach.
    """
    if (reach := reach_of(host)) is not None:
        return reach
    name = host.lower().removesuffix(".")
    if is_localhost(name):
        return Reach.LOOPBACK
    return Reach.PRIVATE if is_local_name(name) else Reach.PUBLIC


def ends_in_number(host: str) -> bool:
    """Whether browsers and resolvers read a host (in lower case) as an IPv4 address, such as 127.1 and 0x7f.1."""
    return _ENDS_IN_NUMBER.fullmatch(host) is not None


def is_local_name(host: str) -> bool:
    """Whether a host name, judged by its form, means this machine or a host in its network; False for literals."""
    name = host.lower().removesuffix(".")
    if ":" in name or ends_in_number(name):
        return False
    # A name of one label is no public name: the resolver completes it from its search list.
    return "." not in name or name.endswith(_LOCAL_SUFFIXES) or is_localhost(name)


def common_reach(addresses: Iterable[str]) -> Reach:
    """The reach of a server, judged by all addresses of its name: their common reach, or public if they differ.

    A mix of loopback, link-local and private addresses counts as private.
    """
    reaches = {reach_of(address) for address in addresses}
    if len(reaches) == 1:
        return reaches.pop() or Reach.PUBLIC
    at_home = bool(reaches) and reaches <= {Reach.LOOPBACK, Reach.LINK_LOCAL, Reach.PRIVATE}
    return Reach.PRIVATE if at_home else Reach.PUBLIC


def allowed_reaches(server: Reach, *, names_this_machine: bool, allow_private: bool) -> frozenset[Reach]:
    """The addresses that a server may lead to, by the second table above. `server` is the reach of its own address.

    `names_this_machine`: its configured URL names this machine. `allow_private`: the user set `--allow-private`.
    """
    if names_this_machine:
        return _ALL
    own = Reach.PRIVATE if server in _NEVER_BY_REACH - {Reach.NONE} else server
    return (frozenset((own, Reach.PUBLIC)) | (ALLOWED if allow_private else frozenset())) - _NEVER_BY_REACH


def first_not_allowed(addresses: Iterable[str], opens: Collection[Reach]) -> str | None:
    """The first address that must not be led to, None if there is none. Text that is no address must not be led to."""
    return next((address for address in addresses if reach_of(address) not in opens), None)


def read_reach(text: str) -> Reach | None:
    """Read a stored reach; None if there is none, or one of a later version."""
    try:
        return Reach(text)
    except ValueError:
        return None


def _reach(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Reach:
    if isinstance(ip, ipaddress.IPv6Address) and (stands_for := _stands_for(ip)):
        reaches = [_reach(one) for one in stands_for]
        return next((reach for reach in reaches if reach is not Reach.PUBLIC), Reach.PUBLIC)
    if connects_to_this_machine(ip):
        return Reach.LOOPBACK
    known = next((reach for network, reach in _NETWORKS if ip in network), None)
    reach = known or (Reach.PUBLIC if ip.version == 4 else Reach.NONE)
    if reach is Reach.PUBLIC and ip.version == 6 and int(ip) >> 32 & 0xFFFFFFFF in _ISATAP:
        return _reach(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    return reach


def _stands_for(ip: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses that an IPv6 address may contain; none if it contains none."""
    number = int(ip)
    last = ipaddress.IPv4Address(number & 0xFFFFFFFF)
    if any(ip in network for network in _MAPPED):
        return [last]
    if ip in _OWN_NAT64:
        return [found for length in _NAT64_PREFIXES if (found := _translated(number, length))] or [last]
    if ip.sixtofour is not None:
        return [ip.sixtofour]
    if ip.teredo is not None:
        return list(ip.teredo)
    return []


def _translated(number: int, length: int) -> ipaddress.IPv4Address | None:
    """The IPv4 address after a prefix of `length` bits (RFC 6052 2.2); None if it cannot be one.

    Bits 64 to 71 are not part of it. They must be zero, and so must all bits after it.
    """
    if length == 96:
        found = number & 0xFFFFFFFF
    else:
        if number >> 56 & 0xFF:
            return None
        without = (number >> 64 << 56) | (number & (1 << 56) - 1)
        after = 120 - length - 32
        if without & (1 << after) - 1:
            return None
        found = without >> after & 0xFFFFFFFF
    return ipaddress.IPv4Address(found) if found else None
