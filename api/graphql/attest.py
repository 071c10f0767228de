"""Attesting: one mutation for each type, and what they need (custom types, signing keys)."""

from datetime import datetime
from typing import Annotated, TypeAlias

import strawberry

from api.graphql.attestations import Attestation, AttestationType
from api.graphql.context import Info
from api.graphql.errors import Refused
from api.graphql.ledger import Receipt
from api.graphql.links import ExternalUrlInput, links_of, object_of
from api.graphql.loaders import loaders_at
from api.graphql.nodes import global_id
from api.graphql.scalars import Json
from api.graphql.writes import Write, perform
from record.access.rules import Action
from record.attestations import queries
from record.attestations.service import attest, signing_keys, types
from record.ids import Digest, Fingerprint
from record.ledger import entries


@strawberry.input(description="A file in the vault. Upload it first: PUT /evidence/sha256:<digest>.")
class EvidenceInput:
    digest: Digest = strawberry.field(description="SHA-256 of the bytes.")
    file_name: str = strawberry.field(description="What to call it in this attestation.")
    media_type: str | None = strawberry.field(default=None, description="Its media type; without one, the upload's.")


@strawberry.input(description="What every attestation says: its name, its subject, and what goes with it.")
class AboutInput:
    flow: str = strawberry.field(description="The flow's name.")
    trail: str = strawberry.field(description="The trail's name.")
    name: str = strawberry.field(
        description="The attestation's name. `app.unit-tests` is about the artifact that is or will be reported as `app`."
    )
    fingerprint: Fingerprint | None = strawberry.field(
        default=None, description="The artifact that it is about; without one it is about the trail, or see `name`."
    )
    commit: str | None = strawberry.field(
        default=None, description="The commit that it is about; without one, the trail's."
    )
    description: str = strawberry.field(default="", description="What you want to say about it.")
    origin_url: str | None = strawberry.field(default=None, description="Where it comes from.")
    external_urls: list[ExternalUrlInput] = strawberry.field(
        default_factory=list, description="Evidence that stays with its owner."
    )
    annotations: Json | None = strawberry.field(default=None, description="Annotations, a JSON object.")
    user_data: Json | None = strawberry.field(default=None, description="Whatever you want to attach, a JSON object.")
    evidence: list[EvidenceInput] = strawberry.field(default_factory=list, description="Files that go with it.")
    idempotency_key: str | None = strawberry.field(
        default=None, description="The same key again gives the first receipt."
    )


@strawberry.input(description="A generic attestation. There is no default verdict.")
class AttestGenericInput(AboutInput):
    compliant: bool = strawberry.field(description="Your verdict.")


@strawberry.input(description="JUnit XML reports: compliant with at least one test, no failure and no error.")
class AttestJunitInput(AboutInput):
    results: list[EvidenceInput] = strawberry.field(description="The JUnit XML files. They are kept as evidence.")


@strawberry.input(description="How many findings of each severity are accepted. Null means any number.")
class ThresholdsInput:
    critical: int | None = strawberry.field(default=0, description="Most critical findings.")
    high: int | None = strawberry.field(default=0, description="Most high findings.")
    medium: int | None = strawberry.field(default=None, description="Most medium findings.")
    low: int | None = strawberry.field(default=None, description="Most low findings.")


@strawberry.input(
    description="A scanner's report: compliant within the thresholds, none critical and none high by default."
)
class AttestScanInput(AboutInput):
    report: EvidenceInput = strawberry.field(description="The scanner's own report. It is kept as evidence.")
    thresholds: ThresholdsInput | None = strawberry.field(default=None, description="What is accepted.")


@strawberry.input(
    description="A CycloneDX or SPDX document: compliant when it parses and names no other artifact's digest."
)
class AttestSbomInput(AboutInput):
    report: EvidenceInput = strawberry.field(description="The document. It is kept as evidence.")


@strawberry.input(description="An in-toto statement in a DSSE envelope or sigstore bundle, signed with a trusted key.")
class AttestProvenanceInput(AboutInput):
    envelope: EvidenceInput = strawberry.field(description="The envelope. It is kept as evidence.")


