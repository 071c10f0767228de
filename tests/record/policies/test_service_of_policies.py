"""Policies over a real record: versions, attachments, and what they judge by, read as they were at every size."""

import pytest

from record.access.rules import Role
from record.artifacts import service as artifacts
from record.artifacts.service import ReportArtifact
from record.attestations.service import attest
from record.attestations.service.attest import About
from record.environments import queries as places
from record.environments import reporting
from record.environments import service as environments
from record.environments.members import Reported
from record.environments.service import CreateEnvironment
from record.flows import service as flows
from record.flows.service import CreateFlow
from record.ids import EnvironmentId, Fingerprint
from record.moment import Moment
from record.policies import queries, service
from record.policies.queries import Policy
from record.policies.service import ChangePolicy, CreatePolicy
from record.refusals import InvalidInput, NameTaken, NotAllowed, NotFound
from record.verdicts import Status
from tests.record.organizations import Organization
from tests.record.policies.material import policy
from tests.record.statements import watched

KNOWN = "version: 1\nartifacts: {provenance: {required: true}}\n"
TESTED = "version: 1\nartifacts: {attestations: [{name: tests, type: generic}]}\n"
FINGERPRINTS = [f"{number:064x}" for number in range(1, 41)]


async def policy_at(acme: Organization, size: int | None = None) -> Policy | None:
    async with acme.record.database.connection(acme.org_id) as connection:
        return await queries.by_name(connection, await acme.moment(size), "production")


async def attached(acme: Organization, environment: str = "prod", size: int | None = None) -> list[str]:
    async with acme.record.database.connection(acme.org_id) as connection:
        moment = await acme.moment(size)
        place = await places.by_name(connection, moment, environment)
        assert place is not None
        (found,) = await queries.attached_to(connection, moment, [EnvironmentId(place.environment_id)])
    return [f"{each.name} v{each.version}" for each in found]


async def begin(acme: Organization) -> None:
    caller = await acme.caller()
    await service.create(acme.record, caller, CreatePolicy("production", KNOWN, "What runs is known."))
    await environments.create(acme.record, caller, CreateEnvironment("prod", "k8s"))


async def deliver(acme: Organization, fingerprints: list[str]) -> None:
    """Two flows with a trail each; every artifact is known in both, and attested in the first."""
    caller = await acme.caller()
    for flow in ("build", "scan"):
        await flows.create(acme.record, caller, CreateFlow(flow, tags={"tier": flow}))
        await acme.trail(caller, "t1", flow=flow)
        for fingerprint in fingerprints:
            wish = ReportArtifact(flow, "t1", "app", fingerprint, f"image-{fingerprint[-4:]}", "docker")
            await artifacts.report(acme.record, caller, wish)
    for fingerprint in fingerprints:
        about = About("build", "t1", "tests", fingerprint=fingerprint)
        await attest.generic(acme.record, caller, about, compliant=True)


async def run(acme: Organization, fingerprints: list[str]) -> None:
    """From now on, these and no others run in prod."""
    members = [Reported(Fingerprint(fingerprint), f"image-{fingerprint[-4:]}") for fingerprint in fingerprints]
    await reporting.report(acme.record, await acme.caller(), reporting.ReportSnapshot("prod", members))


async def test_a_policy_keeps_every_version(acme: Organization) -> None:
    caller = await acme.caller()
    await service.create(acme.record, caller, CreatePolicy("production", KNOWN, "What runs is known."))
    before = await acme.size()

    receipt = await service.change(acme.record, caller, ChangePolicy("production", TESTED, comment="Tests too."))

    now, then = await policy_at(acme), await policy_at(acme, before)
    assert now is not None
    assert then is not None
    assert (now.version, now.source, now.description, now.comment) == (2, TESTED, "What runs is known.", "Tests too.")
    assert (now.entry_index, now.recorded_by, now.created_at) == (receipt.index, "ada", then.changed_at)
    assert (then.version, then.source, then.understood.rule_keys) == (1, KNOWN, ("provenance",))
    async with acme.record.database.connection(acme.org_id) as connection:
        versions = await queries.versions(connection, await acme.moment(), now.policy_id, limit=9)
    assert versions == [now, then]


async def test_a_name_is_taken_once(acme: Organization) -> None:
    await begin(acme)

    with pytest.raises(NameTaken, match="Change it with changePolicy"):
        await service.create(acme.record, await acme.caller(), CreatePolicy("production", TESTED))


