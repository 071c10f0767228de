"""Where notices may go: URLs and mail addresses as a stranger gives them, and the addresses that a name leads to.

A webhook is a request that a tenant makes this server send. Without these rules it could be sent to what trusts this server: its
own loopback, its neighbours, a cloud's metadata service. So every address that a name resolves to is looked at, in whatever
disguise IPv6 gives it, and what is not plainly public is refused unless the operator allows its network.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from record.refusals import InvalidInput

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

URL_MAX: Final = 2_048
_HOST: Final = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\.?"
)
_PATH: Final = re.compile(r"[!-~]*")
_MAILBOX: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@(?=.{1,253}\Z)[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")

_NOT_PUBLIC: Final[tuple[Network, ...]] = tuple(
    map(
        ipaddress.ip_network,
        (
            "192.0.0.0/24",  # protocol assignments; a cloud keeps its metadata there
            "192.88.99.0/24",  # relays into 6to4
            "168.63.129.16/32",  # a cloud's own agent, on an address that looks public
            "3fff::/20",  # documentation
        ),
    )
)
_PUBLIC_IPV6: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_SIXTOFOUR: Final = IPv6Network("2002::/16")
_TEREDO: Final = IPv6Network("2001::/32")


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that was looked at: where to connect, and what to say there."""

    url: str
    is_tls: bool
    host: str
    port: int
    authority: str
    """As the Host header says it."""

    @property
    def literal(self) -> Address | None:
        """The address, where the host is one."""
        return literal(self.host)


def checked_target(url: str, *, http_allowed: bool, networks: Sequence[Network] = ()) -> Target:
    """The URL of a receiver; refuses what could leak, what could be read in two ways, and addresses that are not public."""
    if len(url) > URL_MAX or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise _bad("has characters or a length that no URL has")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _bad("cannot be read") from None
    if parts.scheme not in (("https", "http") if http_allowed else ("https",)):
        wanted = "https:// or http://" if http_allowed else "https://"
        raise _bad(f"does not begin with {wanted}")
    if "@" in parts.netloc:
        raise _bad("holds a user or a password, which would be recorded for ever")
    if "#" in url or not _PATH.fullmatch(parts.path + parts.query):
        raise _bad("has a fragment or unescaped characters")
    address = literal(host)
    if address is None and not is_name(host):
        raise _bad("names no host")
    if address is not None and (why := why_refused(address, networks)) is not None:
        raise _bad(f"leads to {address}, {why}")
    is_tls = parts.scheme == "https"
    shown = f"[{address}]" if isinstance(address, IPv6Address) else host
    usual = 443 if is_tls else 80
    return Target(url, is_tls, host, port or usual, shown if port in (None, usual) else f"{shown}:{port}")


def is_name(host: str) -> bool:
    """Whether it is a name that can be resolved. Numbers in other spellings (127.1, 0x7f000001) are no names."""
    last = host.rstrip(".").rpartition(".")[2]
    return bool(_HOST.fullmatch(host)) and not last.isdecimal() and not re.fullmatch(r"0[xX][0-9A-Fa-f]*", last)


def literal(host: str) -> Address | None:
    """The address that this text is; None for names."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def why_refused(address: Address, allowed: Iterable[Network] = ()) -> str | None:
    """Why nothing is sent to this address; None when it may be. An IPv4 address inside of an IPv6 one is what counts."""
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return "an address of one link"
        inner = _inside(address)
        if inner is not None:
            return why_refused(inner, allowed)
    if any(address.version == network.version and address in network for network in allowed):
        return None
    if isinstance(address, IPv6Address) and (
        address not in _PUBLIC_IPV6 or address in _SIXTOFOUR or address in _TEREDO
    ):
        return "an address that is not public"
    unusual = address.is_private or address.is_reserved or address.is_multicast or address.is_unspecified
    listed = any(address.version == network.version and address in network for network in _NOT_PUBLIC)
    if unusual or listed or address.is_loopback or address.is_link_local or not address.is_global:
        return "an address that is not public"
    return None


def _inside(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a mapped or translated one stands for."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None


def checked_mailbox(text: str) -> str:
    """A mail address in its plain form. Quoted forms, names and everything that could end a header's line are refused."""
    local, _, domain = text.partition("@")
    dots = local.startswith(".") or local.endswith(".") or ".." in local
    if not _MAILBOX.fullmatch(text) or dots or not is_name(domain):
        raise InvalidInput(
            f"{text[:80]!r} is no plain mail address. Give one such as ops@example.com.", field="addresses"
        )
    return text


def _bad(fact: str) -> InvalidInput:
    return InvalidInput(
        f"This URL {fact}. Give the public address of a receiver, such as https://example.com/hook.", field="url"
    )
