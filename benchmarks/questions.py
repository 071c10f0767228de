"""The requests that are measured, as a client sends them: documents with variables, and the bytes around them."""

import base64
import http.client
import json
from typing import Any, Final

from benchmarks.load import NUMBER, http_request

REPORT_ARTIFACT: Final = """mutation Report($input: ReportArtifactInput!) {
  reportArtifact(input: $input) {
    __typename
    ... on ArtifactReported { fingerprint receipt { ledger index entryId leafHash at } }
    ... on Refusal { code message }
  }
}"""
ATTEST_GENERIC: Final = """mutation Attest($input: AttestGenericInput!) {
  attestGeneric(input: $input) {
    __typename
    ... on AttestationRecorded { id compliant receipt { ledger index entryId leafHash at } }
    ... on Refusal { code message }
  }
}"""
VERDICT: Final = """query Verdict($fingerprint: Fingerprint!, $size: LedgerSize) {
  record(size: $size) {
    size
    artifact(fingerprint: $fingerprint) {
      fingerprint
      name
      verdict {
        status
        holdsUntil
        reasons { rule subject outcome explanation remedy entryIndex because { rule outcome explanation } }
      }
    }
  }
}"""
PAGE: Final = """query Page($flow: String!, $after: String) {
  record {
    flow(name: $flow) {
      trails(first: 50, after: $after) {
        nodes { name verdict { status holdsUntil } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}"""
PAGE_WITH_REASONS: Final = PAGE.replace(
    "status holdsUntil",
    "status holdsUntil reasons { rule outcome explanation remedy because { rule outcome explanation remedy } }",
)


def ask_bytes(query: str, variables: dict[str, Any]) -> bytes:
    """The body of a request."""
    return json.dumps({"query": query, "variables": variables}, separators=(",", ":")).encode()


def report_artifact(*, flow: str, trail: str) -> bytes:
    """A report of an artifact that is another one each time."""
    return ask_bytes(
        REPORT_ARTIFACT,
        {
            "input": {
                "flow": flow,
                "trail": trail,
                "templateName": "server",
                "fingerprint": NUMBER.decode() + "0123456789abcdef" * 3,
                "name": "registry.example.com/server:1.8.34",
                "kind": "oci",
                "buildUrl": "https://ci.example.com/runs/1834",
                "repositoryUrl": "https://git.example.com/shop",
                "userData": {"runner": "linux-x64-7", "attempt": 1},
            }
        },
    )


def attest_generic(*, flow: str, trail: str, fingerprint: str) -> bytes:
    """An attestation on an artifact that was reported."""
    return ask_bytes(
        ATTEST_GENERIC,
        {
            "input": {
                "flow": flow,
                "trail": trail,
                "name": "signature",
                "fingerprint": fingerprint,
                "compliant": True,
                "description": "Ran in the pipeline.",
                "externalUrls": [{"label": "log", "url": "https://ci.example.com/runs/1834/signature"}],
                "userData": {"runner": "linux-x64-7", "attempt": 1, "number": NUMBER.decode()},
            }
        },
    )


def asked(port: int, body: bytes, headers: dict[str, str]) -> tuple[bytes, dict[str, str]]:
    """The answer to one question, and its headers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/graphql", body, {"content-type": "application/json", **headers})
    response = connection.getresponse()
    answer, said = response.read(), {name.lower(): value for name, value in response.getheaders()}
    connection.close()
    assert response.status == 200, answer
    assert b'"errors"' not in answer, answer
    return answer, said


def cursor(index: int) -> str:
    """The cursor of the trail that this entry began."""
    return base64.urlsafe_b64encode(f"trails:{index}".encode()).decode().rstrip("=")


def graphql(body: bytes, headers: dict[str, str]) -> bytes:
    """The whole request."""
    return http_request("/graphql", body, headers)