async def test_a_document_that_is_wrong_is_refused_with_its_place_and_nothing_is_recorded(acme: Organization) -> None:
    before = await acme.size()

    with pytest.raises(InvalidInput, match="line 2, column 13") as refused:
        await service.create(
            acme.record, await acme.caller(), CreatePolicy("production", "version: 1\nartifacts: {provenence: {}}")
        )

    assert refused.value.line == 2
    assert await acme.size() == before


async def test_a_change_that_changes_nothing_is_refused(acme: Organization) -> None:
    await begin(acme)

    with pytest.raises(InvalidInput, match="says already"):
        await service.change(acme.record, await acme.caller(), ChangePolicy("production", KNOWN))


async def test_what_is_not_there_is_not_found(acme: Organization) -> None:
    await begin(acme)
    caller = await acme.caller()

    with pytest.raises(NotFound, match="no policy called nothing"):
        await service.change(acme.record, caller, ChangePolicy("nothing", KNOWN))
    with pytest.raises(NotFound, match="no policy called nothing"):
        await service.attach(acme.record, caller, policy="nothing", environment="prod")
    with pytest.raises(NotFound, match="no environment called nowhere"):
        await service.attach(acme.record, caller, policy="production", environment="nowhere")


async def test_an_attached_policy_counts_in_its_newest_version_until_it_is_detached(acme: Organization) -> None:
    await begin(acme)
    caller = await acme.caller()
    await service.attach(acme.record, caller, policy="production", environment="prod")
    first = await acme.size()
    await service.change(acme.record, caller, ChangePolicy("production", TESTED))
    second = await acme.size()
    await service.detach(acme.record, caller, policy="production", environment="prod")

    assert await attached(acme) == []
    assert await attached(acme, size=second) == ["production v2"]
    assert await attached(acme, size=first) == ["production v1"]
    await service.attach(acme.record, caller, policy="production", environment="prod")
    assert await attached(acme) == ["production v2"]


async def test_attaching_twice_is_refused_and_so_is_detaching_what_is_not_attached(acme: Organization) -> None:
    await begin(acme)
    caller = await acme.caller()

    with pytest.raises(InvalidInput, match="not attached to prod already"):
        await service.detach(acme.record, caller, policy="production", environment="prod")
    await service.attach(acme.record, caller, policy="production", environment="prod")
    with pytest.raises(InvalidInput, match="attached to prod already"):
        await service.attach(acme.record, caller, policy="production", environment="prod")


async def test_only_writers_change_policies(acme: Organization) -> None:
    await begin(acme)
    reader = await acme.hired("rae", Role.READER)

    with pytest.raises(NotAllowed):
        await service.create(acme.record, reader, CreatePolicy("other", KNOWN))
    with pytest.raises(NotAllowed):
        await service.attach(acme.record, reader, policy="production", environment="prod")


async def test_policies_are_paged_by_name_and_say_where_they_are_attached(acme: Organization) -> None:
    await begin(acme)
    caller = await acme.caller()
    for name in ("alpha", "zeta"):
        await service.create(acme.record, caller, CreatePolicy(name, KNOWN))
    await service.attach(acme.record, caller, policy="zeta", environment="prod")

    async with acme.record.database.connection(acme.org_id) as connection:
        moment = await acme.moment()
        found = await queries.page(connection, moment, limit=9)
        later = await queries.page(connection, moment, limit=1, before="zeta")
        places = await queries.environments_of(connection, moment, [each.policy_id for each in found])
    assert [each.name for each in found] == ["alpha", "production", "zeta"]
    assert [each.name for each in later] == ["production"]
    assert places == [[], [], ["prod"]]


async def test_facts_about_an_artifact_are_what_its_trails_say(acme: Organization) -> None:
    await deliver(acme, FINGERPRINTS[:1])

    async with acme.record.database.connection(acme.org_id) as connection:
        known, unknown = await queries.facts_about(
            connection, await acme.moment(), [FINGERPRINTS[0], "f" * 64], counted={"*"}, dated={"*"}
        )

    assert [(each.flow, each.flow_tags, each.trail.name) for each in known.memberships] == [
        ("build", {"tier": "build"}, "t1"),
        ("scan", {"tier": "scan"}, "t1"),
    ]
    (tests,) = known.memberships[0].trail.attestations
    assert list(known.attested_at) == [tests.entry_index]
    assert known.name == "image-0001"
    assert (unknown.name, unknown.memberships) == ("", ())


