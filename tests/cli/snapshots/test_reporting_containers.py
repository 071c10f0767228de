"""Snapshots of the containers that a real engine runs, and what it knows of their images."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.exits import ExitCode
from tests.cli.engines import IMAGE, Engine, needs_engine
from tests.cli.registries import RunningRegistry, needs_registry
from tests.cli.snapshots.conftest import Reporter


@needs_engine
@pytest.mark.parametrize("asked", ["socket", "command"])
async def test_containers_of_a_real_engine_are_reported(
    reporter: Reporter, running_engine: Engine, asked: str, programs: Callable[[str, str], str]
) -> None:
    await reporter.environment_of("DOCKER")
    names = [f"{asked}-{name}" for name in ("web-1", "web-2", "ci")]
    running_engine.load()
    for name in names:
        running_engine.start(name)
    variables = {"DOCKER_HOST": f"unix://{running_engine.socket}"}
    if asked == "command":
        # The same engine, as if it were on another machine: asked through the command line that is installed.
        client = shutil.which("docker") or "podman"
        reach = f"DOCKER_HOST={running_engine.socket.as_uri().replace('file', 'unix')} CONTAINER_HOST=$DOCKER_HOST"
        remote = "" if client.endswith("docker") else "--remote "
        path = programs("docker", f'#!/bin/sh\n{reach} exec {client} {remote}"$@"\n')
        variables = {"DOCKER_HOST": "tcp://elsewhere:2376", "PATH": path}

    told = await reporter.run(
        *("snapshot", "docker", "prod", "--include-regex", f"^{asked}-", "--exclude", names[2]), **variables
    )

    for name in names:
        running_engine.podman("rm", "--force", "--time=0", name)
    assert told.code == ExitCode.DONE, told.stderr
    [running] = (await reporter.snapshot())["running"]["nodes"]
    assert running["name"] == IMAGE
    assert running["instances"] == 2
    assert sorted(running["facts"][0]["containers"]) == names[:2]
    [kept] = json.loads(running_engine.podman("image", "inspect", IMAGE))
    assert kept["Digest"] == f"sha256:{running['fingerprint']}"


@needs_engine
@needs_registry
async def test_the_engine_and_the_registry_know_a_pulled_image_by_the_same_digest(
    reporter: Reporter, running_engine: Engine, open_registry: RunningRegistry
) -> None:
    index, _ = open_registry.push_index("shop/many", "1", {"linux/amd64": b"", "linux/arm64": b""})
    name = f"{open_registry.address}/shop/many:1"
    running_engine.podman("pull", "--tls-verify=false", name)

    by_engine = await reporter.run("fingerprint", name, "-t", "docker", DOCKER_HOST=f"unix://{running_engine.socket}")
    by_registry = await reporter.run("fingerprint", name, "-t", "oci")

    assert (by_engine.stdout.strip(), by_engine.code) == (index, ExitCode.DONE), by_engine.stderr
    assert (by_registry.stdout.strip(), by_registry.code) == (index, ExitCode.DONE), by_registry.stderr


@needs_engine
async def test_an_image_that_the_engine_does_not_have_is_told(reporter: Reporter, running_engine: Engine) -> None:
    told = await reporter.run("fingerprint", "none:1", "-t", "docker", DOCKER_HOST=f"unix://{running_engine.socket}")

    assert told.code == ExitCode.BAD_USAGE
    assert "has no image none:1" in told.stderr


async def test_an_engine_that_is_away_is_told(reporter: Reporter, tmp_path: Path) -> None:
    told = await reporter.run("snapshot", "docker", "prod", DOCKER_HOST=f"unix://{tmp_path}/none.sock")

    assert told.code == ExitCode.UNREACHABLE
    assert "does not answer" in told.stderr
