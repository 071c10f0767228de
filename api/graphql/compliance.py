"""What a framework says of a period, as GraphQL shows it: population, evidence, exceptions, each with its entries."""

from datetime import datetime
from typing import Annotated

import strawberry

from api.graphql.connections import Connection, connect, wanted
from api.graphql.context import Info
from api.graphql.controls import Control, Framework, control_page
from api.graphql.ledger import After, Before, First, Last
from api.graphql.nodes import global_id
from api.graphql.verdicts import Reason
from record.access.rules import Action
from record.clock import from_rfc3339, to_rfc3339
from record.controls import queries, reports, rules
from record.controls.rules import Basis, ChangeKind, Place, Window
from record.ids import EntryIndex, Fingerprint
from record.moment import Moment
from record.refusals import InvalidInput

strawberry.enum(
    Basis,
    name="EvidenceBasis",
    description="As of when evidence is asked for: WHEN_DEPLOYED, what was recorded by the instant of the deployment; NOW, "
    "everything, as the record stands.",
)
strawberry.enum(
    ChangeKind,
    name="ChangeKind",
    description="How a change is known: a reported DEPLOYMENT, or a SHADOW_CHANGE, which a snapshot saw and nobody reported.",
)


@strawberry.type(description="How a change fared before a control, and why.")
class ControlFinding:
    met: bool = strawberry.field(description="Whether all that the control asks for was there.")
    reasons: list[Reason] = strawberry.field(description="One for each requirement, with the steps below.")
    entries: list[EntryIndex] = strawberry.field(
        description="Every entry that this rests on: the change, the mapping, and what decided."
    )


@strawberry.type(description="A change of the period: a deployment, or a run that nobody reported.")
class Change:
    kind: ChangeKind = strawberry.field(description="How it is known.")
    environment_name: str = strawberry.field(description="Where.")
    fingerprint: Fingerprint = strawberry.field(description="The artifact's SHA-256.")
    name: str = strawberry.field(description="The artifact's name.")
    at: datetime = strawberry.field(description="When it was deployed, or first seen running.")
    by: str | None = strawberry.field(description="Who deployed it; null for a shadow change.")
    deployment_id: strawberry.ID | None = strawberry.field(description="The deployment; null for a shadow change.")
    snapshot_number: int | None = strawberry.field(description="The snapshot that saw it; null for a deployment.")
    flow_name: str | None = strawberry.field(description="The flow that built it, where the deployment knows one.")
    trail_name: str | None = strawberry.field(description="The trail that built it, where the deployment knows one.")
    commit: str | None = strawberry.field(description="The commit that it was built from, where that is known.")
    entry_index: EntryIndex = strawberry.field(description="The entry that recorded it.")

    @classmethod
    def of(cls, row: rules.Change) -> "Change":
        return cls(
            kind=row.kind,
            environment_name=row.environment,
            fingerprint=row.fingerprint,
            name=row.name,
            at=row.place.at,
            by=row.by,
            deployment_id=None if row.deployment_id is None else global_id("Deployment", row.deployment_id),
            snapshot_number=row.snapshot_number,
            flow_name=row.flow,
            trail_name=row.trail,
            commit=row.commit,
            entry_index=row.place.entry_index,
        )


@strawberry.type(description="A change before a control.")
class TestedChange:
    change: Change = strawberry.field(description="The change.")
    when_deployed: ControlFinding = strawberry.field(description="By what was recorded when it was deployed.")
    now: ControlFinding = strawberry.field(description="By everything, as the record stands.")


