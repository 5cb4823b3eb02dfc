"""Which hosts and addresses mean this machine: the one place for it, which every room may import.

There are two rules, for two questions:

| rule | question | names | addresses |
|---|---|---|---|
| `is_loopback` | Does a URL with this host always go to this machine? | `localhost` and names below it | loopback |
| `connects_to_this_machine` | Does a connection to this address end here? | none | the same, 0.0.0.0/8 and :: |

- `localhost` and every name below it are loopback names. Software must not ask a name server for them (RFC 6761 6.3),
  for its answer could lead elsewhere. A dot at the end changes nothing: it marks the name as complete (RFC 1034 3.1).
- 127.0.0.0/8 and ::1 never leave the machine (RFC 1122 3.2.1.3 (g), RFC 4291 2.5.3), so http needs no protection there
  (RFC 8252 7.3, 8.3).
- 0.0.0.0/8 and :: are no destinations (RFC 1122 3.2.1.3 (a), RFC 4291 2.5.2). Systems connect to this machine all the
  same. So the first rule does not trust them, and the second one guards against them.
- An IPv4-mapped IPv6 address counts as the IPv4 address in it (RFC 4291 2.5.5.2). Python's `is_loopback` does so only
  from 3.13 on.
- Shortened forms such as 127.1 are neither names nor addresses here: programs read them in different ways.
"""

from __future__ import annotations

import ipaddress

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_LOCALHOST = ("127.0.0.1", "::1")
_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")


def is_localhost(host: str) -> bool:
    """Whether a host is `localhost` or a name below it, in any case."""
    name = host.lower().removesuffix(".")
    return name == "localhost" or name.endswith(".localhost")


def localhost_addresses(host: str) -> tuple[str, ...]:
    """The addresses of `localhost` and of every name below it; none for any other host."""
    return _LOCALHOST if is_localhost(host) else ()


def is_address(host: str) -> bool:
    """Whether a host is an address literal (without brackets), not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether a host name or address literal (without brackets) can only mean this machine: the first rule."""
    if is_localhost(host):
        return True
    try:
        return unmapped(ipaddress.ip_address(host.removesuffix("."))).is_loopback
    except ValueError:
        return False


def connects_to_this_machine(address: IpAddress) -> bool:
    """Whether a connection to an address ends at this machine: the second rule."""
    address = unmapped(address)
    return address.is_loopback or address.is_unspecified or address in _THIS_NETWORK


def unmapped(address: IpAddress) -> IpAddress:
    """The IPv4 address in an IPv4-mapped one; any other address as it is."""
    return (isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped) or address
