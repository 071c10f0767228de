"""Reports on a period over a real record: who belongs to the population, and who had the evidence when."""

from datetime import timedelta
from uuid import UUID

import pytest

from record.access.rules import Grant, Role
from record.approvals import service as approvals
from record.approvals.rules import Act
from record.approvals.service import RequestApproval
from record.controls import population, reports
from record.controls.mappings import ApprovalRequired, AttestationRequired, PolicyRequired
from record.controls.reports import Compliance
from record.controls.rules import Basis, Change, ChangeKind, Tally, Window
from record.ids import ApprovalId, WaiverId
from record.policies import service as policies
from record.policies.service import CreatePolicy
from record.refusals import InvalidInput, NotFound, TooLarge
from record.waivers import service as waivers
from record.waivers.service import RequestWaiver
from tests.record.controls.rooms import HOUR, MINUTE, Shop
from tests.record.environments.places import digest
from tests.record.statements import watched

THEN, NOW = Basis.WHEN_DEPLOYED, Basis.NOW


def counted(report: Compliance, control: str = "CC8.1") -> Tally:
    return report.tally(report.controls[control])


def names(changes: list[Change]) -> list[str]:
    return [change.name for change in changes]


def exceptions(report: Compliance, basis: Basis = THEN, control: str = "CC8.1", **page: int) -> list[Change]:
    return report.members(report.controls[control], limit=page.get("limit", 100), without=basis)


async def test_every_deployment_of_the_period_belongs_to_the_population(shop: Shop) -> None:
    await shop.framework()
    await shop.map()
    for number in (1, 2):
        await shop.build(number)
        await shop.deploy(number)
    shop.wait()
    end = shop.clock.now()
    await shop.deploy(1, "staging")

    report, within = await shop.asked(), await shop.asked(until=end)

    assert [(change.environment, change.name) for change in report.changes] == [
        ("prod", "app-1"), ("prod", "app-2"), ("staging", "app-1"),
    ]  # fmt: skip
    assert counted(report) == Tally(3, 3, 3)
    assert counted(within) == Tally(2, 2, 2)


async def test_evidence_that_came_after_the_deployment_counts_now_and_did_not_then(shop: Shop) -> None:
    await shop.framework()
    await shop.map()
    await shop.build(1, tested=None)
    shop.wait()
    await shop.deploy(1)
    shop.wait()
    await shop.attest(1)

    report = await shop.asked()

    assert counted(report) == Tally(1, 0, 1)
    assert (names(exceptions(report)), exceptions(report, NOW)) == (["app-1"], [])


async def test_evidence_between_a_deployment_and_its_report_was_not_there_when_it_was_deployed(shop: Shop) -> None:
    await shop.framework()
    await shop.map()
    await shop.build(1, tested=None)
    deployed = shop.wait()
    shop.wait()
    await shop.attest(1)
    await shop.deploy(1, deployed_at=deployed)

    assert counted(await shop.asked()) == Tally(1, 0, 1)


async def test_a_test_that_failed_later_is_an_exception_now_and_was_none_then(shop: Shop) -> None:
    await shop.framework()
    await shop.map()
    await shop.build(1)
    await shop.deploy(1)
    shop.wait()
    await shop.attest(1, compliant=False)

    report = await shop.asked()

    assert counted(report) == Tally(1, 1, 0)
    assert names(exceptions(report, NOW)) == ["app-1"]


async def test_a_run_that_nobody_reported_belongs_to_the_population_and_is_an_exception(shop: Shop) -> None:
    await shop.framework()
    await shop.map()
    await shop.build(1)
    await shop.build(2)
    await shop.deploy(1)
    await shop.prod.runs(1, 2)
    shop.wait(HOUR)

    report = await shop.asked()

    assert (report.count(ChangeKind.DEPLOYMENT), report.count(ChangeKind.SHADOW_CHANGE)) == (1, 1)
    assert counted(report) == Tally(2, 1, 1)
    assert [(each.kind, each.name) for each in exceptions(report)] == [(ChangeKind.SHADOW_CHANGE, "app-2")]


