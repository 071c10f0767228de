"""A real server for the client to report to, and real platforms where there are any: an engine, a registry, an object store."""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from record.settings import Settings
from tests.api.graphql.house import serving_schema
from tests.api.serving import Served, make_settings
from tests.cli.engines import Engine, engine
from tests.cli.registries import RunningRegistry, registry

__all__ = ["make_settings"]

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Told:
    """What the client said, and how it ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def data(self) -> Any:
        return json.loads(self.stdout)


@dataclass(slots=True)
class Reporter:
    """Somebody with the client and a key. `environment` is added to an environment that knows nothing else."""

    served: Served
    token: str
    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    async def run(self, *words: str, **variables: str) -> Told:
        """One command, as a process of its own."""
        known = {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(ROOT / "cli" / "src"), *sys.path]),
            "MUNIMENT_HOST": self.served.url,
            "MUNIMENT_ORGANIZATION": "acme",
            "MUNIMENT_API_KEY": self.token,
            **self.environment,
            **variables,
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-m", "muniment", *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=known,
            cwd=self.home,
        )
        stdout, stderr = await asyncio.wait_for(process.communicate(), 120)
        assert process.returncode is not None
        return Told(process.returncode, stdout.decode(), stderr.decode())

    async def ask(self, query: str, **variables: Any) -> Any:
        """The data of the server's answer."""
        answer = await self.served.client.post(
            "/graphql",
            json={"query": query, "variables": variables},
            headers={"authorization": f"Bearer {self.token}"},
        )
        said = answer.json()
        assert "errors" not in said, said
        return said["data"]

    async def environment_of(self, kind: str, name: str = "prod") -> None:
        """A new environment."""
        said = await self.ask(
            "mutation($input: CreateEnvironmentInput!) { createEnvironment(input: $input) { __typename } }",
            input={"name": name, "type": kind},
        )
        assert said["createEnvironment"]["__typename"] == "EnvironmentRecorded", said

    async def snapshot(self, expression: str = "prod") -> dict[str, Any]:
        """What ran."""
        said = await self.ask(
            """query($expression: String!) { record { snapshot(expression: $expression) {
                number partial instanceCount refused { name why }
                running(first: 50) { nodes { name fingerprint instances instancesCreatedAt facts } } } } }""",
            expression=expression,
        )
        found: dict[str, Any] = said["record"]["snapshot"]
        return found


@pytest_asyncio.fixture
async def reporter(make_settings: Callable[..., Settings], tmp_path: Path) -> AsyncIterator[Reporter]:
    """The client, and a server that it reports to."""
    home = tmp_path / "home"
    home.mkdir()
    async with serving_schema(make_settings(page_size_max=50)) as served:
        yield Reporter(served, (await served.organization()).token, home)


@pytest.fixture(scope="module")
def running_engine() -> Iterator[Engine]:
    folder = Path(tempfile.mkdtemp(prefix="engine-", dir="/tmp"))  # Podman wants paths of at most 50 characters
    try:
        with engine(folder) as served:
            yield served
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def open_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def programs(tmp_path: Path) -> Callable[[str, str], str]:
    """Puts a program of this name in front of all others; gives the PATH on which it is found."""
    folder = tmp_path / "programs"
    folder.mkdir()

    def put(name: str, script: str) -> str:
        path = folder / name
        path.write_text(script)
        path.chmod(0o755)
        return f"{folder}{os.pathsep}{os.environ['PATH']}"

    return put
