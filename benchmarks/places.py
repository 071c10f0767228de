"""Something to judge: artifacts that five flows know, the policies of an environment, and snapshots of what runs there.

As in `benchmarks.content`, one of each goes through the services, and the others are its entries under other names.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import islice
from typing import Any, Final

from benchmarks.content import Organization
from record.access import service as access
from record.access.rules import Caller
from record.artifacts import service as artifacts
from record.attestations.service import attest
from record.details import Commit
from record.environments import queries as environments
from record.environments import reporting
from record.environments import service as places
from record.environments.members import Reported
from record.environments.rules import NOTHING_BEFORE, Before, Member
from record.flows import queries as flow_queries
from record.flows import service as flows
from record.ids import EntryIndex, Fingerprint, uuid7
from record.ledger import queries as ledger
from record.ledger.entries import Draft
from record.moment import Moment
from record.policies import service as policies
from record.record import Record
from record.trails import service as trails

FLOWS: Final = 5
POLICIES: Final = 3
CHECKS: Final = {
    "unit-tests": ("junit", "212 tests ran, and none failed.", {"tests": 212, "failures": 0, "errors": 0}),
    "scan": ("trivy", "Nothing above the thresholds was found.", {"critical": 0, "high": 0, "medium": 2, "low": 9}),
    "sbom": ("sbom", "The document lists 184 components.", {"format": "CycloneDX 1.6", "components": 184}),
}
TEMPLATE: Final = """\
version: 1
trail:
  attestations:
    - {name: pull-request, type: generic}
  artifacts:
    - name: app
      attestations:
""" + "".join(f"        - {{name: {name}, type: {kind}}}\n" for name, (kind, _, _) in CHECKS.items())
POLICY: Final = """\
version: 1
artifacts:
  provenance: {{required: true, exceptions: [{{if: 'matches(artifact.name, "^datadog:")'}}]}}
  trail-compliance: {{required: true}}
  attestations:
    - {{name: unit-tests, type: junit, max-age: {days}d}}
    - {{type: trivy, where: "critical == 0", if: 'flow.tags.risk-level == "high"'}}
    - any-of: [{{type: snyk}}, {{type: sbom}}]
    - {{name: pull-request}}
  deployed-to: {{environment: staging}}
