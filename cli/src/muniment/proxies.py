"""Proxies: which one leads to a server, by the variables that curl and other clients read.

    https_proxy, HTTPS_PROXY    for https addresses; http_proxy and HTTP_PROXY for http ones
    all_proxy, ALL_PROXY        for both, where the other is unset
    no_proxy, NO_PROXY          what is reached straight: names and what is below them, addresses, networks, `*`; each perhaps :port

A proxy is told as `http://user:password@host:port`, where all but the host may be left out.
"""

from __future__ import annotations

from muniment.exits import BadUsage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

PORT = 3128
"""Where a proxy listens whose address has no port."""


class Proxy:
    """Where it is (`host:port`), and the header by which it knows us."""

    __slots__ = ("address", "headers")

    def __init__(self, address: str, headers: Mapping[str, str]) -> None:
        self.address = address
        self.headers = dict(headers)


def proxy_for(scheme: str, host: str, port: int, environment: Mapping[str, str]) -> Proxy | None:
    """The proxy that the environment names for this server; None to go straight."""
    told = _told(environment, f"{scheme}_proxy") or _told(environment, "all_proxy")
    if not told or is_straight(host, port, _told(environment, "no_proxy")):
        return None
    return parsed(told)


def parsed(told: str) -> Proxy:
    """A proxy as it is told. Refuses one that is not spoken to in plain HTTP."""
    from base64 import b64encode
    from urllib.parse import unquote, urlsplit

    try:
        parts = urlsplit(told if "://" in told else f"http://{told}")
        host, port = parts.hostname, parts.port or PORT
    except ValueError:
        host, port, parts = None, PORT, urlsplit("http:")
    if parts.scheme != "http" or not host:
        # Not the text itself: it may hold a password.
        raise BadUsage("The proxy's address makes no sense. Give one such as http://proxy.example.com:3128.")
    headers = {}
    if parts.username is not None:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {b64encode(secret.encode()).decode()}"
    return Proxy(f"[{host}]:{port}" if ":" in host else f"{host}:{port}", headers)


def is_straight(host: str, port: int, exceptions: str) -> bool:
    """Whether this server is one of the exceptions, such as `localhost,.example.com,10.0.0.0/8`."""
    return any(_meets(host.lower(), port, each.lower()) for each in exceptions.replace(",", " ").split())


def _meets(host: str, port: int, exception: str) -> bool:
    if exception == "*":
        return True
    if "/" in exception:
        return _is_within(host, exception)
    name, colon, number = exception.rpartition(":")
    if colon and number.isdigit() and (":" not in name or name.endswith("]")):
        if int(number) != port:
            return False
        exception = name
    exception = exception.strip("[]").lstrip("*").lstrip(".")
    return bool(exception) and (host == exception or host.endswith(f".{exception}"))


def _is_within(host: str, network: str) -> bool:
    from ipaddress import ip_address, ip_network

    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:  # a name, or no network
        return False


def _told(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name) or environment.get(name.upper()) or ""
