"""A small organization to make archives of, and a worker's hands to make them with."""

import asyncio
import hashlib
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from muniment.proof.archive import verify_archive
from muniment.proof.findings import ArchiveResult
from muniment.proof.notes import parse_verifier_key
from record.access import service as access
from record.access import tokens
from record.access.rules import Caller, Grant, Role
from record.archives import queries, service
from record.archives.queries import Archive, Finished
from record.archives.rules import RequestArchive
from record.artifacts import service as artifacts
from record.attestations.service import attest, types
from record.details import Commit
from record.evidence import service as evidence
from record.flows import service as flows
from record.ids import ArchiveId, PrincipalId
from record.jobs import service as jobs
from record.jobs.service import Headway
from record.ledger.entries import Receipt
from record.ledger.integrate import integrate
from record.ledger.signing import Notary, log_verifier_key
from record.moment import Moment
from record.record import Record
from record.trails import service as trails

TEMPLATE = """\
version: 1
trail:
  attestations:
    - {name: review, type: generic}
  artifacts:
    - name: app
      attestations:
        - {name: unit-tests, type: junit}
"""
JUNIT = b'<testsuite name="all" tests="2"><testcase name="one"/><testcase name="two"/></testsuite>'
COMMIT = "0123456789abcdef0123456789abcdef01234567"


async def chunks_of(data: bytes) -> AsyncIterator[bytes]:
    yield data


@dataclass
class World:
    """An organization, somebody who records in it, and the notary of its worker."""

    record: Record
    caller: Caller
    notary: Notary

    @classmethod
    async def begin(cls, record: Record, name: str = "acme") -> "World":
        operator, issued = await access.create_organization(record, name, admin="ada")
        added = await access.add_principal(
            record, operator, name="ci", kind="service_account", grants=[Grant(Role.WRITER), Grant(Role.AUDITOR)]
        )
        key = await access.issue_key(
            record, operator, principal_id=PrincipalId(UUID(added.body["principal_id"])), description="the pipeline"
        )
        assert issued.token is not None
        assert key.token is not None
        head = await record.ledger.head(operator.org_id)
        caller, _ = await access.recognise_until(
            record,
            tokens.token_sha256(key.token),
            org_id=operator.org_id,
            organization=name,
            access_index=head.access_index,
        )
        return cls(record, caller, Notary(record.settings.signing_seed()))

    async def flow(self, name: str = "delivery", template: str = TEMPLATE) -> Receipt:
        return await flows.create(self.record, self.caller, flows.CreateFlow(name=name, template=template))

    async def trail(self, name: str = "build-1", flow: str = "delivery") -> Receipt:
        wish = trails.BeginTrail(
            flow=flow, name=name, commit=Commit(COMMIT, message="Fix it <now>"), description="a run"
        )
        return await trails.begin(self.record, self.caller, wish)

    async def store(self, data: bytes) -> str:
        found, _ = await evidence.store(
            self.record, self.caller, chunks_of(data), expected=None, expected_size=None, media_type="text/plain"
        )
        return found.digest

    async def artifact(self, trail: str = "build-1", flow: str = "delivery", content: bytes = b"app") -> str:
        fingerprint = hashlib.sha256(content).hexdigest()
        wish = artifacts.ReportArtifact(
            flow=flow, trail=trail, template_name="app", fingerprint=fingerprint, name="app.whl"
        )
        await artifacts.report(self.record, self.caller, wish)
        return fingerprint

    async def attest(
        self,
        name: str,
        files: dict[str, bytes] | None = None,
        *,
        trail: str = "build-1",
        flow: str = "delivery",
        compliant: bool = True,
        fingerprint: str | None = None,
    ) -> Receipt:
        named = [attest.File(digest=await self.store(data), name=each) for each, data in (files or {}).items()]
        about = attest.About(flow=flow, trail=trail, name=name, evidence=tuple(named), fingerprint=fingerprint)
        return await attest.generic(self.record, self.caller, about, compliant=compliant)

    async def junit(self, fingerprint: str, *, trail: str = "build-1", flow: str = "delivery") -> Receipt:
        report = attest.File(digest=await self.store(JUNIT), name="report.xml")
        about = attest.About(flow=flow, trail=trail, name="unit-tests", fingerprint=fingerprint)
        return await attest.junit_results(self.record, self.caller, about, reports=[report])

    async def custom(self, *, trail: str = "build-1", flow: str = "delivery") -> Receipt:
        await types.define(self.record, self.caller, types.DefineType(name="coverage", rules=[".percent >= 80"]))
        about = attest.About(flow=flow, trail=trail, name="coverage")
        return await attest.custom(self.record, self.caller, about, type_name="coverage", data={"percent": 91})

    async def delivery(self, trail: str = "build-1", flow: str = "delivery") -> str:
        """A trail with everything in it that its template asks for. The artifact's fingerprint."""
        await self.trail(trail, flow)
        fingerprint = await self.artifact(trail, flow, content=trail.encode())
        await self.attest("review", {"review.txt": b"looks good to me"}, trail=trail, flow=flow)
        await self.junit(fingerprint, trail=trail, flow=flow)
        return fingerprint

    async def sign(self) -> None:
        while await integrate(self.record, self.caller.org_id, self.notary):
            pass

    async def request(self, wish: RequestArchive) -> ArchiveId:
        receipt = await service.request(self.record, self.caller, wish)
        return ArchiveId(UUID(receipt.body["archive_id"]))

    async def make(self, wish: RequestArchive) -> tuple[Archive, Finished]:
        """Requests an archive and does what a worker does."""
        archive_id = await self.request(wish)
        await self.sign()
        [lease] = await jobs.claim(
            self.record, kinds=[jobs.ARCHIVE], count_max=1, only=(self.caller.org_id, archive_id)
        )
        await service.make(self.record, lease, Headway())
        await jobs.finish(self.record, lease)
        return await service.finished(self.record, self.caller, archive_id)

    async def archive(self, archive_id: ArchiveId) -> Archive:
        moment = Moment.latest(self.caller.org_id, self.record.clock.now())
        async with self.record.database.connection(self.caller.org_id) as connection:
            [archive] = await queries.by_ids(connection, moment, [archive_id])
        assert archive is not None
        return archive

    async def bytes_of(self, outcome: Finished) -> bytes:
        pieces = [piece async for piece in self.record.vault.read(outcome.key, version_id=outcome.version_id)]
        return b"".join(pieces)

    async def made(self, wish: RequestArchive, path: Path) -> "MadeArchive":
        archive, outcome = await self.make(wish)
        data = await self.bytes_of(outcome)
        assert hashlib.sha256(data).hexdigest() == outcome.digest
        assert len(data) == outcome.byte_count
        await asyncio.to_thread(path.write_bytes, data)
        head = await self.record.ledger.head(self.caller.org_id)
        key = parse_verifier_key(log_verifier_key(self.record.settings, head.origin))
        return MadeArchive(archive, outcome, path, data, verify_archive(str(path), key))


@dataclass(frozen=True)
class MadeArchive:
    """An archive on disk, and what the verifier says about it."""

    archive: Archive
    outcome: Finished
    path: Path
    data: bytes
    result: ArchiveResult

    def read(self, name: str) -> bytes:
        with zipfile.ZipFile(self.path) as opened:
            return opened.read(name)

    @property
    def names(self) -> list[str]:
        with zipfile.ZipFile(self.path) as opened:
            return opened.namelist()
