"""What the demo needs of HTTP: a question, a write, an upload, a download. As any client would, with a key and nothing else."""

import hashlib
import mimetypes
from pathlib import Path
from typing import Any

import httpx


class DemoError(Exception):
    """The system did not do what the demo is there to show."""


class Client:
    """Speaks to one server through one key."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self._http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60)

    def close(self) -> None:
        self._http.close()

    def with_key(self, key: str) -> "Client":
        """The same server, through another key."""
        return Client(self._url, key)

    def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """The `data` of a question."""
        response = self._http.post("/graphql", json={"query": document, "variables": variables})
        answer = response.json()
        if response.status_code != 200 or answer.get("errors"):
            raise DemoError(f"The server answered {response.status_code}: {answer.get('errors') or answer}")
        data: dict[str, Any] = answer["data"]
        return data

    def write(self, mutation: str, kind: str, given: dict[str, Any], *, returning: str = "") -> dict[str, Any]:
        """The result of a mutation that takes `input: kind!`; a refusal ends the demo with its sentence."""
        document = (
            f"mutation Write($input: {kind}!) {{ answer: {mutation}(input: $input) {{ __typename "
            "... on Refusal { code message } "
            f"... on {_SUCCESS[mutation]} {{ receipt {{ index leafHash ledger }} {returning} }} }} }}"
        )
        result: dict[str, Any] = self.ask(document, input=given)["answer"]
        if "message" in result:
            raise DemoError(f"{mutation} was refused ({result['code']}): {result['message']}")
        return result

    def upload(self, file: Path, *, media_type: str | None = None) -> dict[str, Any]:
        """Puts a file into the vault under its digest; the evidence input that names it."""
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        kind = media_type or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        with file.open("rb") as content:
            response = self._http.put(f"/evidence/sha256:{digest}", content=content, headers={"Content-Type": kind})
        if response.status_code not in (200, 201):
            raise DemoError(f"The vault answered {response.status_code}: {response.text}")
        return {"digest": digest, "fileName": file.name, "mediaType": kind}

    def download(self, path: str, target: Path) -> str:
        """Streams a download into a file; the SHA-256 of what came."""
        digest = hashlib.sha256()
        with self._http.stream("GET", path) as response, target.open("wb") as file:
            if response.status_code != 200:
                response.read()
                raise DemoError(f"The download answered {response.status_code}: {response.text}")
            for chunk in response.iter_bytes():
                digest.update(chunk)
                file.write(chunk)
        return digest.hexdigest()


_SUCCESS = {
    "addServiceAccount": "PrincipalRecorded",
    "addPerson": "PrincipalRecorded",
    "issueKey": "KeyIssued",
    "createFlow": "FlowRecorded",
    "beginTrail": "TrailBegun",
    "reportArtifact": "ArtifactReported",
    "defineAttestationType": "AttestationTypeDefined",
    "attestGeneric": "AttestationRecorded",
    "attestJunit": "AttestationRecorded",
    "attestSarif": "AttestationRecorded",
    "attestSbom": "AttestationRecorded",
    "attestCustom": "AttestationRecorded",
    "requestArchive": "ArchiveRequested",
    "createEnvironment": "EnvironmentRecorded",
    "createPolicy": "PolicyRecorded",
    "attachPolicy": "PolicyRecorded",
    "reportDeployment": "DeploymentReported",
    "reportSnapshot": "SnapshotReported",
    "requestApproval": "ApprovalRecorded",
    "reviewApproval": "ApprovalRecorded",
}
