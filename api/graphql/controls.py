"""Frameworks, controls and their mappings as GraphQL shows them. How they are recorded is `mapping`'s affair."""

from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import Annotated

import strawberry

from api.graphql.connections import Connection, Item, Wanted, connect, index_key, page_size, wanted
from api.graphql.context import Info
from api.graphql.ledger import After, Before, First, Last
from api.graphql.nodes import Node, global_id
from record.access.rules import Action
from record.controls import mappings, queries
from record.controls.mappings import ApprovalRequired, AttestationRequired
from record.ids import Digest, EntryIndex, FrameworkId
from record.moment import Moment


@strawberry.enum(description="What kind of evidence a requirement asks for.")
class RequirementKind(Enum):
    ATTESTATION = strawberry.enum_value("ATTESTATION", description="An attestation on the artifact or on its trail.")
    APPROVAL = strawberry.enum_value("APPROVAL", description="Approvals of the artifact for the environment.")
    POLICY = strawberry.enum_value("POLICY", description="That the artifact satisfies a policy in the environment.")


@strawberry.type(description="One thing that a control asks of every change.")
class Requirement:
    kind: RequirementKind = strawberry.field(description="What kind of evidence it asks for.")
    asked: str = strawberry.field(description="The same in words, as reasons name it.")
    attestation_name: str | None = strawberry.field(description="ATTESTATION: its name; null for any.")
    attestation_type: str | None = strawberry.field(description="ATTESTATION: its type; null for any.")
    flows: list[str] | None = strawberry.field(description="ATTESTATION: the flows that are asked; null for any.")
    least: int | None = strawberry.field(description="APPROVAL: how many people at least.")
    not_author: bool | None = strawberry.field(description="APPROVAL: whether authors of the commits do not count.")
    policy: str | None = strawberry.field(description="POLICY: its name.")

    @classmethod
    def of(cls, row: mappings.Requirement) -> "Requirement":
        said = cls(
            kind=RequirementKind.POLICY,
            asked=row.asked,
            attestation_name=None,
            attestation_type=None,
            flows=None,
            least=None,
            not_author=None,
            policy=None,
        )
        if isinstance(row, AttestationRequired):
            said.kind, said.attestation_name, said.attestation_type = RequirementKind.ATTESTATION, row.name, row.type
            said.flows = None if row.flows is None else list(row.flows)
        elif isinstance(row, ApprovalRequired):
            said.kind, said.least, said.not_author = RequirementKind.APPROVAL, row.least, row.not_author
        else:
            said.policy = row.name
        return said


@strawberry.type(description="What meets a control: all of its requirements. Versions are kept.")
class ControlMapping:
    version: int = strawberry.field(description="Its number, from 1 for each control.")
    requirements: list[Requirement] = strawberry.field(description="All of these must be met; none takes it back.")
    environments: list[str] | None = strawberry.field(
        description="The environments whose changes are asked; null for all."
    )
    comment: str = strawberry.field(description="Why it was recorded.")
    recorded_by: str = strawberry.field(description="Who recorded it.")
    recorded_at: datetime = strawberry.field(description="When it was recorded.")
    entry_index: EntryIndex = strawberry.field(description="The entry that recorded it.")

    @classmethod
    def of(cls, row: queries.Mapping) -> "ControlMapping":
        return cls(
            version=row.version,
            requirements=[Requirement.of(each) for each in row.requirements],
            environments=None if row.environments is None else list(row.environments),
            comment=row.comment,
            recorded_by=row.recorded_by,
            recorded_at=row.at,
            entry_index=row.entry_index,
        )


@strawberry.type(description="An objective of a framework.")
class Control(Node):
    framework_name: str = strawberry.field(description="The framework's name.")
    control: str = strawberry.field(description="Its id in the framework, such as CC8.1 or A.8.32.")
    label: str = strawberry.field(description="How the framework prints the id.")
    title: str = strawberry.field(description="What it is about.")
    section: str = strawberry.field(description="Where it stands in the framework: the titles above it.")
    statement: str = strawberry.field(description="What it asks for, in the words of whoever recorded it.")
    withdrawn: bool = strawberry.field(description="Whether the framework took it back.")
    mapping: ControlMapping | None = strawberry.field(
        description="What meets it; null when nothing does: then it is not tested."
    )
    entry_index: EntryIndex = strawberry.field(description="The entry that lists it.")
    row: strawberry.Private[queries.Control]
    moment: strawberry.Private[Moment]

    @strawberry.field(description="What it was mapped to, the newest first.")
    async def mappings(self, info: Info, first: int = 20) -> list[ControlMapping]:
        limit = page_size(info, first)
        async with info.context.record.database.connection(self.moment.org_id) as connection:
            found = await queries.mapping_versions(
                connection, self.moment, self.row.framework_id, self.control, limit=limit
            )
        return [ControlMapping.of(row) for row in found]

    @classmethod
    def of(cls, row: queries.Control, moment: Moment) -> "Control":
        return cls(
            id=global_id("Control", f"{row.framework_id}/{row.control}"),
            framework_name=row.framework,
            control=row.control,
            label=row.label,
            title=row.title,
            section=row.section,
            statement=row.statement,
            withdrawn=row.withdrawn,
            mapping=None if row.mapping is None else ControlMapping.of(row.mapping),
            entry_index=row.entry_index,
            row=row,
            moment=moment,
        )


