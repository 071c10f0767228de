"""An organization that has one of everything, made by the services that people use, and what a stranger may know of it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from record.access.rules import Caller, Role
from record.approvals import queries as approvals
from record.approvals import service as approving
from record.approvals.rules import Act
from record.artifacts import queries as artifacts
from record.artifacts import service as reporting
from record.artifacts.queries import Built
from record.attestations.service import attest, signing_keys, types
from record.attestations.service.attest import About
from record.controls import queries as controls
from record.controls import service as mapping
from record.controls.catalogs import Control
from record.controls.mappings import AttestationRequired
from record.deployments import queries as deployments
from record.deployments import service as deploying
from record.details import Commit
from record.environments import queries as environments
from record.environments import reporting as snapshotting
from record.environments import service as places
from record.environments import snapshots
from record.environments.members import Reported
from record.environments.rules import Running
from record.flows.service import CreateFlow
from record.flows.service import create as create_flow
from record.ids import (
    ApprovalId,
    ArchiveId,
    AttestationId,
    DeliveryId,
    Digest,
    EntryIndex,
    Fingerprint,
    FlowId,
    KeyId,
    LedgerSize,
    TrailId,
    WaiverId,
)
from record.judgements import service as judging
from record.ledger.entries import Draft
from record.ledger.integrate import integrate
from record.ledger.signing import Notary
from record.notices import outbox, telling
from record.notices import queries as notices
from record.notices import service as noticing
from record.notices.events import Trigger
from record.notices.rules import Channel, Notice
from record.policies import queries as policies
from record.policies import service as ruling
from record.record import Record
from record.trails import queries as trails
from record.waivers import queries as waivers
from record.waivers import service as waiving
from tests.record.organizations import COMMIT, FINGERPRINT, Organization
from tests.record.signing import ed25519_pem

NAMES = "delivery"
POLICY = "version: 1\nartifacts: {provenance: {required: true}}\n"
ARCHIVE_KEY = "archives/isolation.zip"
NEXT = "f2" * 32


@dataclass(frozen=True, slots=True)
class Known:
    """What can be heard of an organization."""

    token: str
    key_id: KeyId
    principal_id: Any
    flow_id: FlowId
    trail_id: TrailId
    trail: trails.Trail
    attestation_id: AttestationId
    attested_at: EntryIndex
    digest: Digest
    archive_id: ArchiveId
    environment: environments.Environment
    deployment: deployments.Deployment
    policy: policies.Policy
    approval: approvals.Approval
    built: Built
    running: list[Running]
    waiver: waivers.Waiver
    framework: controls.Framework
    notice: Notice
    delivery_id: DeliveryId
    size: LedgerSize


async def full_organization(record: Record, name: str) -> tuple[Organization, Known]:
    """An organization in which every query finds something, and what a stranger may know of it."""
    made = await Organization.begin(record, name)
    await made.give_key("spare", await made.hire("will", Role.WRITER), days=30)
    await made.hire("bob", Role.APPROVER)
    will = await made.caller("will")
    flow = await create_flow(record, will, CreateFlow(NAMES, public=True))
    trail = await made.trail(will, "t1", flow=NAMES)
    await reporting.report(
        record,
        will,
        reporting.ReportArtifact(NAMES, "t1", "app", FINGERPRINT, "app.whl", commit=Commit(COMMIT)),
    )
    file = await made.file(will, b"the evidence of isolation", "log.txt")
    attested = await attest.generic(
        record, will, About(NAMES, "t1", "tests", fingerprint=FINGERPRINT, evidence=(file,)), compliant=True
    )
    await types.define(record, will, types.DefineType("coverage", rules=["true"]))
    await signing_keys.trust(record, made.operator, name="builder", pem=ed25519_pem()[1])
    await places.create(record, made.operator, places.CreateEnvironment("prod", "k8s"))
    wish = snapshotting.ReportSnapshot("prod", [Reported(FINGERPRINT, "app.whl")])
    await snapshotting.report(record, made.operator, wish)
    await ruling.create(record, made.operator, ruling.CreatePolicy("known", POLICY))
    await ruling.attach(record, made.operator, policy="known", environment="prod")
    for _ in range(2):
        await deploying.report(record, will, deploying.ReportDeployment("prod", FINGERPRINT))
    await exceptions(record, made)
    archive_id = await archives_of(record, made, will)
    await controls_of(record, made)
    delivery_id = await notice_of(record, made)
    await judging.judge(record, made.org_id, made.name)
    await integrate(record, made.org_id, Notary(record.settings.signing_seed()))
    moment = await made.moment()
    async with record.database.connection(made.org_id) as connection:
        begun = await trails.by_name(connection, moment, NAMES, "t1")
        prod = await environments.by_name(connection, moment, "prod")
        assert prod is not None
        policy = await policies.by_name(connection, moment, "known")
        assert policy is not None
        (approval,) = await approvals.page(connection, moment, limit=1)
        built = await artifacts.built(connection, moment, Fingerprint(NEXT))
        assert built is not None
        (running,) = await snapshots.running_now(connection, moment, [prod.environment_id])
        (waiver,) = await waivers.page(connection, moment, limit=1)
        framework = await controls.by_name(connection, moment, "rules")
        assert framework is not None
        (notice,) = await notices.all_of(connection, moment)
        deployed = (await deployments.page(connection, moment, [prod.environment_id], limit=1))[0]
    assert begun is not None
    assert will.key_id is not None
    return made, Known(
        token=made.tokens["will"],
        key_id=will.key_id,
        principal_id=will.principal_id,
        flow_id=FlowId(UUID(flow.body["flow_id"])),
        trail_id=TrailId(UUID(trail.body["trail_id"])),
        trail=begun,
        attestation_id=AttestationId(attested.entry_id),
        attested_at=attested.index,
        digest=Digest(file.digest),
        archive_id=archive_id,
        environment=prod,
        deployment=deployed,
        policy=policy,
        approval=approval,
        built=built,
        running=running,
        waiver=waiver,
        framework=framework,
        notice=notice,
        delivery_id=delivery_id,
        size=moment.size,
    )


async def exceptions(record: Record, made: Organization) -> None:
    """A second build, an approval and a waiver of what runs."""
    will, bob = await made.caller("will"), await made.caller("bob")
    again = reporting.ReportArtifact(NAMES, "t1", "app", NEXT, "app.whl", commit=Commit(COMMIT))
    await reporting.report(record, will, again)
    asked = await approving.request(record, will, approving.RequestApproval("prod", FINGERPRINT))
    await approving.review(record, bob, ApprovalId(UUID(asked.body["approval_id"])), Act.APPROVE)
    wish = waiving.RequestWaiver("prod", "Not yet.", record.clock.now() + timedelta(days=1), fingerprint=FINGERPRINT)
    excused = await waiving.request(record, will, wish)
    await waiving.accept(record, bob, WaiverId(UUID(excused.body["waiver_id"])))


async def archives_of(record: Record, made: Organization, caller: Caller) -> ArchiveId:
    """Two archives: one that is finished, and the one that is given back, which is not."""
    archive_id, finished_id = UUID(int=made.org_id.int ^ 1), UUID(int=made.org_id.int ^ 2)
    question = {"question": {"kind": "organization"}, "size": 1, "instant": "2026-11-22T00:00:00.000000Z"}
    for kind, body in (
        ("archive.requested", {"archive_id": str(archive_id), **question}),
        ("archive.requested", {"archive_id": str(finished_id), **question}),
        ("archive.completed", {"archive_id": str(finished_id), "sha256": "a" * 64, "key": ARCHIVE_KEY}),
        ("archive.downloaded", {"archive_id": str(archive_id)}),
    ):
        await record.ledger.append(caller, Draft(kind, body))
    return ArchiveId(archive_id)


async def controls_of(record: Record, made: Organization) -> None:
    """A framework of one control, which is mapped."""
    wish = mapping.CreateFramework("rules", "Rules of the house", [Control("R-1", "Everything is tested")])
    await mapping.create_framework(record, made.operator, wish)
    tested = mapping.MapControl("rules", "R-1", [AttestationRequired("tests")])
    await mapping.map_control(record, made.operator, tested)


async def notice_of(record: Record, made: Organization) -> DeliveryId:
    """A signed webhook with a delivery that waits, as a worker leaves it that died while it sent."""
    wish = noticing.CreateNotice("alerts", Channel.WEBHOOK, list(Trigger), url="https://hooks.example.com/isolation")
    await noticing.create(record, made.operator, wish)
    await noticing.send_sample(record, made.operator, name="alerts")
    await telling.tell(record, made.org_id)
    async with record.database.connection(made.org_id) as connection:
        (alerts,) = await notices.all_of(connection, await made.moment())
        (waiting,) = await notices.deliveries_page(connection, made.org_id, alerts.notice_id, limit=1)
        await outbox.begin_attempt(connection, made.org_id, waiting.delivery_id, 1)
    return waiting.delivery_id