async def test_facts_take_as_many_statements_for_forty_artifacts_as_for_one(acme: Organization) -> None:
    await deliver(acme, FINGERPRINTS)
    moment = await acme.moment()

    async with watched(acme.record) as (record, database):
        async with record.database.connection(acme.org_id) as connection:
            await queries.facts_about(connection, moment, FINGERPRINTS[:1])  # the driver learns the types
        database.sent.clear()
        async with record.database.connection(acme.org_id) as connection:
            await queries.facts_about(connection, moment, FINGERPRINTS[:1])
        one = len(database.sent)
        async with record.database.connection(acme.org_id) as connection:
            found = await queries.facts_about(connection, moment, FINGERPRINTS, counted={"trivy"})

        assert len(database.sent) - one == one == 2
    assert all(len(each.memberships) == 2 for each in found)


async def test_facts_are_the_same_in_whatever_portions_trails_are_read(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    await deliver(acme, FINGERPRINTS)
    moment = await acme.moment()

    async with acme.record.database.connection(acme.org_id) as connection:
        at_once = await queries.facts_about(connection, moment, FINGERPRINTS, dated={"*"})
        monkeypatch.setattr(queries, "_PORTION_LEAST", 1)
        one_by_one = await queries.facts_about(connection, moment, FINGERPRINTS, dated={"*"})

    assert one_by_one == at_once
    assert {(member.flow, len(member.trail.attestations)) for each in at_once for member in each.memberships} == {
        ("build", len(FINGERPRINTS)),
        ("scan", 0),
    }


async def test_counts_and_instants_are_read_for_the_types_that_are_asked_about(acme: Organization) -> None:
    await deliver(acme, FINGERPRINTS[:1])
    caller = await acme.caller()
    report = await acme.file(caller, b'{"SchemaVersion": 2, "Results": []}', "trivy.json")
    about = About("build", "t1", "scan", fingerprint=FINGERPRINTS[0])
    receipt = await attest.scan(acme.record, caller, about, tool="trivy", report=report)
    asked = policy('attestations: [{type: trivy, where: "critical == 0"}]', flows="[build]")

    async with acme.record.database.connection(acme.org_id) as connection:
        moment = await acme.moment()
        (counted,) = await queries.facts_about(connection, moment, FINGERPRINTS[:1], counted=asked.counted_types)
        (other,) = await queries.facts_about(connection, moment, FINGERPRINTS[:1], counted={"snyk"}, dated={"trivy"})

    assert counted.counts == {
        receipt.index: {"critical": 0, "high": 0, "low": 0, "medium": 0, "none": 0, "suppressed": 0}
    }
    assert (other.counts, list(other.attested_at)) == ({}, [receipt.index])
    assert counted.attested_at == {}


async def test_a_policy_can_be_tried_on_what_ran_then_and_nothing_is_recorded(acme: Organization) -> None:
    await begin(acme)
    await run(acme, FINGERPRINTS[:2])
    before = await acme.moment()
    await deliver(acme, FINGERPRINTS[:2])
    now = await acme.moment()

    async def tried(moment: Moment, document: str) -> Status:
        judged = await service.try_policy(
            acme.record, await acme.caller(), moment, document=document, environment="prod"
        )
        assert judged.verdict.reasons[0].because[0].rule.startswith("policy candidate")
        return judged.verdict.status

    assert await tried(before, KNOWN) is Status.INCOMPLETE
    assert await tried(now, KNOWN) is Status.COMPLIANT
    assert await tried(now, TESTED) is Status.INCOMPLETE
    assert await tried(now, TESTED.replace("artifacts:", "flows: [build]\nartifacts:")) is Status.COMPLIANT
    assert await acme.size() == now.size


async def test_what_runs_in_two_parts_of_an_environment_is_judged_once(acme: Organization) -> None:
    await begin(acme)
    caller = await acme.caller()
    await environments.create(acme.record, caller, CreateEnvironment("staging", "k8s"))
    await environments.create(acme.record, caller, CreateEnvironment("all", "logical", included=("prod", "staging")))
    for name, members in {"prod": [(1, "web"), (2, "job")], "staging": [(1, "app"), (3, "web")]}.items():
        ran = [Reported(FINGERPRINTS[number], called, 1) for number, called in members]
        await reporting.report(acme.record, caller, reporting.ReportSnapshot(name, ran))

    judged = await service.try_policy(acme.record, caller, await acme.moment(), document=KNOWN, environment="all")

    assert [(each.artifact.name, each.artifact.fingerprint) for each in judged.running] == [
        ("app", FINGERPRINTS[1]),
        ("job", FINGERPRINTS[2]),
        ("web", FINGERPRINTS[3]),
    ]
