"""What is recorded of controls, as GraphQL takes it: frameworks by hand or from OSCAL, and what meets each control."""

from typing import Annotated, TypeAlias

import strawberry

from api.graphql.context import Info
from api.graphql.controls import Control, Framework, framework_named
from api.graphql.errors import Refused
from api.graphql.ledger import Receipt
from api.graphql.writes import perform
from record.controls import catalogs, mappings, service
from record.controls.mappings import ApprovalRequired, AttestationRequired
from record.ids import Digest
from record.refusals import InvalidInput

ONCE = "The same key again gives the first receipt."


@strawberry.input(
    description="A control to list. Use your own words: the texts of standards that are for sale stay out."
)
class ControlInput:
    control: str = strawberry.field(description="Its id, such as CC8.1: letters, digits and . _ ~ -")
    title: str = strawberry.field(description="What it is about.")
    label: str = strawberry.field(default="", description="How the framework prints the id, when that differs.")
    section: str = strawberry.field(default="", description="Where it stands in the framework.")
    statement: str = strawberry.field(default="", description="What it asks for.")
    withdrawn: bool = strawberry.field(default=False, description="Whether the framework took it back.")


@strawberry.input(description="A framework to create, with its controls in their order.")
class CreateFrameworkInput:
    name: str = strawberry.field(description="Its name: a letter or digit, then letters, digits and . _ -")
    title: str = strawberry.field(description="What it is.")
    controls: list[ControlInput] = strawberry.field(description="Its controls: at least one, at most 5,000.")
    description: str = strawberry.field(default="", description="What it is for.")
    comment: str = strawberry.field(default="", description="Why it is recorded.")
    idempotency_key: str | None = strawberry.field(default=None, description=ONCE)


@strawberry.input(
    description="A new version of a framework: its whole list again. Mappings stay, by the ids of controls."
)
class ChangeFrameworkInput:
    name: str = strawberry.field(description="The framework's name.")
    controls: list[ControlInput] = strawberry.field(description="Its controls: at least one, at most 5,000.")
    title: str | None = strawberry.field(default=None, description="What it is; left out, it stays.")
    description: str | None = strawberry.field(default=None, description="What it is for; left out, it stays.")
    comment: str = strawberry.field(default="", description="Why it is changed.")
    idempotency_key: str | None = strawberry.field(default=None, description=ONCE)


@strawberry.input(description="An OSCAL catalogue (JSON) to import: as a new framework, or as a new version of one.")
class ImportControlsInput:
    framework: str = strawberry.field(description="The framework's name here.")
    digest: Digest = strawberry.field(description="SHA-256 of the file. Upload it with PUT /evidence/sha256:... first.")
    file_name: str = strawberry.field(default="catalog.json", description="What the file is called.")
    title: str | None = strawberry.field(default=None, description="What it is; left out, the catalogue's own title.")
    description: str | None = strawberry.field(default=None, description="What it is for; left out, it stays.")
    comment: str = strawberry.field(default="", description="Why it is imported.")
    idempotency_key: str | None = strawberry.field(default=None, description=ONCE)


@strawberry.input(description="An attestation that a control asks for: by name, by type, or both.")
class AttestationRequirementInput:
    name: str | None = strawberry.field(default=None, description="Its name; left out, any.")
    type: str | None = strawberry.field(default=None, description="Its type; left out, any.")
    flows: list[str] | None = strawberry.field(default=None, description="In these flows; left out, in any.")


@strawberry.input(description="Approvals that a control asks for.")
class ApprovalRequirementInput:
    least: int = strawberry.field(default=1, description="How many people at least, 1 to 20.")
    not_author: bool = strawberry.field(default=False, description="Whether authors of the commits do not count.")


@strawberry.input(description="One thing that a control asks of every change: give exactly one of these.")
class RequirementInput:
    attestation: AttestationRequirementInput | None = strawberry.field(default=None, description="An attestation.")
    approval: ApprovalRequirementInput | None = strawberry.field(default=None, description="Approvals.")
    policy: str | None = strawberry.field(default=None, description="The name of a policy that must be satisfied.")

    def wished(self) -> mappings.Requirement:
        """The requirement; refuses none and several."""
        given: list[mappings.Requirement] = []
        if self.attestation is not None:
            asked = self.attestation
            flows = None if asked.flows is None else tuple(asked.flows)
            given.append(AttestationRequired(asked.name, asked.type, flows))
        if self.approval is not None:
            given.append(ApprovalRequired(self.approval.least, self.approval.not_author))
        if self.policy is not None:
            given.append(mappings.PolicyRequired(self.policy))
        if len(given) != 1:
            raise InvalidInput(
                f"A requirement asks for one thing, and this one for {len(given)}. "
                "Give exactly one of attestation, approval and policy.",
                field="requirements",
            )
        return given[0]