@strawberry.input(
    description="Data of a custom type: compliant when its schema is satisfied and every rule yields true."
)
class AttestCustomInput(AboutInput):
    type_name: str = strawberry.field(description="The custom type's name, without `custom:`.")
    data: Json = strawberry.field(description="The data.")


@strawberry.input(description="Replaces the verdict of another attestation on the same subject until it expires.")
class OverrideInput(AboutInput):
    overrides: str = strawberry.field(description="The name of the attestation whose verdict it replaces.")
    compliant: bool = strawberry.field(description="The new verdict.")
    reason: str = strawberry.field(description="Why.")
    expires_at: datetime = strawberry.field(description="When it stops counting.")


@strawberry.type(description="The attestation was recorded.")
class AttestationRecorded:
    receipt: Receipt = strawberry.field(description="Where and how it was recorded.")
    id: strawberry.ID = strawberry.field(description="The attestation's id.")
    compliant: bool = strawberry.field(description="Whether it is compliant by its type.")
    explanation: str = strawberry.field(description="Why, in a sentence.")

    @strawberry.field(description="The attestation.")
    async def attestation(self, info: Info) -> Attestation | None:
        moment = info.context.moment
        row = await loaders_at(info, moment).attestations.load(self.receipt.index)
        if row is None or not info.context.caller.may(Action.READ, flow=row.flow):
            return None
        return Attestation.of(row, moment)

    @classmethod
    def of(cls, receipt: entries.Receipt) -> "AttestationRecorded":
        result = receipt.body["result"]
        return cls(
            receipt=Receipt.of(receipt),
            id=global_id("Attestation", receipt.entry_id),
            compliant=result["compliant"],
            explanation=result["explanation"],
        )


@strawberry.input(description="A custom attestation type to define, or to define anew.")
class DefineAttestationTypeInput:
    name: str = strawberry.field(description="Its name; attestations of it have the type custom:NAME.")
    description: str = strawberry.field(default="", description="What it is for.")
    json_schema: Json | None = strawberry.field(
        default=None, description="JSON Schema of the data; without one any JSON."
    )
    rules: list[str] = strawberry.field(
        default_factory=list, description="jq expressions, each of which must yield true."
    )
    idempotency_key: str | None = strawberry.field(
        default=None, description="The same key again gives the first receipt."
    )


@strawberry.type(description="The custom type was defined.")
class AttestationTypeDefined:
    receipt: Receipt = strawberry.field(description="Where and how it was recorded.")
    version: int = strawberry.field(description="Its number, from 1.")
    name: strawberry.Private[str]

    @strawberry.field(description="The type.")
    async def attestation_type(self, info: Info) -> AttestationType | None:
        moment = info.context.moment
        async with info.context.record.database.connection(moment.org_id) as connection:
            row = await queries.custom_type(connection, moment, self.name, version=self.version)
        return None if row is None else AttestationType.of(row)


@strawberry.input(description="A public key to trust.")
class TrustSigningKeyInput:
    name: str = strawberry.field(description="What to call it. A name that is there already gets this key from now on.")
    pem: str = strawberry.field(description="The public key (PEM): Ed25519, ECDSA P-256 or P-384, or RSA.")
    idempotency_key: str | None = strawberry.field(
        default=None, description="The same key again gives the first receipt."
    )


@strawberry.input(description="A public key that is not to be trusted any more.")
class RetireSigningKeyInput:
    name: str = strawberry.field(description="What it is called.")
    idempotency_key: str | None = strawberry.field(
        default=None, description="The same key again gives the first receipt."
    )


@strawberry.type(description="The signing key was recorded.")
class SigningKeyRecorded:
    receipt: Receipt = strawberry.field(description="Where and how it was recorded.")
    name: str = strawberry.field(description="What it is called.")
    key_id: str = strawberry.field(description="SHA-256 of the public key (SPKI, DER), hexadecimal.")
    trusted: bool = strawberry.field(description="Whether it is trusted now.")

    @classmethod
    def of(cls, receipt: entries.Receipt) -> "SigningKeyRecorded":
        return cls(
            receipt=Receipt.of(receipt),
            name=receipt.body["name"],
            key_id=receipt.body["key_id"],
            trusted=receipt.kind == "signing_key.trusted",
        )