@strawberry.type(description="A numbered version of a framework.")
class FrameworkVersion:
    version: int = strawberry.field(description="Its number, from 1.")
    title: str = strawberry.field(description="Its title.")
    control_count: int = strawberry.field(description="How many controls it lists.")
    catalog: Digest | None = strawberry.field(description="The OSCAL file that it was imported from; null for none.")
    comment: str = strawberry.field(description="Why it was recorded.")
    recorded_by: str = strawberry.field(description="Who recorded it.")
    recorded_at: datetime = strawberry.field(description="When it was recorded.")
    entry_index: EntryIndex = strawberry.field(description="The entry that recorded it.")

    @classmethod
    def of(cls, row: queries.Framework) -> "FrameworkVersion":
        return cls(
            version=row.version,
            title=row.title,
            control_count=row.control_count,
            catalog=row.digest,
            comment=row.comment,
            recorded_by=row.recorded_by,
            recorded_at=row.changed_at,
            entry_index=row.entry_index,
        )


@strawberry.type(description="A catalogue of controls: a standard, or your own.")
class Framework(Node):
    name: str = strawberry.field(description="Its name in the organization. Names never change.")
    title: str = strawberry.field(description="What it is.")
    description: str = strawberry.field(description="What it is for.")
    version: int = strawberry.field(description="The number of the version in force.")
    control_count: int = strawberry.field(description="How many controls it lists.")
    catalog: Digest | None = strawberry.field(description="The OSCAL file that it was imported from; null for none.")
    catalog_version: str | None = strawberry.field(description="The version that the file gives itself; null for none.")
    created_at: datetime = strawberry.field(description="When it was created.")
    changed_at: datetime = strawberry.field(description="When it was last changed.")
    entry_index: EntryIndex = strawberry.field(description="The entry that last changed it.")
    row: strawberry.Private[queries.Framework]
    moment: strawberry.Private[Moment]

    @strawberry.field(description="Its controls, in its order.")
    async def controls(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        mapped: Annotated[bool, strawberry.argument(description="Only those that are mapped to something.")] = False,
    ) -> Connection[Control]:
        want = wanted(info, "controls", first=first, after=after, last=last, before=before)
        return await control_page(
            info, self.moment, self.row, want, mapped=mapped, node=lambda row: Control.of(row, self.moment)
        )

    @strawberry.field(description="The control of this id; null when there is none.")
    async def control(self, info: Info, control: str) -> Control | None:
        async with info.context.record.database.connection(self.moment.org_id) as connection:
            row = await queries.control(connection, self.moment, self.row, control)
        return None if row is None else Control.of(row, self.moment)

    @strawberry.field(description="Its versions, the newest first.")
    async def versions(self, info: Info, first: int = 20) -> list[FrameworkVersion]:
        limit = page_size(info, first)
        async with info.context.record.database.connection(self.moment.org_id) as connection:
            found = await queries.versions(connection, self.moment, self.row.framework_id, limit=limit)
        return [FrameworkVersion.of(row) for row in found]

    @classmethod
    def of(cls, row: queries.Framework, moment: Moment) -> "Framework":
        return cls(
            id=global_id("Framework", row.framework_id),
            name=row.name,
            title=row.title,
            description=row.description,
            version=row.version,
            control_count=row.control_count,
            catalog=row.digest,
            catalog_version=None if row.catalog is None else row.catalog["version"],
            created_at=row.created_at,
            changed_at=row.changed_at,
            entry_index=row.entry_index,
            row=row,
            moment=moment,
        )


async def control_page(
    info: Info,
    moment: Moment,
    framework: queries.Framework,
    want: Wanted,
    *,
    mapped: bool,
    node: Callable[[queries.Control], Item],
) -> Connection[Item]:
    """Controls of a framework in its order, each as `node` shows it; with `mapped`, only those that are mapped to something."""
    start, end = index_key(want.after), index_key(want.before)
    async with info.context.record.database.connection(moment.org_id) as connection:
        rows = await queries.controls(
            connection,
            moment,
            framework,
            limit=want.fetch,
            after=-1 if start is None else start,
            before=(2**31 - 1 if end is None else end) if want.backward else None,
            mapped=mapped,
        )
    return connect(rows, want, key=lambda row: row.position, node=node)


async def framework_named(info: Info, moment: Moment, name: str) -> Framework | None:
    """The framework of this name."""
    info.context.caller.require_somewhere(Action.READ)
    async with info.context.record.database.connection(moment.org_id) as connection:
        row = await queries.by_name(connection, moment, name)
    return None if row is None else Framework.of(row, moment)


async def framework_of(info: Info, moment: Moment, framework_id: FrameworkId) -> Framework | None:
    """The framework of this id."""
    info.context.caller.require_somewhere(Action.READ)
    async with info.context.record.database.connection(moment.org_id) as connection:
        (row,) = await queries.by_ids(connection, moment, [framework_id])
    return None if row is None else Framework.of(row, moment)


async def control_of(info: Info, moment: Moment, framework_id: FrameworkId, control: str) -> Control | None:
    """The control of this id in the framework of that id."""
    framework = await framework_of(info, moment, framework_id)
    return None if framework is None else await framework.control(info, control)


async def framework_page(
    info: Info, moment: Moment, *, first: int | None, after: str | None, last: int | None, before: str | None
) -> Connection[Framework]:
    """Frameworks by name."""
    info.context.caller.require_somewhere(Action.READ)
    want = wanted(info, "frameworks", first=first, after=after, last=last, before=before)
    async with info.context.record.database.connection(moment.org_id) as connection:
        rows = await queries.page(
            connection,
            moment,
            limit=want.fetch,
            after=want.after or "",
            before=(want.before or "\U0010ffff") if want.backward else None,
        )
    return connect(rows, want, key=lambda row: row.name, node=lambda row: Framework.of(row, moment))
