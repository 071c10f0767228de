"""The client as tests run it: in this process, or as the program that it is; and a whole system for it to talk to."""

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from embedded.system import System
from muniment.cli import main

SOURCES = Path(__file__).resolve().parents[2] / "cli" / "src"
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Finished:
    """What a run of the client came to."""

    code: int
    out: str
    said: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Muniment:
    """Runs commands with an environment and a directory of their own."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = {"HOME": str(folder), "PATH": os.environ["PATH"], "MUNIMENT_RETRIES": "2", **environment}

    def __call__(self, *words: str, stdin: str = "", **environment: str) -> Finished:
        """In this process: quick, and for everything that is not about the process itself."""
        kept, before, at = dict(os.environ), sys.stdin, Path.cwd()
        out, said = io.StringIO(), io.StringIO()
        os.environ.clear()
        os.environ.update({**self.environment, **environment})
        sys.stdin = io.StringIO(stdin)
        os.chdir(self.folder)
        try:
            with redirect_stdout(out), redirect_stderr(said):
                code = main(words)
        finally:
            os.chdir(at)
            sys.stdin = before
            os.environ.clear()
            os.environ.update(kept)
        return Finished(code, out.getvalue(), said.getvalue())

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        """As a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "muniment", *words],
            cwd=self.folder,
            env={**self.environment, "PYTHONPATH": str(SOURCES), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, **environment: str) -> Finished:
        """As a process of its own, to its end."""
        process = self.start(*words, **environment)
        out, said = process.communicate(timeout=120)
        return Finished(process.returncode, out, said)

    def key_of(self, name: str, *grants: dict[str, object]) -> str:
        """A new person with these grants (as the API takes them); a key of theirs."""
        add = "mutation($input: AddPrincipalInput!) { answer: addPerson(input: $input) { __typename } }"
        issue = "mutation($input: IssueKeyInput!) { issueKey(input: $input) { ... on KeyIssued { token } } }"
        added = json.dumps({"name": name, "grants": list(grants)})
        self("query", self.file("add.graphql", add), "-v", f"input={added}")
        wished = json.dumps({"principal": name, "description": "a test"})
        issued = self("query", self.file("issue.graphql", issue), "-v", f"input={wished}")
        return str(issued.json["issueKey"]["token"])

    def file(self, name: str, content: str | bytes) -> str:
        """A file in the directory; its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)


@pytest.fixture
def offline(tmp_path: Path) -> Muniment:
    """The client, with nothing set and no server."""
    return Muniment(tmp_path, {})


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    """Everything: servers, API, worker, and the organization acme."""
    folder = Path(tempfile.mkdtemp(prefix="muniment-tests-"))
    try:
        with System(folder, durable=False, patience_seconds=60) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def muniment(system: System, tmp_path: Path) -> Muniment:
    """The client with an admin's key, a flow of this test's own, and an empty directory that is no git repository."""
    assert system.organization is not None
    client = Muniment(
        tmp_path,
        {
            "MUNIMENT_HOST": system.url,
            "MUNIMENT_API_KEY": system.organization.key_file.read_text().strip(),
            "MUNIMENT_FLOW": f"flow-{next(_numbers)}",
        },
    )
    assert client("create", "flow", client.environment["MUNIMENT_FLOW"]).code == 0
    return client


def entries(muniment: Muniment) -> int:
    """How many entries the ledger holds."""
    document = muniment.file("size.graphql", "{ record { ledger { size } } }")
    return int(muniment("query", document).json["record"]["ledger"]["size"])


def git_repository(folder: Path) -> str:
    """Makes the directory a repository with one commit; its hash."""
    environment = {
        **os.environ,
        **{f"GIT_{who}_{what}": f"{value}" for who in ("AUTHOR", "COMMITTER") for what, value in _ADA.items()},
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    for words in (["init", "-q", "-b", "main"], ["commit", "-q", "--allow-empty", "-m", "Add refunds\n\nIn euros."]):
        subprocess.run(["git", *words], cwd=folder, env=environment, check=True)
    return subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=folder, text=True).strip()


_ADA = {"NAME": "Ada", "EMAIL": "ada@example.org", "DATE": "2026-11-01T12:00:00+00:00"}