@strawberry.input(description="What meets a control from now on.")
class MapControlInput:
    framework: str = strawberry.field(description="The framework's name.")
    control: str = strawberry.field(description="The control's id there.")
    requirements: list[RequirementInput] = strawberry.field(
        description="All of these must be met by every change; an empty list takes the mapping back."
    )
    environments: list[str] | None = strawberry.field(
        default=None, description="Ask it of changes to these environments only; left out, of all."
    )
    comment: str = strawberry.field(default="", description="Why it is mapped so.")
    idempotency_key: str | None = strawberry.field(default=None, description=ONCE)


@strawberry.type(description="A version of the framework was recorded.")
class FrameworkRecorded:
    receipt: Receipt = strawberry.field(description="Where and how it was recorded.")
    name: strawberry.Private[str]

    @strawberry.field(description="The framework as it is now.")
    async def framework(self, info: Info) -> Framework | None:
        return await framework_named(info, info.context.moment, self.name)


@strawberry.type(description="The mapping was recorded.")
class ControlMapped:
    receipt: Receipt = strawberry.field(description="Where and how it was recorded.")
    framework: strawberry.Private[str]
    name: strawberry.Private[str]

    @strawberry.field(description="The control as it is now.")
    async def control(self, info: Info) -> Control | None:
        framework = await framework_named(info, info.context.moment, self.framework)
        return None if framework is None else await framework.control(info, self.name)


CreateFrameworkResult: TypeAlias = Annotated[FrameworkRecorded | Refused, strawberry.union("CreateFrameworkResult")]
ChangeFrameworkResult: TypeAlias = Annotated[FrameworkRecorded | Refused, strawberry.union("ChangeFrameworkResult")]
ImportControlsResult: TypeAlias = Annotated[FrameworkRecorded | Refused, strawberry.union("ImportControlsResult")]
MapControlResult: TypeAlias = Annotated[ControlMapped | Refused, strawberry.union("MapControlResult")]


@strawberry.type
class ControlMutations:
    @strawberry.mutation(description="Creates a framework from a list of controls.")
    async def create_framework(self, info: Info, input: CreateFrameworkInput) -> CreateFrameworkResult:  # noqa: A002
        wish = service.CreateFramework(
            input.name, input.title, _listed(input.controls), input.description, input.comment
        )
        receipt = await perform(
            info,
            lambda caller, once: service.create_framework(info.context.record, caller, wish, idempotency=once),
            input=input,
            key=input.idempotency_key,
        )
        return FrameworkRecorded(receipt=Receipt.of(receipt), name=receipt.body["framework"])

    @strawberry.mutation(description="Records a new version of a framework's list of controls.")
    async def change_framework(self, info: Info, input: ChangeFrameworkInput) -> ChangeFrameworkResult:  # noqa: A002
        wish = service.ChangeFramework(
            input.name, _listed(input.controls), input.title, input.description, input.comment
        )
        receipt = await perform(
            info,
            lambda caller, once: service.change_framework(info.context.record, caller, wish, idempotency=once),
            input=input,
            key=input.idempotency_key,
        )
        return FrameworkRecorded(receipt=Receipt.of(receipt), name=receipt.body["framework"])

    @strawberry.mutation(
        description="Imports an OSCAL catalogue that was uploaded. What cannot be read records nothing."
    )
    async def import_controls(self, info: Info, input: ImportControlsInput) -> ImportControlsResult:  # noqa: A002
        wish = service.ImportControls(
            input.framework, input.digest, input.file_name, input.title, input.description, input.comment
        )
        receipt = await perform(
            info,
            lambda caller, once: service.import_controls(info.context.record, caller, wish, idempotency=once),
            input=input,
            key=input.idempotency_key,
        )
        return FrameworkRecorded(receipt=Receipt.of(receipt), name=receipt.body["framework"])

    @strawberry.mutation(description="Maps a control to what meets it. A newer mapping takes the older one's place.")
    async def map_control(self, info: Info, input: MapControlInput) -> MapControlResult:  # noqa: A002
        wish = service.MapControl(
            input.framework,
            input.control,
            [each.wished() for each in input.requirements],
            input.environments,
            input.comment,
        )
        receipt = await perform(
            info,
            lambda caller, once: service.map_control(info.context.record, caller, wish, idempotency=once),
            input=input,
            key=input.idempotency_key,
        )
        body = receipt.body
        return ControlMapped(receipt=Receipt.of(receipt), framework=body["framework"], name=body["control"])


def _listed(controls: list[ControlInput]) -> list[catalogs.Control]:
    return [
        catalogs.Control(each.control, each.title, each.label, each.section, each.statement, each.withdrawn)
        for each in controls
    ]