AttestGenericResult: TypeAlias = Annotated[AttestationRecorded | Refused, strawberry.union("AttestGenericResult")]
AttestJunitResult: TypeAlias = Annotated[AttestationRecorded | Refused, strawberry.union("AttestJunitResult")]
AttestSarifResult: TypeAlias = Annotated[AttestationRecorded | Refused, strawberry.union("AttestSarifResult")]
AttestSnykResult: TypeAlias = Annotated[AttestationRecorded | Refused, strawberry.union("AttestSnykResult")]
AttestTrivyResult: TypeAlias = Annotated[AttestationRecorded | Refused, strawberry.union("AttestTrivyResult")]
AttestSbomResult: TypeAlias = Annotated[AttestationRecorded | Refused, strawberry.union("AttestSbomResult")]
AttestProvenanceResult: TypeAlias = Annotated[AttestationRecorded | Refused, strawberry.union("AttestProvenanceResult")]
AttestCustomResult: TypeAlias = Annotated[AttestationRecorded | Refused, strawberry.union("AttestCustomResult")]
OverrideResult: TypeAlias = Annotated[AttestationRecorded | Refused, strawberry.union("OverrideResult")]
DefineAttestationTypeResult: TypeAlias = Annotated[
    AttestationTypeDefined | Refused, strawberry.union("DefineAttestationTypeResult")
]
TrustSigningKeyResult: TypeAlias = Annotated[SigningKeyRecorded | Refused, strawberry.union("TrustSigningKeyResult")]
RetireSigningKeyResult: TypeAlias = Annotated[SigningKeyRecorded | Refused, strawberry.union("RetireSigningKeyResult")]


