"""The audits of the npm package `graphql-http` against the API: which of them it does not pass, and why.

The package is installed beside this file: `npm install --no-package-lock` in tests/interop. Without it the test is skipped, loudly.
"""

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from record.settings import Settings
from tests.api.serving import serving

HERE = Path(__file__).parent
NODE = shutil.which("node")

NO_GET = "Questions over GET are not served: a link must not be able to ask, nor a query end up in access logs."

EXPECTED: dict[str, str] = {"5A70": NO_GET, "6A70": NO_GET, "D6D5": NO_GET}
"""Audits that are not passed, by id, with the reason."""


@pytest.fixture
async def findings(make_settings: Callable[..., Settings]) -> list[dict[str, Any]]:
    assert NODE is not None
    async with serving(make_settings()) as served:
        acme = await served.organization()
        program = await asyncio.create_subprocess_exec(
            NODE,
            str(HERE / "audit.mjs"),
            served.url.rstrip("/") + "/graphql",
            f"Bearer {acme.token}",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said, complaints = await asyncio.wait_for(program.communicate(), 60)
    assert program.returncode == 0, complaints.decode()
    found: list[dict[str, Any]] = json.loads(said)
    return found


@pytest.mark.skipif(
    NODE is None or not (HERE / "node_modules" / "graphql-http").is_dir(),
    reason="GraphQL over HTTP is NOT audited: node, or tests/interop/node_modules (npm install), is missing",
)
async def test_every_audit_is_passed_but_those_with_a_reason(findings: list[dict[str, Any]]) -> None:
    failed = {
        each["id"]: f"{each['status']}: {each['name']} ({each['reason']})"
        for each in findings
        if each["status"] != "ok"
    }

    assert len(findings) >= 55
    assert {id_: said for id_, said in failed.items() if id_ not in EXPECTED} == {}
    assert [id_ for id_ in EXPECTED if id_ not in failed] == [], "these pass now: take them out of the table"
    assert not [said for said in failed.values() if said.startswith("error")], "an audit that the protocol demands"