"""
"""Seven rules."""
_LOADED_AT_A_TIME: Final = 20_000


def fingerprint(number: int) -> Fingerprint:
    return Fingerprint(sha256(f"app-{number}".encode()).hexdigest())


def member(number: int) -> Reported:
    facts = {"namespace": "shop", "pod": f"app-{number}-7d9f8c6b5-x2x4z"}
    created = ["2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"]
    return Reported(fingerprint(number), f"registry.example.com/shop/app-{number}:1.8.34", 2, created, facts)


async def organization(record: Record, name: str = "acme") -> Organization:
    """A new organization with two environments and nothing in them."""
    _, issued = await access.create_organization(record, name, admin="ada")
    assert issued.token is not None
    caller = await access.recognise(record, issued.token)
    for environment in ("staging", "prod"):
        await places.create(record, caller, places.CreateEnvironment(environment, "k8s"))
    return Organization(name, caller, issued.token)


async def attach(record: Record, caller: Caller, environment: str = "prod") -> None:
    """Three policies of seven rules; they differ in how old tests may be."""
    for number in range(POLICIES):
        name, document = f"policy-{number}", POLICY.format(days=30 + number)
        if environment == "prod":
            await policies.create(record, caller, policies.CreatePolicy(name, document))
        await policies.attach(record, caller, policy=name, environment=environment)


async def build(record: Record, caller: Caller, count: int) -> None:
    """`count` artifacts, each reported into a trail of its own in each of five flows, with all its checks."""
    for number in range(FLOWS):
        tags = {"risk-level": "high", "team": "shop"}
        await flows.create(record, caller, flows.CreateFlow(f"ci-{number}", template=TEMPLATE, tags=tags))
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        found = await flow_queries.page(connection, moment, limit=FLOWS)
    sample = await _sample(record, caller)
    drafts = (
        draft
        for number in range(1, count)
        for flow in found
        for draft in _copy(sample, flow.name, str(flow.flow_id), number)
    )
    first = (draft for flow in found[1:] for draft in _copy(sample, flow.name, str(flow.flow_id), 0))
    await _append(record, caller, first)
    await _append(record, caller, drafts)


async def snapshots(record: Record, owner: Organization, count: int, *, running: int = 20) -> None:
    """`count` snapshots of prod: each stops what began first and starts something new, so that each makes two events."""
    moment = Moment.latest(owner.caller.org_id, record.clock.now())
    async with record.database.connection(owner.caller.org_id) as connection:
        prod = await environments.by_name(connection, moment, "prod")
    assert prod is not None

    def drafts() -> Iterator[Draft]:
        before = NOTHING_BEFORE
        for number in range(1, count + 1):
            now = {each.fingerprint: each for each in map(_running, range(number, number + running))}
            made = reporting.drafts(prod, before, now, (), f"{number:064x}")
            yield from made
            since = {key: before.members[key][1] if key in before.members else number for key in now}
            closing = made[-1].body
            members = {key: (each, since[key]) for key, each in now.items()}
            before = Before(number, closing["keyframe"], closing["rows_since"], members)

    await _append(record, owner.caller, drafts())


def _running(number: int) -> Member:
    return Member(fingerprint(number), f"registry.example.com/shop/app-{number}:1.8.34", 2)


async def _append(record: Record, caller: Caller, drafts: Iterator[Draft]) -> None:
    while batch := list(islice(drafts, _LOADED_AT_A_TIME)):
        await record.ledger.append_many(caller, batch)


async def _sample(record: Record, caller: Caller) -> Sequence[Draft]:
    """Artifact 0 in the first flow, through the services; the drafts of its entries."""
    size = (await record.ledger.head(caller.org_id)).size
    where: dict[str, Any] = {"flow": "ci-0", "trail": _trail("ci-0", 0)}
    commit = Commit(sha=_commit(0), message="Deliver it.", author="Ada <ada@example.com>", branch="main")
    await trails.begin(record, caller, trails.BeginTrail("ci-0", where["trail"], commit=commit))
    await attest.generic(record, caller, attest.About(**where, name="pull-request"), compliant=True)
    name = member(0).name
    assert name is not None
    await artifacts.report(
        record, caller, artifacts.ReportArtifact(**where, template_name="app", fingerprint=fingerprint(0), name=name)
    )
    for check in CHECKS:
        about = attest.About(**where, name=check, fingerprint=fingerprint(0), description="Ran in the pipeline.")
        await attest.generic(record, caller, about, compliant=True)
    async with record.database.connection(caller.org_id) as connection:
        moment = Moment.latest(caller.org_id, record.clock.now())
        recorded = await ledger.entries_after(connection, moment, EntryIndex(size - 1), count_max=100, kinds=None)
    return [Draft(entry.kind, entry.decoded().body) for entry in recorded]


def _trail(flow: str, number: int) -> str:
    return f"{flow}-{number:06d}"


def _commit(number: int) -> str:
    return sha256(f"commit-{number}".encode()).hexdigest()[:40]


def _copy(sample: Sequence[Draft], flow: str, flow_id: str, number: int) -> Iterator[Draft]:
    """The sample's entries as those of another artifact, or of the same in another flow.

    Of every ten artifacts one has failed its tests in the first flow, and one lacks its scan in the second.
    """
    trail, trail_id = _trail(flow, number), str(uuid7())
    about: dict[str, Any] = {"flow": flow, "flow_id": flow_id, "trail_id": trail_id}
    for draft in sample:
        body = {**draft.body, **about}
        if draft.kind == "trail.begun":
            body |= {"name": trail, "commit": _commit(number)}
        elif draft.kind == "artifact.reported":
            name = f"registry.example.com/shop/app-{number}:1.8.34"
            body |= {"trail": trail, "commit": _commit(number), "fingerprint": fingerprint(number), "name": name}
        else:
            subject = {"commit": _commit(number)}
            if "fingerprint" in body["subject"]:
                subject["fingerprint"] = fingerprint(number)
            body |= {"trail": trail, "subject": subject}
            if body["name"] == "scan" and flow == "ci-1" and number % 10 == 3:
                continue
            if body["name"] in CHECKS:
                kind, explanation, summary = CHECKS[body["name"]]
                right = not (body["name"] == "unit-tests" and flow == "ci-0" and number % 10 == 7)
                result = {"compliant": right, "explanation": explanation, "summary": summary}
                body |= {"type": kind, "result": result}
        yield replace(draft, id=uuid7(), body=body)
