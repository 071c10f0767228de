"""Which proxy leads to a server, and what is reached straight."""

import pytest

from muniment.exits import BadUsage
from muniment.proxies import is_straight, parsed, proxy_for


@pytest.mark.parametrize(
    ("exceptions", "straight"),
    [
        ("muniment.example.com", True),
        ("MUNIMENT.example.COM", True),
        ("example.com", True),
        (".example.com", True),
        ("*.example.com", True),
        ("localhost, example.com", True),
        ("localhost example.com", True),
        ("*", True),
        ("example.com:443", True),
        ("example.com:8443", False),
        ("ample.com", False),
        ("other.example.com", False),
        ("com.example", False),
        ("10.0.0.0/8", False),
        (".", False),
        ("", False),
    ],
)
def test_names_are_reached_straight_with_what_is_below_them(exceptions: str, straight: bool) -> None:
    assert is_straight("muniment.example.com", 443, exceptions) is straight


@pytest.mark.parametrize(
    ("host", "exceptions", "straight"),
    [
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.3:443", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("10.1.2.3", "10.0.0.0/99", False),
        ("fd00::1", "fd00::/8", True),
        ("fd00::1", "[fd00::1]", True),
        ("fd00::1", "[fd00::1]:443", True),
        ("fd00::1", "fd00::1", True),
        ("fd00::1", "[fd00::1]:80", False),
    ],
)
def test_addresses_are_reached_straight_by_themselves_and_by_their_network(
    host: str, exceptions: str, straight: bool
) -> None:
    assert is_straight(host, 443, exceptions) is straight


def test_the_schemes_own_variable_goes_before_the_one_for_all() -> None:
    told = {"https_proxy": "http://one:1", "ALL_PROXY": "http://two:2", "http_proxy": ""}

    def chosen(scheme: str, **more: str) -> str | None:
        found = proxy_for(scheme, "muniment.example.com", 443, {**told, **more})
        return None if found is None else found.address

    assert (chosen("https"), chosen("http")) == ("one:1", "two:2")
    assert chosen("https", NO_PROXY="example.com") is None


@pytest.mark.parametrize(
    ("told", "address", "secret"),
    [
        ("proxy.example.com:8080", "proxy.example.com:8080", None),
        ("http://proxy.example.com", "proxy.example.com:3128", None),
        ("http://proxy.example.com:8080/", "proxy.example.com:8080", None),
        ("http://ada:p%40ss@proxy:1", "proxy:1", "Basic YWRhOnBAc3M="),
        ("http://ada@proxy:1", "proxy:1", "Basic YWRhOg=="),
        ("http://[fd00::1]:1", "[fd00::1]:1", None),
    ],
)
def test_a_proxy_is_told_by_its_address(told: str, address: str, secret: str | None) -> None:
    found = parsed(told)

    assert (found.address, found.headers.get("Proxy-Authorization")) == (address, secret)


@pytest.mark.parametrize(
    "told", ["https://ada:s3cret@proxy:1", "socks5://ada:s3cret@proxy", "http://:s3cret@:1", "http://s3cret:port"]
)
def test_a_proxy_that_is_spoken_to_otherwise_is_refused_without_its_password(told: str) -> None:
    with pytest.raises(BadUsage) as refused:
        parsed(told)

    assert "s3cret" not in refused.value.message
