"""The gate over a real record: what may pass, and what has an answer of its own because nothing can be judged."""

from datetime import timedelta

import pytest

from record.access.rules import Grant, Role
from record.artifacts import service as artifacts
from record.artifacts.service import ReportArtifact
from record.attestations.service import attest
from record.attestations.service.attest import About
from record.environments import reporting
from record.environments import service as environments
from record.environments.members import Reported
from record.environments.service import CreateEnvironment
from record.flows import service as flows
from record.flows.service import CreateFlow
from record.ids import Fingerprint
from record.moment import Moment
from record.policies import service
from record.policies.gate import Asserted, By, NotAsserted, Obstacle, assert_artifact
from record.policies.service import CreatePolicy
from record.refusals import InvalidInput
from record.verdicts import Status
from record.waivers import service as waivers
from record.waivers.service import RequestWaiver
from tests.record.organizations import Organization
from tests.record.statements import watched

BUILT = Fingerprint(f"{1:064x}")
STRANGER = Fingerprint(f"{2:064x}")
KNOWN = "version: 1\nartifacts: {provenance: {required: true}}\n"
TESTED = "version: 1\nartifacts: {attestations: [{name: tests, type: generic, max-age: 30d}]}\n"
DOGS = """version: 1
artifacts: {provenance: {required: true, exceptions: [{if: 'matches(artifact.name, "^datadog:")'}]}}
"""
WANTS_TESTS = "version: 1\ntrail: {artifacts: [{name: app, attestations: [{name: tests, type: generic}]}]}\n"
PROD = By(environment="prod")


@pytest.fixture
async def acme(acme: Organization) -> Organization:
    """With an environment, a policy that nothing is attached to yet, and a built artifact."""
    caller = await acme.caller()
    await environments.create(acme.record, caller, CreateEnvironment("prod", "k8s"))
    await service.create(acme.record, caller, CreatePolicy("tested", TESTED))
    await flows.create(acme.record, caller, CreateFlow("build", template=WANTS_TESTS))
    await acme.trail(caller, "t1", flow="build")
    await build(acme)
    return acme


async def build(acme: Organization, flow: str = "build", fingerprint: str = BUILT) -> None:
    wish = ReportArtifact(flow, "t1", "app", fingerprint, "acme/app:7", "docker")
    await artifacts.report(acme.record, await acme.caller(), wish)


async def run_tests(acme: Organization, *, compliant: bool = True, flow: str = "build") -> None:
    about = About(flow, "t1", "tests", fingerprint=BUILT)
    await attest.generic(acme.record, await acme.caller(), about, compliant=compliant)


async def attach(acme: Organization, name: str = "tested", document: str | None = None) -> None:
    caller = await acme.caller()
    if document is not None:
        await service.create(acme.record, caller, CreatePolicy(name, document))
    await service.attach(acme.record, caller, policy=name, environment="prod")


async def asked(
    acme: Organization, by: By, fingerprint: Fingerprint = BUILT, *, who: str = "ada", moment: Moment | None = None
) -> Asserted | NotAsserted:
    caller = await acme.caller(who)
    return await assert_artifact(acme.record, caller, moment or await acme.moment(), fingerprint, by)


async def status(acme: Organization, by: By, fingerprint: Fingerprint = BUILT) -> Status:
    answer = await asked(acme, by, fingerprint)
    assert isinstance(answer, Asserted), answer
    return answer.verdict.status


async def obstacle(acme: Organization, by: By, fingerprint: Fingerprint = BUILT, *, who: str = "ada") -> Obstacle:
    answer = await asked(acme, by, fingerprint, who=who)
    assert isinstance(answer, NotAsserted), answer
    assert answer.explanation.endswith(".")
    assert answer.remedy.endswith(".")
    return answer.obstacle


async def test_an_artifact_that_runs_nowhere_is_asserted_against_an_environment(acme: Organization) -> None:
    await attach(acme)
    assert await status(acme, PROD) is Status.INCOMPLETE

    await run_tests(acme)
    answer = await asked(acme, PROD)

    assert isinstance(answer, Asserted)
    assert (answer.verdict.status, answer.name, answer.judged_by) == (
        *(Status.COMPLIANT, "acme/app:7"),
        ("policy tested v1",),
    )
    assert answer.verdict.holds_until is not None
    assert "tests" in answer.verdict.reasons[0].rule


async def test_the_gate_answers_as_it_would_have_at_any_moment(acme: Organization) -> None:
    await attach(acme)
    before = await acme.moment()
    await run_tests(acme)

    then, now = await asked(acme, PROD, moment=before), await asked(acme, PROD)

    assert isinstance(then, Asserted)
    assert isinstance(now, Asserted)
    assert (then.verdict.status, now.verdict.status) == (Status.INCOMPLETE, Status.COMPLIANT)


async def test_asserting_records_nothing(acme: Organization) -> None:
    await attach(acme)
    before = await acme.size()

    await status(acme, PROD)

    assert await acme.size() == before


async def test_what_cannot_be_judged_has_an_answer_of_its_own(acme: Organization) -> None:
    assert await obstacle(acme, PROD) is Obstacle.NO_POLICY
    assert await obstacle(acme, By(environment="nowhere")) is Obstacle.UNKNOWN_ENVIRONMENT
    assert await obstacle(acme, By(policies=["tested", "unheard-of"])) is Obstacle.UNKNOWN_POLICY
    assert await obstacle(acme, By(policies=[])) is Obstacle.NO_POLICY
    await attach(acme)
    assert await obstacle(acme, PROD, STRANGER) is Obstacle.UNKNOWN_ARTIFACT
    assert await obstacle(acme, By(policies=["tested"]), STRANGER) is Obstacle.UNKNOWN_ARTIFACT
    assert await obstacle(acme, By(templates=True), STRANGER) is Obstacle.UNKNOWN_ARTIFACT


