"""Provenance: an in-toto statement about an artifact, signed by somebody whom the organization trusts.

In this order (DSSE 1.0.2; in-toto Statement 0.1 and 1):
 1. find the envelope: the document itself, or inside of a sigstore bundle;
 2. verify its signatures with the registered keys alone (a bundle's certificate is not trusted by being there);
 3. read those same payload bytes, strictly, as a statement;
 4. compare the subjects' sha256 with the artifact's fingerprint.
An envelope or statement that cannot be read is refused; one that nobody trusted signed, or that is about something else, is
recorded as not compliant, and the explanation says which of the two.
"""

import re
from collections.abc import Sequence
from typing import Final

from record.attestations.reports.dsse import Envelope, TrustedKey, envelope_of
from record.attestations.reports.result import JsonValue, ReportResult, check_size, plain
from record.attestations.reports.shape import a_list, a_text, an_object, maybe_object, maybe_text, some_text
from record.attestations.reports.strict_json import Parsed, parse
from record.ids import SHA256_HEX, Fingerprint
from record.refusals import MalformedReport

SUBJECTS_LISTED: Final = 20
_PAYLOAD_TYPE: Final = re.compile(r"application/vnd\.in-toto(\.[A-Za-z0-9.-]+)?\+json")
_STATEMENT: Final = re.compile(r"https://in-toto\.io/Statement/v(0\.1|1)")
_BUNDLE: Final = "application/vnd.dev.sigstore.bundle"


def read_provenance(data: bytes, *, fingerprint: Fingerprint | None, keys: Sequence[TrustedKey]) -> ReportResult:
    """Compliant when a registered key signed the statement and one of its subjects is the artifact."""
    check_size(data)
    envelope, container = _envelope(parse(data))
    if not _PAYLOAD_TYPE.fullmatch(envelope.payload_type):
        raise MalformedReport(
            f"The envelope's payloadType is {plain(envelope.payload_type, 80)!r}. "
            "Send an in-toto statement (application/vnd.in-toto+json).",
            field="/payloadType",
        )
    signers = envelope.signers(keys)
    statement = an_object(_payload(envelope), "payload")
    kind = a_text(statement.get("_type"), "payload/_type")
    if not _STATEMENT.fullmatch(kind):
        raise MalformedReport(
            f"payload/_type is {plain(kind, 80)!r}. Send an in-toto Statement v0.1 or v1.", field="payload/_type"
        )
    predicate_type = a_text(statement.get("predicateType"), "payload/predicateType")
    subjects = _subjects(statement)
    about_it = fingerprint is not None and any(fingerprint == digest for _, digest in subjects)
    predicate = maybe_object(statement.get("predicate"), "payload/predicate")
    summary: dict[str, JsonValue] = {
        "format": container,
        "predicate_type": plain(predicate_type),
        "builder": plain(_builder(predicate)),
        "build_type": plain(_build_type(predicate)),
        "signatures": len(envelope.signatures),
        "trusted_keys": [{"id": plain(key.key_id), "name": plain(key.name)} for key in signers],
        "subjects": len(subjects),
        "subject_list": [
            {"name": plain(name), "sha256": digest} if digest else {"name": plain(name)}
            for name, digest in subjects[:SUBJECTS_LISTED]
        ],
        "subject_matches": about_it,
    }
    return ReportResult.of(
        compliant=bool(signers) and about_it,
        summary=summary,
        explanation=_explanation(signers, len(keys), subjects, fingerprint, about_it),
    )


def _envelope(document: Parsed) -> tuple[Envelope, str]:
    given = an_object(document, "")
    if not some_text(given.get("mediaType")).startswith(_BUNDLE):
        return envelope_of(given, ""), "dsse"
    if "dsseEnvelope" not in given:
        raise MalformedReport(
            "The sigstore bundle holds no DSSE envelope. Send a bundle that attests a statement, not one that signs a file.",
            field="/dsseEnvelope",
        )
    return envelope_of(given["dsseEnvelope"], "/dsseEnvelope"), "sigstore-bundle"


def _payload(envelope: Envelope) -> Parsed:
    try:
        return parse(envelope.payload)
    except MalformedReport as refusal:
        raise MalformedReport(
            f"The envelope's payload: {refusal.message}", field="payload", line=refusal.line, column=refusal.column
        ) from None


def _subjects(statement: dict[str, Parsed]) -> list[tuple[str, str]]:
    """Name and sha256 ("" if it has none) of every subject."""
    given = a_list(statement.get("subject"), "payload/subject")
    if not given:
        raise MalformedReport("payload/subject is empty. A statement must be about something.", field="payload/subject")
    found = []
    for index, value in enumerate(given):
        place = f"payload/subject/{index}"
        subject = an_object(value, place)
        digests = an_object(subject.get("digest"), f"{place}/digest")
        sha256 = maybe_text(digests.get("sha256"), f"{place}/digest/sha256").lower()
        if not digests or (sha256 and not SHA256_HEX.fullmatch(sha256)):
            raise MalformedReport(
                f"{place}/digest is not a set of digests in hexadecimal. Name the subject by its sha256.",
                field=f"{place}/digest",
            )
        found.append((some_text(subject.get("name"), subject.get("uri")), sha256))
    return found


def _builder(predicate: dict[str, Parsed]) -> str:
    """The builder's id, where SLSA provenance 1 or 0.2 keeps it."""
    for holder in (predicate.get("runDetails"), predicate):
        builder = holder.get("builder") if isinstance(holder, dict) else None
        if isinstance(builder, dict) and (found := some_text(builder.get("id"))):
            return found
    return ""


def _build_type(predicate: dict[str, Parsed]) -> str:
    definition = predicate.get("buildDefinition")
    return some_text(definition.get("buildType") if isinstance(definition, dict) else None, predicate.get("buildType"))


def _explanation(
    signers: Sequence[TrustedKey],
    key_count: int,
    subjects: Sequence[tuple[str, str]],
    fingerprint: Fingerprint | None,
    about_it: bool,
) -> str:
    if not key_count:
        return "No trusted key is registered, so no signature can be believed. Register the builder's public key."
    if not signers:
        return f"No signature is by a registered key ({key_count} tried). Register the builder's public key."
    names = ", ".join(key.name for key in signers[:3])
    if fingerprint is None:
        return f"Signed by {names}, but attested on no artifact. Attest provenance on the artifact that it is about."
    if not about_it:
        others = ", ".join(digest or name for name, digest in subjects[:2])
        return f"Signed by {names}, but about something else ({others}), not about {fingerprint}."
    return f"Signed by {names}, about this artifact."
