"""Attestations as GraphQL shows them, with their evidence."""

from datetime import datetime
from typing import Annotated, Final

import strawberry
from strawberry import Parent

from api.graphql.context import Info
from api.graphql.links import ExternalUrl
from api.graphql.loaders import loaders_at
from api.graphql.nodes import AtMoment, Node, global_id
from api.graphql.scalars import Json
from record.attestations import queries
from record.evidence import service as vault
from record.evidence.queries import AttachedFile
from record.ids import Digest, EntryIndex, Fingerprint
from record.moment import Moment


@strawberry.type(description="A file of an attestation. Its bytes are at `url`, for keys that may read it.")
class Evidence:
    digest: Digest = strawberry.field(description="SHA-256 of the bytes.")
    file_name: str = strawberry.field(description="What it is called in this attestation.")
    media_type: str = strawberry.field(description="Its media type.")
    size: float = strawberry.field(description="Its size in bytes; a whole number that may exceed 2^31.")
    url: str = strawberry.field(description="Where to download it, below this server's address.")

    @classmethod
    def of(cls, file: AttachedFile) -> "Evidence":
        return cls(
            digest=file.digest,
            file_name=file.file_name,
            media_type=file.media_type,
            size=float(file.size),
            url=f"/evidence/sha256:{file.digest}",
        )


ABOUT_STORED: Final = (
    "Those of these digests whose bytes the vault has for you: what you may not read is not among them, as if it were not there. "
    f"Ask for up to {vault.DIGESTS_MAX} before uploading, and upload the others."
)


async def stored_evidence(
    root: Parent[AtMoment],
    info: Info,
    digests: Annotated[list[Digest], strawberry.argument(description="The digests that are looked for.")],
) -> list[Digest]:
    """`Record.storedEvidence`."""
    return await vault.stored_among(info.context.record, info.context.caller, root.moment, digests)


@strawberry.type(description="The record that a control was carried out on a trail or an artifact, with its result.")
class Attestation(Node):
    name: str = strawberry.field(description="Its name. The latest of a name on a subject decides.")
    type: str = strawberry.field(
        description="generic, junit, sarif, snyk, trivy, sbom, provenance, pull_request, ticket, jira, sonar, custom:NAME or "
        "override."
    )
    type_version: int | None = strawberry.field(description="The version of the custom type that it was judged by.")
    compliant: bool = strawberry.field(description="Whether it is compliant by its type.")
    explanation: str = strawberry.field(description="Why, in a sentence.")
    flow_name: str = strawberry.field(description="The flow it was made in.")
    trail_name: str = strawberry.field(description="The trail it was made in.")
    fingerprint: Fingerprint | None = strawberry.field(
        description="The artifact that it is about, where it is about one."
    )
    template_name: str | None = strawberry.field(
        description="The template's name of the artifact still to be reported that it is about."
    )
    commit: str | None = strawberry.field(description="The commit that it is about.")
    overrides: str | None = strawberry.field(description="For an override: whose verdict it replaces.")
    expires_at: datetime | None = strawberry.field(description="For an override: when it stops counting.")
    description: str = strawberry.field(description="What its reporter says about it.")
    origin_url: str | None = strawberry.field(description="Where it comes from.")
    attested_by: str = strawberry.field(description="Who attested.")
    attested_at: datetime = strawberry.field(description="When.")
    entry_index: EntryIndex = strawberry.field(description="The entry that recorded it.")
    row: strawberry.Private[queries.Attestation]
    moment: strawberry.Private[Moment]

    @strawberry.field(description="What its reports came to: counts, findings, subjects.")
    def summary(self) -> Json:
        return Json(self.row.summary)

    @strawberry.field(description="Annotations that its reporter gave.")
    def annotations(self) -> Json:
        return Json(self.row.annotations)

    @strawberry.field(description="Whatever its reporter attached.")
    def user_data(self) -> Json:
        return Json(self.row.user_data)

    @strawberry.field(description="Evidence that stays with its owner.")
    def external_urls(self) -> list[ExternalUrl]:
        return ExternalUrl.all(self.row.external_urls)

    @strawberry.field(description="Its files.")
    async def evidence(self, info: Info) -> list[Evidence]:
        return [Evidence.of(file) for file in await loaders_at(info, self.moment).files.load(self.entry_index)]

    @classmethod
    def of(cls, row: queries.Attestation, moment: Moment) -> "Attestation":
        return cls(
            id=global_id("Attestation", row.attestation_id),
            name=row.name,
            type=row.type,
            type_version=row.type_version,
            compliant=row.compliant,
            explanation=row.explanation,
            flow_name=row.flow,
            trail_name=row.trail,
            fingerprint=None if row.fingerprint is None else Fingerprint(row.fingerprint),
            template_name=row.template_name,
            commit=row.commit,
            overrides=row.overrides,
            expires_at=row.expires_at,
            description=row.description,
            origin_url=row.origin_url,
            attested_by=row.attested_by,
            attested_at=row.at,
            entry_index=row.entry_index,
            row=row,
            moment=moment,
        )


@strawberry.type(description="A version of a custom attestation type.")
class AttestationType:
    name: str = strawberry.field(description="Attestations of it have the type custom:NAME.")
    version: int = strawberry.field(description="Its number, from 1.")
    description: str = strawberry.field(description="What it is for.")
    json_schema: Json = strawberry.field(description="The JSON Schema that data must satisfy.")
    rules: list[str] = strawberry.field(description="jq expressions, each of which must yield true.")
    entry_index: EntryIndex = strawberry.field(description="The entry that defined it.")

    @classmethod
    def of(cls, row: queries.CustomType) -> "AttestationType":
        return cls(
            name=row.name,
            version=row.version,
            description=row.description,
            json_schema=Json(row.json_schema),
            rules=list(row.rules),
            entry_index=row.entry_index,
        )


@strawberry.type(description="A public key that provenance may be signed with.")
class SigningKey:
    name: str = strawberry.field(description="What it is called here.")
    key_id: str = strawberry.field(description="SHA-256 of the public key (SPKI, DER), hexadecimal.")
    pem: str = strawberry.field(description="The public key.")
    trusted: bool = strawberry.field(description="False once it is retired.")
    entry_index: EntryIndex = strawberry.field(description="The entry that last said so.")

    @classmethod
    def of(cls, row: queries.SigningKey) -> "SigningKey":
        return cls(name=row.name, key_id=row.key_id, pem=row.pem, trusted=row.trusted, entry_index=row.entry_index)