async def test_a_policy_that_was_detached_is_no_policy(acme: Organization) -> None:
    await attach(acme)
    await service.detach(acme.record, await acme.caller(), policy="tested", environment="prod")

    assert await obstacle(acme, PROD) is Obstacle.NO_POLICY


async def test_all_policies_must_be_satisfied(acme: Organization) -> None:
    await attach(acme)
    await attach(acme, "known", KNOWN)

    assert await status(acme, By(policies=["known"])) is Status.COMPLIANT
    assert await status(acme, By(policies=["tested", "known", "known"])) is Status.INCOMPLETE
    assert await status(acme, PROD) is Status.INCOMPLETE


async def test_templates_are_asked_in_every_flow_that_knows_the_artifact(acme: Organization) -> None:
    caller = await acme.caller()
    await run_tests(acme)
    assert await status(acme, By(templates=True)) is Status.COMPLIANT

    await flows.create(acme.record, caller, CreateFlow("other", template=WANTS_TESTS))
    await acme.trail(caller, "t1", flow="other")
    await build(acme, "other")
    answer = await asked(acme, By(templates=True))

    assert isinstance(answer, Asserted)
    assert answer.verdict.status is Status.INCOMPLETE
    assert answer.judged_by == ("trail build/t1, template v1", "trail other/t1, template v1")


async def test_an_artifact_of_which_no_template_asks_anything_is_not_compliant(acme: Organization) -> None:
    caller = await acme.caller()
    await flows.create(acme.record, caller, CreateFlow("loose"))
    await acme.trail(caller, "t1", flow="loose")
    await build(acme, "loose", STRANGER)

    assert await obstacle(acme, By(templates=True), STRANGER) is Obstacle.NO_TEMPLATE


async def test_what_no_flow_knows_is_judged_by_the_name_under_which_it_ran(acme: Organization) -> None:
    await attach(acme, "dogs", DOGS)
    await reporting.report(
        acme.record, await acme.caller(), reporting.ReportSnapshot("prod", [Reported(STRANGER, "datadog:7")])
    )

    assert await status(acme, PROD, STRANGER) is Status.COMPLIANT
    assert await obstacle(acme, PROD, Fingerprint("f" * 64)) is Obstacle.UNKNOWN_ARTIFACT


async def test_a_policy_that_says_nothing_of_the_artifact_never_lets_it_pass(acme: Organization) -> None:
    await attach(acme, "elsewhere", "version: 1\nflows: [elsewhere]\nartifacts: {trail-compliance: {required: true}}\n")

    assert await status(acme, PROD) is Status.UNKNOWN


@pytest.mark.parametrize("by", [By(), By(environment="prod", templates=True), By(environment="prod", policies=["x"])])
async def test_it_is_asserted_against_exactly_one_thing(acme: Organization, by: By) -> None:
    with pytest.raises(InvalidInput, match="exactly one of"):
        await asked(acme, by)


async def test_the_gate_answers_alike_whoever_asks_and_shows_what_they_may_read(acme: Organization) -> None:
    caller = await acme.caller()
    await attach(acme)
    await run_tests(acme)
    await flows.create(acme.record, caller, CreateFlow("secret", template=WANTS_TESTS))
    await acme.trail(caller, "t1", flow="secret")
    await build(acme, "secret")
    await run_tests(acme, compliant=False, flow="secret")
    await acme.hired(
        "wes", Grant(Role.WRITER, flows=frozenset({"build"})), Grant(Role.READER, flows=frozenset({"build"}))
    )
    await acme.hired("zoe", Grant(Role.READER, flows=frozenset({"unrelated"})))

    for by in (By(policies=["tested"]), By(templates=True)):
        for_all, narrowed = await asked(acme, by), await asked(acme, by, who="wes")
        assert isinstance(for_all, Asserted)
        assert isinstance(narrowed, Asserted)
        assert narrowed.verdict.status is for_all.verdict.status is Status.NON_COMPLIANT
        assert "secret" in str(for_all.verdict.reasons)
        assert "secret" not in str(narrowed.verdict.reasons)
        assert await obstacle(acme, by, who="zoe") is Obstacle.UNKNOWN_ARTIFACT
    assert await obstacle(acme, PROD, who="zoe") is Obstacle.UNKNOWN_ENVIRONMENT


async def test_a_gate_takes_few_statements_however_many_trails_know_the_artifact(acme: Organization) -> None:
    await attach(acme)
    await attach(acme, "known", KNOWN)
    caller = await acme.caller()
    moment = await acme.moment()

    async def spent(moment: Moment) -> int:
        async with watched(acme.record) as (record, database):
            await assert_artifact(record, caller, moment, BUILT, PROD)
            database.sent.clear()
            await assert_artifact(record, caller, moment, BUILT, PROD)
            return len(database.sent)

    one = await spent(moment)
    for number in range(6):
        await flows.create(acme.record, caller, CreateFlow(f"more-{number}", template=WANTS_TESTS))
        await acme.trail(caller, "t1", flow=f"more-{number}")
        await build(acme, f"more-{number}")

    assert await spent(await acme.moment()) == one == 3
    until = acme.record.clock.now() + timedelta(days=1)
    await waivers.request(acme.record, caller, RequestWaiver("prod", "Until it is mended.", until, fingerprint=BUILT))
    assert await spent(await acme.moment()) == 4  # somebody asked for a waiver there
