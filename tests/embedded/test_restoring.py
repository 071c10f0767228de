"""A record that is taken into a new database, by the commands that docs/operating.md gives, word for word."""

import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from embedded import processes
from embedded.postgres import APPLICATION, OWNER, programs
from embedded.seaweedfs import S3
from embedded.servers import Stack
from record.artifacts import service as artifacts
from record.artifacts.service import ReportArtifact
from record.attestations.service import attest
from record.ids import OrgId
from record.ledger.integrate import integrate
from record.ledger.publish import publish
from record.ledger.signing import Notary
from record.record import Record, open_record
from record.settings import Settings
from tests.record.organizations import FINGERPRINT, Organization
from tests.servers import TestDatabase

OPERATING = processes.CHECKOUT / "docs" / "operating.md"
NEW = "taken_over"


def commands_for_a_lost_schema() -> str:
    """The block of commands behind the sentence about a lost schema."""
    _, _, behind = OPERATING.read_text().partition("If the schema itself is gone")
    found = re.search(r"```sh\n(.*?)```", behind, re.DOTALL)
    assert found is not None
    return found[1]


@pytest_asyncio.fixture
async def lived(
    database: TestDatabase, redis_url: str, vault_address: S3, signing_key_file: Path
) -> AsyncIterator[tuple[Organization, dict[str, str]]]:
    """An organization whose log is signed and published, with evidence and a row of most kinds; and its settings."""
    chosen = processes.settings(
        database_url=database.url,
        owner_database_url=database.owner_url,
        redis_url=redis_url,
        s3=vault_address,
        signing_key_file=signing_key_file,
        retention_days="1",
    )
    record = opened(chosen)
    organization = await Organization.begin(record)
    ada = organization.operator
    await organization.flow(ada)
    await organization.trail(ada)
    await artifacts.report(record, ada, ReportArtifact("delivery", "t1", "app", FINGERPRINT, "app"))
    for number in range(300):  # more than one tile
        file = await organization.file(ada, f"file {number}".encode(), "file.txt") if number % 100 == 0 else None
        about = attest.About("delivery", "t1", f"check-{number}", evidence=() if file is None else (file,))
        await attest.generic(record, ada, about, compliant=True)
    await sign(record, organization.org_id)
    yield organization, chosen
    await record.close()


def opened(chosen: dict[str, str]) -> Record:
    return open_record(Settings(**{name.removeprefix("MUNIMENT_").lower(): value for name, value in chosen.items()}))  # type: ignore[arg-type]  # pydantic reads texts


async def sign(record: Record, org_id: OrgId) -> None:
    assert await integrate(record, org_id, Notary(record.settings.signing_seed())) is not None
    await publish(record, org_id)


async def test_the_record_goes_on_in_a_new_database_after_the_documented_commands(
    stack: Stack, lived: tuple[Organization, dict[str, str]], database: TestDatabase, tmp_path: Path
) -> None:
    before, old = lived
    stack.postgres.run_sql(f"CREATE DATABASE {NEW} OWNER {OWNER};")
    try:
        urls = {
            "database_url": stack.postgres.url(APPLICATION, NEW),
            "owner_database_url": stack.postgres.url(OWNER, NEW),
        }
        new = old | {f"MUNIMENT_{name.upper()}": url for name, url in urls.items()}
        path = os.pathsep.join([str(programs()), str(Path(sys.executable).parent), os.environ["PATH"]])
        given = {"OLD_OWNER_URL": database.owner_url, "NEW_OWNER_URL": urls["owner_database_url"], "PATH": path}

        done = subprocess.run(
            ["bash", "-e", "-c", f"cd {tmp_path}\n{commands_for_a_lost_schema()}"],
            env=processes.environment(new) | given | {"PYTHONPATH": str(processes.CHECKOUT)},
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 0, done.stderr
        verified = json.loads(done.stdout[done.stdout.rindex('{\n  "') :])
        assert verified["findings"] == []
        record = opened(new)
        try:
            head = await record.ledger.head(before.org_id)
            assert head == await before.record.ledger.head(before.org_id)
            after = Organization(record, before.name, before.operator, before.tokens)
            assert (await after.caller("ada")).principal == "ada"
            await after.trail(after.operator, "t2")
            await sign(record, before.org_id)  # which a database that was set back would be refused
        finally:
            await record.close()
    finally:
        stack.postgres.run_sql(f"DROP DATABASE {NEW} WITH (FORCE);")
