"""Where notices may go: what is public may be reached, what only looks so may not, in whatever spelling."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from record.notices.targets import checked_mailbox, checked_target, is_name, why_refused
from record.refusals import InvalidInput

NOT_PUBLIC = {
    "loopback": "127.0.0.1",
    "loopback elsewhere": "127.255.0.9",
    "private 10": "10.0.0.1",
    "private 172": "172.31.255.255",
    "private 192": "192.168.1.1",
    "link-local metadata": "169.254.169.254",
    "carrier-grade NAT": "100.64.0.1",
    "metadata behind carrier-grade NAT": "100.100.100.200",
    "this network": "0.0.0.0",
    "broadcast": "255.255.255.255",
    "multicast": "224.0.0.251",
    "protocol assignments": "192.0.0.192",
    "benchmarks": "198.18.0.1",
    "documentation": "203.0.113.9",
    "reserved": "240.0.0.1",
    "a cloud's agent": "168.63.129.16",
    "relay of 6to4": "192.88.99.1",
    "IPv6 loopback": "::1",
    "IPv6 unspecified": "::",
    "IPv6 link-local": "fe80::1",
    "IPv6 link-local of a link": "fe80::1%eth0",
    "IPv6 site-local": "fec0::1",
    "IPv6 unique local": "fc00::1",
    "IPv6 metadata": "fd00:ec2::254",
    "IPv6 multicast": "ff02::1",
    "IPv6 documentation": "2001:db8::1",
    "IPv6 newer documentation": "3fff::1",
    "mapped loopback": "::ffff:127.0.0.1",
    "mapped metadata": "::ffff:169.254.169.254",
    "compatible loopback": "::127.0.0.1",
    "translated loopback": "::ffff:0:127.0.0.1",
    "NAT64 loopback": "64:ff9b::127.0.0.1",
    "NAT64 metadata": "64:ff9b::a9fe:a9fe",
    "NAT64 of a network's own": "64:ff9b:1::7f00:1",
    "6to4 of loopback": "2002:7f00:1::",
    "6to4 of anything": "2002:808:808::",
    "Teredo": "2001:0:4136:e378:8000:63bf:3fff:fdd2",
}
PUBLIC = ("8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8")


@pytest.mark.parametrize("address", NOT_PUBLIC.values(), ids=NOT_PUBLIC.keys())
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert why_refused(ipaddress.ip_address(address)) is not None


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_not_refused(address: str) -> None:
    assert why_refused(ipaddress.ip_address(address)) is None


@given(st.ip_addresses(v=4))
def test_an_address_is_judged_alike_in_each_disguise(address: ipaddress.IPv4Address) -> None:
    mapped = ipaddress.IPv6Address(f"::ffff:{address}")
    translated = ipaddress.IPv6Address(f"64:ff9b::{address}")

    assert (why_refused(address) is None) == (why_refused(mapped) is None) == (why_refused(translated) is None)


def test_a_network_that_the_operator_allows_is_reached_and_its_neighbours_are_not() -> None:
    allowed = [ipaddress.ip_network("10.20.0.0/16"), ipaddress.ip_network("fd12::/48")]

    for address in ("10.20.3.4", "::ffff:10.20.3.4", "fd12::1"):
        assert why_refused(ipaddress.ip_address(address), allowed) is None
    for address in ("10.21.0.1", "127.0.0.1", "fd13::1"):
        assert why_refused(ipaddress.ip_address(address), allowed) is not None


@pytest.mark.parametrize(
    ("url", "authority", "port"),
    [
        ("https://example.com/hook?x=1", "example.com", 443),
        ("https://example.com:8443/", "example.com:8443", 8443),
        ("https://EXAMPLE.com", "example.com", 443),
        ("https://[2606:4700:4700::1111]/a", "[2606:4700:4700::1111]", 443),
        ("https://xn--mnchen-3ya.de/", "xn--mnchen-3ya.de", 443),
    ],
)
def test_a_url_of_a_receiver_is_taken(url: str, authority: str, port: int) -> None:
    target = checked_target(url, http_allowed=False)

    assert (target.authority, target.port, target.is_tls) == (authority, port, True)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "//example.com",
        "example.com",
        "",
        "https://",
        "https://user:password@example.com/",
        "https://token@example.com/",
        "https://example.com/#fragment",
        "https://example.com:99999/",
        "https://example.com:x/",
        "https://example..com/",
        "https://exa mple.com/",
        "https://example.com/\r\nHost: other",
        "https://example.com\\@other.example/",
        "https://münchen.de/",
        "https://" + "a" * 3000 + ".com/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://[fe80::1%25eth0]/",
        "https://169.254.169.254/latest/meta-data/",
    ],
)
def test_a_url_that_could_leak_or_mislead_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        checked_target(url, http_allowed=False)


def test_plain_http_is_for_those_who_allow_it() -> None:
    target = checked_target("http://example.com:8080/x", http_allowed=True)

    assert (target.is_tls, target.port, target.authority) == (False, 8080, "example.com:8080")


@given(st.integers(0, 2**32 - 1), st.sampled_from(["{}", "0x{:x}", "0X{:X}"]))
def test_a_number_is_no_name(number: int, spelling: str) -> None:
    assert not is_name(spelling.format(number))


@pytest.mark.parametrize("address", ["ops@example.com", "first.last+tag@mail.example.com", "o'neil@example.com"])
def test_a_plain_mail_address_is_taken(address: str) -> None:
    assert checked_mailbox(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ops",
        "@example.com",
        "ops@",
        "ops@127.0.0.1",
        "ops@[127.0.0.1]",
        "a b@example.com",
        '"ops"@example.com',
        "Ops <ops@example.com>",
        "ops@example.com, eve@example.com",
        "ops@example.com\r\nBcc: eve@example.com",
        "ops@example.com\n",
        ".ops@example.com",
        "o..ps@example.com",
        "öps@example.com",
        "ops@@example.com",
    ],
)
def test_what_is_no_plain_mail_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidInput):
        checked_mailbox(address)