@strawberry.type(description="A control before the changes of the period.")
class ControlCompliance:
    control: Control = strawberry.field(description="The control.")
    population: int | None = strawberry.field(
        description="How many changes it is asked of; null when it is mapped to nothing, and therefore not tested."
    )
    met_when_deployed: int | None = strawberry.field(
        description="How many of them had the evidence when they were deployed; null when it is not tested."
    )
    met_now: int | None = strawberry.field(
        description="How many of them have it as the record stands; null when it is not tested."
    )
    row: strawberry.Private[queries.Control]
    report: strawberry.Private[reports.Compliance]

    @strawberry.field(
        description="How many of them are exceptions: population less those that were met. Null when not tested."
    )
    def exception_count(
        self, basis: Annotated[Basis, strawberry.argument(description="As of when.")] = Basis.WHEN_DEPLOYED
    ) -> int | None:
        met = self.met_when_deployed if basis is Basis.WHEN_DEPLOYED else self.met_now
        return None if self.population is None or met is None else self.population - met

    @strawberry.field(description="The changes that did not have the evidence, the earliest first.")
    def exceptions(
        self,
        info: Info,
        basis: Annotated[Basis, strawberry.argument(description="As of when.")] = Basis.WHEN_DEPLOYED,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[TestedChange]:
        return self._page(info, basis, first=first, after=after, last=last, before=before)

    @strawberry.field(description="All changes that it is asked of, the earliest first.")
    def changes(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[TestedChange]:
        return self._page(info, None, first=first, after=after, last=last, before=before)

    def _page(
        self,
        info: Info,
        without: Basis | None,
        *,
        first: int | None,
        after: str | None,
        last: int | None,
        before: str | None,
    ) -> Connection[TestedChange]:
        want = wanted(info, "changes", first=first, after=after, last=last, before=before)
        rows = (
            self.report.members(
                self.row,
                limit=want.fetch,
                after=_place_of(want.after, field="after"),
                before=_place_of(want.before, field="before"),
                backward=want.backward,
                without=without,
            )
            if self.row.mapping is not None
            else []
        )
        return connect(rows, want, key=lambda row: _key_of(row.place), node=self._tested)

    def _tested(self, change: rules.Change) -> TestedChange:
        tested = self.report.explain(self.row, change)
        return TestedChange(
            change=Change.of(change),
            when_deployed=self._finding(change, tested.when_deployed),
            now=self._finding(change, tested.now),
        )

    def _finding(self, change: rules.Change, found: rules.Finding) -> ControlFinding:
        assert self.row.mapping is not None
        return ControlFinding(
            met=found.met,
            reasons=[Reason.of(reason) for reason in found.reasons],
            entries=list(rules.entries_of(change, found, self.row.mapping.entry_index)),
        )

    @classmethod
    def of(cls, row: queries.Control, report: reports.Compliance, moment: Moment) -> "ControlCompliance":
        counted = None if row.mapping is None else report.tally(row)
        return cls(
            control=Control.of(row, moment),
            population=None if counted is None else counted.population,
            met_when_deployed=None if counted is None else counted.met_when_deployed,
            met_now=None if counted is None else counted.met_now,
            row=row,
            report=report,
        )


@strawberry.type(description="A framework before all changes of a period.")
class ComplianceReport:
    framework: Framework = strawberry.field(description="The framework, in the version in force at this moment.")
    since: datetime = strawberry.field(description="Where the period begins, inclusive.")
    until: datetime = strawberry.field(description="Where the period ends, exclusive.")
    population: int = strawberry.field(description="How many changes there were: deployments and shadow changes.")
    deployments: int = strawberry.field(description="How many of them are reported deployments.")
    shadow_changes: int = strawberry.field(
        description="How many of them are runs that nobody reported as deployed: exceptions to every control."
    )
    mapped_controls: int = strawberry.field(description="How many controls are mapped to something, and so are tested.")
    report: strawberry.Private[reports.Compliance]
    moment: strawberry.Private[Moment]

    @strawberry.field(description="Its controls, in the framework's order: those that are tested, or all of them.")
    async def controls(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        mapped: Annotated[bool, strawberry.argument(description="Only those that are tested.")] = True,
    ) -> Connection[ControlCompliance]:
        want = wanted(info, "controls", first=first, after=after, last=last, before=before)
        return await control_page(
            info,
            self.moment,
            self.report.framework,
            want,
            mapped=mapped,
            node=lambda row: ControlCompliance.of(row, self.report, self.moment),
        )

    @strawberry.field(description="The control of this id; null when the framework has none.")
    async def control(self, info: Info, control: str) -> ControlCompliance | None:
        async with info.context.record.database.connection(self.moment.org_id) as connection:
            row = await queries.control(connection, self.moment, self.report.framework, control)
        return None if row is None else ControlCompliance.of(row, self.report, self.moment)


async def compliance_of(
    info: Info, moment: Moment, framework: str, since: datetime, until: datetime
) -> ComplianceReport:
    """The report. It reaches over flows and environments, so it needs a role that is not narrowed to some."""
    info.context.caller.require(Action.READ)
    window = Window.checked(since, until)
    async with info.context.record.database.connection(moment.org_id) as connection:
        report = await reports.compliance(connection, moment, framework, window)
    info.context.expires(report.holds_until)
    return ComplianceReport(
        framework=Framework.of(report.framework, moment),
        since=since,
        until=until,
        population=len(report.changes),
        deployments=report.count(ChangeKind.DEPLOYMENT),
        shadow_changes=report.count(ChangeKind.SHADOW_CHANGE),
        mapped_controls=len(report.controls),
        report=report,
        moment=moment,
    )


def _key_of(place: Place) -> str:
    return f"{to_rfc3339(place.at)}/{place.entry_index}/{place.ordinal}"


def _place_of(key: str | None, *, field: str) -> Place | None:
    if key is None:
        return None
    try:
        at, index, ordinal = key.split("/")
        return Place(from_rfc3339(at), EntryIndex(int(index)), int(ordinal))
    except ValueError:
        raise InvalidInput(
            "This cursor is not one that this server gave. Use a cursor from a page of the same list.", field=field
        ) from None
