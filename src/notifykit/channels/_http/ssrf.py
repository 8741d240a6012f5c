"""Which hosts a stranger's URL may name: public addresses, judged after resolution, and connected to as judged.

Sources: the IANA special-purpose address registries (RFC 6890 and its updates). The lists stand here, because those of
:mod:`ipaddress` differ between the versions of Python.
"""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

__all__ = ["ForbiddenHostError", "approved", "is_loopback", "is_public", "literal", "looks_numeric"]


class ForbiddenHostError(Exception):
    """The host is not at a public address."""


_CLOSED_4 = [
    IPv4Network(each)
    for each in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "168.63.129.16/32",  # the host of an Azure machine, at a public address
        "169.254.0.0/16",  # link-local, with the metadata services of the clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
]
_OPEN_6 = IPv6Network("2000::/3")
_CLOSED_6 = [
    IPv6Network(each)
    for each in (
        "2001::/23",  # protocol assignments, with Teredo and ORCHID
        "2001:db8::/32",
        "2002::/16",  # 6to4 leads to any IPv4 address
        "3fff::/20",
    )
]
_LOOPBACK_4 = IPv4Network("127.0.0.0/8")
_LOOPBACK_6 = IPv6Address("::1")
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Return whether *address* is one that anybody on the internet could reach; an embedded IPv4 address is judged itself."""
    if isinstance(address, IPv6Address):
        if address in _MAPPED or address in _NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        return not address.scope_id and address in _OPEN_6 and not any(address in each for each in _CLOSED_6)
    return not any(address in each for each in _CLOSED_4)


def is_loopback(address: IPv4Address | IPv6Address) -> bool:
    """Return whether *address* is this machine itself, by its IPv4 or IPv6 name."""
    return address in _LOOPBACK_4 if isinstance(address, IPv4Address) else address == _LOOPBACK_6


def literal(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address that *host* spells out, or None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)


def looks_numeric(host: str) -> bool:
    """Return whether *host* is an IPv4 address in disguise (decimal, octal, hex, short): its last label is a number.

    Resolvers accept those forms; the URL standard reserves every such host for IPv4 addresses.
    """
    return _NUMBER.fullmatch(host.rsplit(".", 1)[-1]) is not None and literal(host) is None


def approved(addresses: Sequence[str], allow_loopback: bool) -> Sequence[str]:
    """Return the *addresses* of one name if all of them may be connected to.

    One private address among public ones condemns the name: no push service has such names, attackers do.

    Raises:
        ForbiddenHostError: one may not, or there is none.
    """
    judged = [literal(each) for each in addresses]
    if not judged or not all(each is not None and (is_public(each) or (allow_loopback and is_loopback(each))) for each in judged):
        raise ForbiddenHostError
    return addresses