@strawberry.type
class AttestationMutations:
    @strawberry.mutation(description="Attests with the verdict that you give.")
    async def attest_generic(self, info: Info, input: AttestGenericInput) -> AttestGenericResult:  # noqa: A002
        about = about_of(input)
        return await attest_with(
            info,
            input,
            lambda caller, once: attest.generic(
                info.context.record, caller, about, compliant=input.compliant, idempotency=once
            ),
        )

    @strawberry.mutation(description="Attests with JUnit XML reports, which the server reads.")
    async def attest_junit(self, info: Info, input: AttestJunitInput) -> AttestJunitResult:  # noqa: A002
        about, reports = about_of(input), _files(input.results)
        return await attest_with(
            info,
            input,
            lambda caller, once: attest.junit_results(
                info.context.record, caller, about, reports=reports, idempotency=once
            ),
        )

    @strawberry.mutation(description="Attests with a SARIF report, which the server reads.")
    async def attest_sarif(self, info: Info, input: AttestScanInput) -> AttestSarifResult:  # noqa: A002
        return await _scan(info, input, "sarif")

    @strawberry.mutation(description="Attests with Snyk's own JSON report, which the server reads.")
    async def attest_snyk(self, info: Info, input: AttestScanInput) -> AttestSnykResult:  # noqa: A002
        return await _scan(info, input, "snyk")

    @strawberry.mutation(description="Attests with Trivy's own JSON report, which the server reads.")
    async def attest_trivy(self, info: Info, input: AttestScanInput) -> AttestTrivyResult:  # noqa: A002
        return await _scan(info, input, "trivy")

    @strawberry.mutation(description="Attests with a software bill of materials, which the server reads.")
    async def attest_sbom(self, info: Info, input: AttestSbomInput) -> AttestSbomResult:  # noqa: A002
        about, report = about_of(input), _file(input.report)
        return await attest_with(
            info,
            input,
            lambda caller, once: attest.bill_of_materials(
                info.context.record, caller, about, report=report, idempotency=once
            ),
        )

    @strawberry.mutation(description="Attests with signed provenance, which the server verifies.")
    async def attest_provenance(self, info: Info, input: AttestProvenanceInput) -> AttestProvenanceResult:  # noqa: A002
        about, envelope = about_of(input), _file(input.envelope)
        return await attest_with(
            info,
            input,
            lambda caller, once: attest.provenance_statement(
                info.context.record, caller, about, envelope=envelope, idempotency=once
            ),
        )

    @strawberry.mutation(
        description="Attests with data of a custom type, which the server checks by its schema and rules."
    )
    async def attest_custom(self, info: Info, input: AttestCustomInput) -> AttestCustomResult:  # noqa: A002
        about = about_of(input)
        return await attest_with(
            info,
            input,
            lambda caller, once: attest.custom(
                info.context.record, caller, about, type_name=input.type_name, data=input.data, idempotency=once
            ),
        )

    @strawberry.mutation(
        description="Replaces the verdict of an attestation until it expires. Needs the role approver."
    )
    async def override(self, info: Info, input: OverrideInput) -> OverrideResult:  # noqa: A002
        about = about_of(input)
        return await attest_with(
            info,
            input,
            lambda caller, once: attest.override(
                info.context.record,
                caller,
                about,
                overrides=input.overrides,
                compliant=input.compliant,
                reason=input.reason,
                expires_at=input.expires_at,
                idempotency=once,
            ),
        )

    @strawberry.mutation(description="Defines the next version of a custom attestation type, or its first.")
    async def define_attestation_type(
        self,
        info: Info,
        input: DefineAttestationTypeInput,  # noqa: A002
    ) -> DefineAttestationTypeResult:
        wish = types.DefineType(
            name=input.name, description=input.description, json_schema=input.json_schema, rules=tuple(input.rules)
        )
        receipt = await perform(
            info,
            lambda caller, once: types.define(info.context.record, caller, wish, idempotency=once),
            input=input,
            key=input.idempotency_key,
        )
        return AttestationTypeDefined(
            receipt=Receipt.of(receipt), version=receipt.body["version"], name=receipt.body["name"]
        )

    @strawberry.mutation(description="Trusts a public key for provenance. Needs the role admin.")
    async def trust_signing_key(self, info: Info, input: TrustSigningKeyInput) -> TrustSigningKeyResult:  # noqa: A002
        receipt = await perform(
            info,
            lambda caller, once: signing_keys.trust(
                info.context.record, caller, name=input.name, pem=input.pem, idempotency=once
            ),
            input=input,
            key=input.idempotency_key,
        )
        return SigningKeyRecorded.of(receipt)

    @strawberry.mutation(description="Stops trusting a public key; what was attested before keeps its verdict.")
    async def retire_signing_key(self, info: Info, input: RetireSigningKeyInput) -> RetireSigningKeyResult:  # noqa: A002
        receipt = await perform(
            info,
            lambda caller, once: signing_keys.retire(info.context.record, caller, name=input.name, idempotency=once),
            input=input,
            key=input.idempotency_key,
        )
        return SigningKeyRecorded.of(receipt)


async def _scan(info: Info, input: AttestScanInput, tool: str) -> AttestationRecorded:  # noqa: A002
    about, report = about_of(input), _file(input.report)
    limits = input.thresholds
    thresholds = (
        None
        if limits is None
        else {"critical": limits.critical, "high": limits.high, "medium": limits.medium, "low": limits.low}
    )
    return await attest_with(
        info,
        input,
        lambda caller, once: attest.scan(
            info.context.record, caller, about, tool=tool, report=report, thresholds=thresholds, idempotency=once
        ),
    )


async def attest_with(
    info: Info,
    input: AboutInput,  # noqa: A002
    write: Write,
) -> AttestationRecorded:
    return AttestationRecorded.of(await perform(info, write, input=input, key=input.idempotency_key))


def about_of(given: AboutInput) -> attest.About:
    return attest.About(
        flow=given.flow,
        trail=given.trail,
        name=given.name,
        fingerprint=given.fingerprint,
        commit=given.commit,
        description=given.description,
        origin_url=given.origin_url,
        external_urls=links_of(given.external_urls),
        annotations=object_of(given.annotations, field="annotations"),
        user_data=object_of(given.user_data, field="userData"),
        evidence=_files(given.evidence),
    )


def _file(given: EvidenceInput) -> attest.File:
    return attest.File(digest=given.digest, name=given.file_name, media_type=given.media_type)


def _files(given: list[EvidenceInput]) -> tuple[attest.File, ...]:
    return tuple(_file(file) for file in given)