async def test_within_the_grace_period_nothing_is_a_shadow_change_and_the_answer_says_when_it_will_be(
    shop: Shop,
) -> None:
    await shop.framework()
    await shop.map()
    await shop.grace(600)
    await shop.prod.runs(1)

    early = await shop.asked()
    shop.wait(timedelta(seconds=600))
    late = await shop.asked()

    assert (len(early.changes), early.holds_until) == (0, shop.began + timedelta(seconds=600))
    assert [change.kind for change in late.changes] == [ChangeKind.SHADOW_CHANGE]


async def test_a_deployment_that_is_reported_late_but_dated_right_is_no_shadow_change(shop: Shop) -> None:
    await shop.framework()
    await shop.map()
    await shop.build(1)
    await shop.prod.runs(1)
    deployed = shop.clock.now()
    shop.wait(HOUR)
    before = await shop.asked()
    await shop.deploy(1, deployed_at=deployed)

    after = await shop.asked()

    assert [change.kind for change in before.changes] == [ChangeKind.SHADOW_CHANGE]
    assert [change.kind for change in after.changes] == [ChangeKind.DEPLOYMENT]


async def test_a_control_of_one_environment_is_asked_of_its_changes_alone(shop: Shop) -> None:
    await shop.framework()
    await shop.map(environments=["prod"])
    await shop.build(1)
    await shop.deploy(1)
    await shop.deploy(1, "staging")

    report = await shop.asked()

    assert (len(report.changes), counted(report)) == (2, Tally(1, 1, 1))


async def test_a_control_without_a_mapping_is_not_tested(shop: Shop) -> None:
    await shop.framework()
    await shop.map("CC8.1")
    await shop.deploy(1)

    assert set((await shop.asked()).controls) == {"CC8.1"}


async def test_a_policy_decides_where_one_is_mapped(shop: Shop) -> None:
    document = (
        "version: 1\nartifacts: {provenance: {required: true}, attestations: [{name: unit-tests, type: generic}]}"
    )
    await policies.create(shop.record, shop.caller, CreatePolicy("tested", document))
    await shop.framework()
    await shop.map("CC8.1", PolicyRequired("tested"))
    await shop.build(1)
    await shop.build(2, tested=False)
    for number in (1, 2, 3):
        await shop.deploy(number)

    report = await shop.asked()

    assert counted(report) == Tally(3, 1, 1)
    assert names(exceptions(report)) == ["app-2", digest(3)]


async def test_an_approval_counts_as_it_stood_when_it_was_deployed(shop: Shop) -> None:
    eve = await shop.organization.hired("eve", Grant(Role.APPROVER))
    shop.caller = await shop.organization.caller()
    await shop.framework()
    await shop.map("CC8.1", ApprovalRequired())
    await shop.build(1)
    asked = await approvals.request(shop.record, shop.caller, RequestApproval("prod", digest(1)))
    approval_id = ApprovalId(UUID(asked.body["approval_id"]))
    await shop.deploy(1)
    shop.wait()
    await approvals.review(shop.record, eve, approval_id, Act.APPROVE)
    shop.wait()
    await shop.deploy(1)
    shop.wait()
    await approvals.review(shop.record, eve, approval_id, Act.REJECT, comment="Not after all.")

    report = await shop.asked()
    control = report.controls["CC8.1"]

    assert [report.explain(control, change).when_deployed.met for change in report.changes] == [False, True]
    assert counted(report) == Tally(2, 1, 0)


async def test_a_waiver_that_has_ended_since_still_counts_for_what_was_deployed_under_it(shop: Shop) -> None:
    eve = await shop.organization.hired("eve", Grant(Role.APPROVER))
    shop.caller = await shop.organization.caller()
    document = "version: 1\nartifacts: {attestations: [{name: unit-tests, type: generic}]}"
    await policies.create(shop.record, shop.caller, CreatePolicy("tested", document))
    await shop.framework()
    await shop.map("CC8.1", PolicyRequired("tested"))
    await shop.build(1, tested=None)
    wish = RequestWaiver("prod", "The fix is coming.", shop.clock.now() + HOUR, fingerprint=digest(1))
    asked = await waivers.request(shop.record, shop.caller, wish)
    await waivers.accept(shop.record, eve, WaiverId(UUID(asked.body["waiver_id"])))
    shop.wait()
    await shop.deploy(1)
    during = await shop.asked()
    shop.wait(2 * HOUR)
    await shop.deploy(1)

    report = await shop.asked()

    assert counted(during) == Tally(1, 1, 1)
    assert counted(report) == Tally(2, 1, 0)


