"""The way to the server: TLS with a house's own authority, and proxies, with real ones of both on loopback."""

import base64
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.cli.authorities import Authority, Proxy, SecureFront
from tests.cli.running import Finished, Muniment

NAME = "muniment.test"
"""A name that only the proxy knows."""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.made(tmp_path)


@pytest.fixture
def front(muniment: Muniment, authority: Authority) -> Iterator[SecureFront]:
    """The server behind TLS, under `localhost` and a name that only the proxy knows."""
    serving = SecureFront(muniment.environment["MUNIMENT_HOST"], authority.issued("localhost", NAME))
    yield serving
    serving.close()


@pytest.fixture
def proxy(muniment: Muniment, front: SecureFront) -> Iterator[Proxy]:
    """A proxy to the server behind TLS, and to the bare one as `bare.test`."""
    running = Proxy({NAME: front.port, "bare.test": urlsplit(muniment.environment["MUNIMENT_HOST"]).port or 0})
    yield running
    running.close()


def asked(muniment: Muniment, host: str, *words: str, **environment: str) -> Finished:
    """A question, without patience. In a process of its own, because libraries read the environment."""
    return muniment.run("list", "flows", "--host", host, "--retries", "0", *words, **environment)


# --- TLS


def test_a_server_with_a_certificate_of_the_houses_own_authority_is_trusted_when_that_is_named(
    muniment: Muniment, front: SecureFront, authority: Authority
) -> None:
    host, ca = f"https://localhost:{front.port}", str(authority.file)
    path = muniment.file("evidence.bin", b"x" * 300_000)
    words = ["attest", "generic", "--name", "a", "--compliant", "--trail", "t", "--attachments", path, "--host", host]

    assert muniment.run(*words, "--ca-file", ca).code == 0
    for variable in ("MUNIMENT_CA_FILE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        told = asked(muniment, host, **{variable: ca})
        assert told.code == 0, (variable, told.said)


def test_a_certificate_that_nobody_vouches_for_is_refused_at_once(muniment: Muniment, front: SecureFront) -> None:
    told = muniment.run("list", "flows", "--host", f"https://localhost:{front.port}", "--retries", "50")

    assert told.code == 3
    assert "its certificate is not trusted" in told.said
    assert "--ca-file" in told.said


@pytest.mark.parametrize(
    ("names", "days", "why"),
    [
        (("another.test",), 1, "its certificate is one of another server"),
        (("localhost",), -2, "its certificate is out of date"),
    ],
)
def test_a_certificate_of_another_name_or_time_is_refused(
    muniment: Muniment, authority: Authority, names: tuple[str, ...], days: int, why: str
) -> None:
    front = SecureFront(muniment.environment["MUNIMENT_HOST"], authority.issued(*names, days=days))

    told = asked(muniment, f"https://localhost:{front.port}", "--ca-file", str(authority.file))

    front.close()
    assert told.code == 3
    assert why in told.said


def test_a_server_without_tls_is_told_at_once(muniment: Muniment) -> None:
    host = muniment.environment["MUNIMENT_HOST"].replace("http://", "https://")

    told = muniment.run("list", "flows", "--host", host, "--retries", "50")

    assert told.code == 3
    assert "does not speak TLS" in told.said


def test_a_file_without_certificates_is_refused(muniment: Muniment, front: SecureFront) -> None:
    told = asked(muniment, f"https://localhost:{front.port}", "--ca-file", muniment.file("ca.pem", "nothing"))

    assert told.code == 2
    assert "holds no certificates" in told.said


# --- proxies


@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "MUNIMENT_HTTP_PROXY"])
def test_a_server_is_reached_through_the_proxy_that_the_environment_names(
    muniment: Muniment, proxy: Proxy, authority: Authority, variable: str
) -> None:
    told = asked(
        muniment, f"https://{NAME}", "--ca-file", str(authority.file), **{variable: f"http://127.0.0.1:{proxy.port}"}
    )

    assert told.code == 0, told.said
    assert proxy.asked == [f"CONNECT {NAME}:443"]  # all the proxy learns: the key goes through the tunnel


def test_evidence_goes_through_the_proxy_and_its_password_only_to_it(
    muniment: Muniment, front: SecureFront, authority: Authority
) -> None:
    expected = "Basic " + base64.b64encode(b"ada:s3cret@").decode()
    proxy = Proxy({NAME: front.port}, password=expected)
    path = muniment.file("evidence.bin", b"y" * 300_000)
    words = ["attest", "generic", "--name", "a", "--compliant", "--trail", "t", "--attachments", path]
    way = {"MUNIMENT_HOST": f"https://{NAME}", "MUNIMENT_CA_FILE": str(authority.file), "MUNIMENT_RETRIES": "0"}

    known = muniment.run(*words, "--debug", **way, https_proxy=f"http://ada:s3cret%40@127.0.0.1:{proxy.port}")
    unknown = muniment.run(*words, **way, https_proxy=f"http://127.0.0.1:{proxy.port}")

    proxy.close()
    assert known.code == 0, known.said
    assert expected in proxy.authorizations
    assert "s3cret" not in known.out + known.said
    assert unknown.code == 3
    assert "407" in unknown.said
    assert f"127.0.0.1:{proxy.port}" in unknown.said


def test_plain_http_is_asked_of_the_proxy_by_its_whole_address(muniment: Muniment, proxy: Proxy) -> None:
    way = f"http://127.0.0.1:{proxy.port}"

    told = asked(muniment, "http://bare.test", http_proxy=way)

    assert told.code == 0, told.said
    assert proxy.asked == ["POST http://bare.test/graphql"]
    assert "unencrypted" in told.said


@pytest.mark.parametrize("variable", ["no_proxy", "NO_PROXY"])
def test_what_no_proxy_names_is_reached_straight(muniment: Muniment, proxy: Proxy, variable: str) -> None:
    way = {"https_proxy": f"http://127.0.0.1:{proxy.port}", variable: f"example.com,.{NAME.partition('.')[2]}"}

    told = asked(muniment, f"https://{NAME}", **way)

    assert told.code == 3  # straight, nobody knows the name
    assert proxy.asked == []
    assert "through the proxy" not in told.said


def test_this_machine_is_never_reached_through_a_proxy_of_the_environment(muniment: Muniment) -> None:
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")

    assert asked(muniment, muniment.environment["MUNIMENT_HOST"], **nowhere).code == 0


def test_a_proxy_that_is_away_is_named(muniment: Muniment) -> None:
    told = asked(muniment, f"https://{NAME}", "--http-proxy", "127.0.0.1:9")

    assert told.code == 3
    assert "through the proxy 127.0.0.1:9" in told.said
