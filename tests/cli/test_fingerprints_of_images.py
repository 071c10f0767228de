"""Digests of images, asked of a real registry: open, behind a password, behind tokens, behind TLS."""

import json
import os
import ssl
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.artifacts import fingerprint_of
from muniment.fingerprints import FingerprintError
from muniment.images.references import NotAnImage, Reference, digest_in, parse_reference
from muniment.images.registry import Registry
from tests.cli.registries import (
    HTPASSWD,
    PASSWORD,
    USER,
    Certificate,
    RunningRegistry,
    needs_registry,
    registry,
    token_server,
)

DIGEST = "a" * 64


@pytest.fixture
def nobody(tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who never logged in anywhere."""
    return {"HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"]}


@pytest.fixture(scope="module")
def open_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


def asked(name: str, environment: dict[str, str], **others: str) -> str:
    return fingerprint_of(name, "oci", environment=environment, **others)[0]


# --- names


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("nginx", Reference("docker.io", "library/nginx", "latest", None)),
        ("team/app:1.2", Reference("docker.io", "team/app", "1.2", None)),
        ("index.docker.io/team/app", Reference("docker.io", "team/app", "latest", None)),
        ("localhost/app", Reference("localhost", "app", "latest", None)),
        ("localhost:5000/a/b/c:v1", Reference("localhost:5000", "a/b/c", "v1", None)),
        (f"ghcr.io/o/app:v1@sha256:{DIGEST}", Reference("ghcr.io", "o/app", "v1", DIGEST)),
        (f"app@sha256:{DIGEST}", Reference("docker.io", "library/app", "latest", DIGEST)),
        ("[::1]:5000/app", Reference("[::1]:5000", "app", "latest", None)),
    ],
)
def test_names_of_images_are_taken_apart(text: str, parsed: Reference) -> None:
    assert parse_reference(text) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "UPPER",
        "app:",
        ":tag",
        "app@sha256:abc",
        "app@md5:abc",
        "-rm",
        "a b",
        "app:tag/",
        "https://ghcr.io/app",
        "../app",
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(NotAnImage):
        parse_reference(text)


@pytest.mark.parametrize(
    ("said", "digest"),
    [
        (f"docker-pullable://ghcr.io/o/app@sha256:{DIGEST}", DIGEST),
        (f"sha256:{DIGEST}", DIGEST),
        (f"docker://sha256:{DIGEST}", DIGEST),
        ("", None),
        ("app:1", None),
        (f"sha256:{DIGEST}0", None),
    ],
)
def test_digests_are_found_at_the_end(said: str, digest: str | None) -> None:
    assert digest_in(said) == digest


# --- a registry


@needs_registry
def test_a_tag_has_the_digest_that_the_push_gave(open_registry: RunningRegistry, nobody: dict[str, str]) -> None:
    digest = open_registry.push("shop/web", "1.4.2")

    assert asked(f"{open_registry.address}/shop/web:1.4.2", nobody) == digest


@needs_registry
def test_an_image_for_several_platforms_is_its_index(open_registry: RunningRegistry, nobody: dict[str, str]) -> None:
    index, digests = open_registry.push_index("shop/many", "1", {"linux/amd64": b"a", "linux/arm64": b"b"})
    name = f"{open_registry.address}/shop/many:1"

    assert asked(name, nobody) == index
    assert asked(name, nobody, platform="linux/arm64") == digests["linux/arm64"]
    with pytest.raises(FingerprintError, match="no image for linux/s390x"):
        asked(name, nobody, platform="linux/s390x")


@needs_registry
def test_a_platform_of_an_image_for_one_is_that_image(open_registry: RunningRegistry, nobody: dict[str, str]) -> None:
    digest = open_registry.push("shop/one", "1")

    assert asked(f"{open_registry.address}/shop/one:1", nobody, platform="linux/amd64") == digest


@needs_registry
def test_an_image_that_is_not_there_is_told(open_registry: RunningRegistry, nobody: dict[str, str]) -> None:
    with pytest.raises(FingerprintError, match="has no shop/gone:1. Push it first"):
        asked(f"{open_registry.address}/shop/gone:1", nobody)


def test_a_name_with_a_digest_needs_no_registry(nobody: dict[str, str]) -> None:
    assert asked(f"127.0.0.1:1/app:v1@sha256:{DIGEST}", nobody) == DIGEST


def test_a_registry_that_is_away_is_told(nobody: dict[str, str]) -> None:
    with pytest.raises(FingerprintError, match="cannot be reached"):
        asked("127.0.0.1:1/app:v1", nobody)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[RunningRegistry]:
    """A registry behind a password."""
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    auth = f"auth: {{htpasswd: {{realm: tests, path: '{tmp_path / 'htpasswd'}'}}}}\n"
    basic = {"authorization": f"Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"}
    with registry(tmp_path / "guarded", auth=auth, headers=basic) as running:
        yield running


@needs_registry
def test_a_password_opens_a_registry(guarded: RunningRegistry, nobody: dict[str, str]) -> None:
    digest = guarded.push("shop/web", "1")
    name = f"{guarded.address}/shop/web:1"

    assert asked(name, nobody, registry_username=USER, registry_password=PASSWORD) == digest
    with pytest.raises(FingerprintError, match="does not let us read"):
        asked(name, nobody, registry_username=USER, registry_password="wrong")
    with pytest.raises(FingerprintError, match="Log in with docker"):
        asked(name, nobody)


@needs_registry
def test_what_docker_login_left_behind_opens_a_registry(guarded: RunningRegistry, nobody: dict[str, str]) -> None:
    digest = guarded.push("shop/web", "1")
    settings = Path(nobody["HOME"]) / ".docker" / "config.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(
        json.dumps({"auths": {guarded.address: {"auth": b64encode(f"{USER}:{PASSWORD}".encode()).decode()}}})
    )

    assert asked(f"{guarded.address}/shop/web:1", nobody) == digest


@needs_registry
def test_a_credential_helper_opens_a_registry(
    guarded: RunningRegistry, nobody: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = guarded.push("shop/web", "1")
    helper = tmp_path / "bin" / "docker-credential-vault"
    helper.parent.mkdir()
    told = json.dumps({"ServerURL": guarded.address, "Username": USER, "Secret": PASSWORD})
    helper.write_text(f"#!/bin/sh\nread server\n[ \"$server\" = {guarded.address} ] && echo '{told}'\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{helper.parent}:{os.environ['PATH']}")
    settings = tmp_path / "docker" / "config.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps({"credHelpers": {guarded.address: "vault"}}))

    assert asked(f"{guarded.address}/shop/web:1", {**nobody, "DOCKER_CONFIG": str(settings.parent)}) == digest


@needs_registry
def test_a_registry_with_a_token_server_and_tls_is_asked_as_it_says(tmp_path: Path, nobody: dict[str, str]) -> None:
    certificate = Certificate.made(tmp_path / "tls")
    tls = f"  tls: {{certificate: '{certificate.certificate_file}', key: '{certificate.key_file}'}}\n"
    with token_server(certificate) as tokens:
        auth = (
            f"auth: {{token: {{realm: '{tokens.realm}', service: registry, issuer: tests, "
            f"rootcertbundle: '{certificate.certificate_file}'}}}}\n"
        )
        push = tokens.token("registry", "repository:shop/web:push,pull", ["push", "pull"])
        reach = {
            "scheme": "https",
            "verify": ssl.create_default_context(cafile=certificate.certificate_file),
            "headers": {"authorization": f"Bearer {push}"},
        }
        with registry(tmp_path / "registry", http=tls, auth=auth, **reach) as running:
            digest = running.push("shop/web", "1")
            ran = subprocess.run(
                [sys.executable, "-m", "muniment", "fingerprint", f"{running.address}/shop/web:1", "-t", "oci"],
                capture_output=True,
                text=True,
                check=False,
                env={
                    **nobody,
                    "PYTHONPATH": os.pathsep.join(sys.path),
                    "SSL_CERT_FILE": str(certificate.certificate_file),
                    "MUNIMENT_REGISTRY_USERNAME": USER,
                    "MUNIMENT_REGISTRY_PASSWORD": PASSWORD,
                },
            )

    assert ran.stdout == f"{digest}\n", ran.stderr
    assert PASSWORD not in ran.stderr
    [question] = tokens.asked
    assert question["service"] == "registry"
    assert question["scope"] == "repository:shop/web:pull"


@needs_registry
def test_a_certificate_that_nobody_vouches_for_is_not_gone_around(tmp_path: Path, nobody: dict[str, str]) -> None:
    certificate = Certificate.made(tmp_path / "tls")
    tls = f"  tls: {{certificate: '{certificate.certificate_file}', key: '{certificate.key_file}'}}\n"
    with (
        registry(tmp_path / "registry", http=tls) as running,
        pytest.raises(FingerprintError, match="CERTIFICATE_VERIFY"),
    ):
        asked(f"{running.address}/shop/web:1", nobody)


def test_a_password_is_not_told_to_a_token_server_without_tls() -> None:
    elsewhere = Reference("registry.example.com", "shop/web", "1", None)

    with pytest.raises(Exception, match="without TLS"):
        Registry("registry.example.com")._token({"realm": "http://tokens.example.com/"}, elsewhere)