async def test_an_explained_exception_names_reasons_and_entries(shop: Shop) -> None:
    await shop.framework()
    await shop.map()
    await shop.build(1, tested=False)
    await shop.deploy(1)

    report = await shop.asked()
    tested = report.explain(report.controls["CC8.1"], report.changes[0])

    assert not tested.when_deployed.met
    assert tested.now.reasons[0].rule == "unit-tests (generic)"
    assert tested.now.reasons[0].entry_index is not None


async def test_an_earlier_size_gives_the_report_of_then(shop: Shop) -> None:
    await shop.framework()
    await shop.map()
    await shop.build(1, tested=None)
    await shop.deploy(1)
    size = await shop.organization.size()
    await shop.attest(1)
    await shop.map("CC8.1", AttestationRequired("review"))

    then, now = await shop.asked(size=size), await shop.asked()

    assert counted(then) == Tally(1, 0, 0)
    assert then.controls["CC8.1"].mapping != now.controls["CC8.1"].mapping


async def test_exceptions_are_paged_by_place(shop: Shop) -> None:
    await shop.framework()
    await shop.map()
    for number in range(1, 6):
        shop.wait()
        await shop.deploy(number)

    report = await shop.asked()
    control = report.controls["CC8.1"]
    first = report.members(control, limit=2, without=THEN)
    second = report.members(control, limit=2, without=THEN, after=first[-1].place)
    last = report.members(control, limit=2, without=THEN, backward=True)
    before = report.members(control, limit=2, without=THEN, before=last[0].place, backward=True)

    assert names([*first, *second]) == [digest(number) for number in (1, 2, 3, 4)]
    assert names(last) == [digest(4), digest(5)]
    assert names(before) == [digest(2), digest(3)]


async def test_pages_of_the_population_are_the_population(shop: Shop) -> None:
    await shop.build(1)
    for number in (1, 2, 3):
        await shop.deploy(number)
    await shop.staging.runs(4, 5, 6, 7)
    shop.wait(HOUR)
    moment, window = await shop.organization.moment(), Window(shop.began, shop.clock.now())

    paged = [
        change
        async for page in population.pages(shop.record.database, moment, window, limit=2)
        for change in page
    ]  # fmt: skip
    async with shop.record.database.connection(shop.caller.org_id) as connection:
        whole = await population.page(connection, moment, window, limit=100)
        there = await population.page(connection, moment, window, limit=100, environments=["staging"])

    assert len(paged) == 7
    assert paged == whole.changes
    assert there.changes == [change for change in paged if change.environment == "staging"]
    assert [change.place for change in paged] == sorted(change.place for change in paged)


async def test_the_number_of_statements_depends_neither_on_changes_nor_on_controls(shop: Shop) -> None:
    await shop.framework("CC8.1", "CC6.1", "CC7.1")
    await shop.map()
    await shop.build(1)
    await shop.deploy(1)
    window = Window(shop.began, shop.clock.now() + HOUR)

    async def statements() -> int:
        moment = await shop.organization.moment()
        async with watched(shop.record) as (record, database):
            async with record.database.connection(shop.caller.org_id) as connection:
                await reports.compliance(connection, moment, "soc2", window)
            return len(database.reads())

    few = await statements()
    await shop.map("CC6.1", AttestationRequired("review"))
    await shop.map("CC7.1", AttestationRequired(None, "junit"))
    for number in range(2, 12):
        await shop.build(number)
        await shop.deploy(number)

    assert await statements() == few
    assert few <= 20


async def test_a_period_with_too_many_changes_is_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "CHANGES_MAX", 1)
    await shop.framework()
    await shop.map()
    for number in (1, 2):
        await shop.deploy(number)

    with pytest.raises(TooLarge, match="shorter one, or request an archive"):
        await shop.asked()


async def test_a_framework_that_is_not_there_is_refused(shop: Shop) -> None:
    with pytest.raises(NotFound, match="no framework called iso"):
        await shop.asked("iso")


async def test_a_period_that_ends_before_it_begins_is_refused(shop: Shop) -> None:
    with pytest.raises(InvalidInput, match="before it begins"):
        Window.checked(shop.began, shop.began - MINUTE)
