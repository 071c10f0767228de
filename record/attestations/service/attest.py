"""Recording attestations: who is attested to, with what evidence, and what the reports come to.

Every kind goes the same way: find the subject, find the evidence, read the reports, append one entry. A report that does not parse
is refused with the place of the fault and nothing is recorded; the evidence that was uploaded stays in the vault.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from record import details
from record.access.rules import Action, Caller
from record.attestations import queries
from record.attestations.reports import strict_json
from record.attestations.reports.dsse import TrustedKey
from record.attestations.reports.result import ReportResult
from record.attestations.reports.severities import DEFAULT_THRESHOLDS
from record.clock import to_rfc3339
from record.details import Link
from record.evidence import queries as stored
from record.evidence import service as evidence
from record.ids import (
    ATTESTATION_NAME,
    COMMIT,
    TEMPLATE_ARTIFACT_NAME,
    TYPE_NAME,
    Fingerprint,
    checked_digest,
    checked_fingerprint,
    checked_name,
)
from record.ledger.entries import Draft, Idempotency, Receipt
from record.moment import Moment
from record.record import Record
from record.refusals import InvalidInput, NotFound
from record.trails.queries import Place
from record.trails.service import placed

FILES_MAX: Final = 100
DATA_BYTES_MAX: Final = 32_768
"""The most that a reporter may say of a pull request, tickets or a quality gate: a large pull request fits."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of evidence, already in the vault: its digest, and what it is called in this attestation."""

    digest: str
    name: str
    media_type: str | None = None


@dataclass(frozen=True, slots=True)
class About:
    """What every attestation says: its name, its subject, and what goes with it.

    The subject is the trail; or the artifact of `fingerprint`; or, with a dotted name (`app.unit-tests`), an artifact that is
    reported under the template name `app` from `commit`, before or after this. Without a commit, the trail's.
    """

    flow: str
    trail: str
    name: str
    fingerprint: str | None = None
    commit: str | None = None
    description: str = ""
    origin_url: str | None = None
    external_urls: tuple[Link, ...] = ()
    annotations: Mapping[str, Any] = field(default_factory=dict)
    user_data: Mapping[str, Any] = field(default_factory=dict)
    evidence: tuple[File, ...] = ()


async def generic(
    record: Record, caller: Caller, about: About, *, compliant: bool, idempotency: Idempotency | None = None
) -> Receipt:
    """As given by the reporter: there is no default verdict."""
    told = "compliant" if compliant else "not compliant"
    result = ReportResult(compliant=compliant, summary={}, explanation=f"The reporter says that it is {told}.")
    subject, files = await _subject_and_files(record, caller, about)
    return await _append(record, caller, about, subject, files, "generic", result, idempotency=idempotency)


async def junit_results(
    record: Record, caller: Caller, about: About, *, reports: Sequence[File], idempotency: Idempotency | None = None
) -> Receipt:
    """Compliant when the JUnit XML reports hold at least one test, no failure and no error."""
    if not reports:
        raise InvalidInput("There is no JUnit report here. Name at least one file in `results`.", field="results")
    subject, files = await _subject_and_files(record, caller, about, reports)
    contents = [await evidence.whole(record, found) for found in files.found[: len(reports)]]
    result = await record.sandbox.read_junit(contents)
    return await _append(record, caller, about, subject, files, "junit", result, idempotency=idempotency)


async def scan(
    record: Record,
    caller: Caller,
    about: About,
    *,
    tool: str,
    report: File,
    thresholds: Mapping[str, int | None] | None = None,
    idempotency: Idempotency | None = None,
) -> Receipt:
    """Compliant when a scanner's report (`sarif`, `snyk`, `trivy`) stays within the thresholds by severity."""
    read = {
        "sarif": record.sandbox.read_sarif,
        "snyk": record.sandbox.read_snyk,
        "trivy": record.sandbox.read_trivy,
    }[tool]
    subject, files = await _subject_and_files(record, caller, about, [report])
    content = await evidence.whole(record, files.found[0])
    result = await read(content, thresholds=DEFAULT_THRESHOLDS if thresholds is None else thresholds)
    return await _append(record, caller, about, subject, files, tool, result, idempotency=idempotency)


async def bill_of_materials(
    record: Record, caller: Caller, about: About, *, report: File, idempotency: Idempotency | None = None
) -> Receipt:
    """Compliant when the SBOM parses and, where it names its subject's digest, that is the artifact's."""
    subject, files = await _subject_and_files(record, caller, about, [report])
    content = await evidence.whole(record, files.found[0])
    result = await record.sandbox.read_sbom(content, fingerprint=_fingerprint(subject))
    return await _append(record, caller, about, subject, files, "sbom", result, idempotency=idempotency)


async def provenance_statement(
    record: Record, caller: Caller, about: About, *, envelope: File, idempotency: Idempotency | None = None
) -> Receipt:
    """Compliant when a trusted key signed the statement and one of its subjects is the artifact."""
    if about.fingerprint is None:
        raise InvalidInput(
            "Provenance is checked against an artifact's digest. Report the artifact, then attest with its fingerprint.",
            field="fingerprint",
        )
    subject, files = await _subject_and_files(record, caller, about, [envelope])
    content = await evidence.whole(record, files.found[0])
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        known = await queries.signing_keys(connection, moment)
    keys = [TrustedKey(key_id=key.key_id, pem=key.pem, name=key.name) for key in known if key.trusted]
    result = await record.sandbox.read_provenance(content, fingerprint=_fingerprint(subject), keys=keys)
    return await _append(record, caller, about, subject, files, "provenance", result, idempotency=idempotency)


async def custom(
    record: Record,
    caller: Caller,
    about: About,
    *,
    type_name: str,
    data: Any,
    idempotency: Idempotency | None = None,
) -> Receipt:
    """Compliant when the data is valid by the type's JSON Schema and each of its jq rules yields true."""
    checked_name(type_name, TYPE_NAME, field="type name")
    subject, files = await _subject_and_files(record, caller, about)
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        kind = await queries.custom_type(connection, moment, type_name)
    if kind is None:
        raise NotFound(f"There is no attestation type called {type_name}. Define it with defineAttestationType first.")
    strict_json.check_value(data, field="data")
    result = await record.sandbox.read_custom(data, schema=kind.json_schema, rules=kind.rules)
    return await _append(
        record,
        caller,
        about,
        subject,
        files,
        f"custom:{type_name}",
        result,
        extra={"type_version": kind.version, "data": details.attached({"data": data}, field="data")["data"]},
        idempotency=idempotency,
    )


async def reported(
    record: Record,
    caller: Caller,
    about: About,
    *,
    kind: str,
    data: Any,
    read: Callable[[Any], ReportResult],
    idempotency: Idempotency | None = None,
) -> Receipt:
    """What the reporter says in `data`, judged by a pure rule. The data stays with the attestation."""
    subject, files = await _subject_and_files(record, caller, about)
    result = read(data)
    kept = details.attached({"data": data}, field="data", most=DATA_BYTES_MAX)["data"]
    return await _append(
        record, caller, about, subject, files, kind, result, extra={"data": kept}, idempotency=idempotency
    )


async def override(
    record: Record,
    caller: Caller,
    about: About,
    *,
    overrides: str,
    compliant: bool,
    reason: str,
    expires_at: datetime,
    idempotency: Idempotency | None = None,
) -> Receipt:
    """Replaces the verdict of the named attestation of the same subject until it expires. Only approvers may."""
    caller.require(Action.REVIEW, flow=about.flow)
    checked_name(overrides, ATTESTATION_NAME, field="overridden name")
    if not reason.strip():
        raise InvalidInput("An override needs a reason. Say why the verdict is replaced.", field="reason")
    if details.checked_instant(expires_at, field="expiry") <= record.clock.now():
        raise InvalidInput(
            "This override would have expired already. Choose an instant in the future.", field="expiresAt"
        )
    result = ReportResult(
        compliant=compliant,
        summary={"reason": details.checked_text(reason, field="reason"), "approver": caller.principal},
        explanation=f"{caller.principal} overrides {overrides}: {reason.strip()[:500]}",
    )
    subject, files = await _subject_and_files(record, caller, about, action=Action.REVIEW)
    return await _append(
        record,
        caller,
        about,
        subject,
        files,
        "override",
        result,
        extra={"overrides": overrides, "expires_at": to_rfc3339(expires_at)},
        idempotency=idempotency,
    )


@dataclass(frozen=True, slots=True)
class _Subject:
    where: Place
    name: str
    said: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Files:
    named: tuple[File, ...]
    found: list[stored.Evidence]


def _fingerprint(subject: _Subject) -> Fingerprint | None:
    known = subject.said.get("fingerprint")
    return None if known is None else Fingerprint(known)


async def _subject_and_files(
    record: Record,
    caller: Caller,
    about: About,
    reports: Sequence[File] = (),
    *,
    action: Action = Action.WRITE,
) -> tuple[_Subject, _Files]:
    """The subject and the evidence, both known to exist; `reports` come first among the files."""
    caller.require(action, flow=about.flow)
    template_name, name = _split_name(about)
    fingerprint = None if about.fingerprint is None else checked_fingerprint(about.fingerprint)
    named = (*reports, *(file for file in about.evidence if file not in reports))
    _check_files(named)
    where = await placed(record, caller, flow=about.flow, trail=about.trail, fingerprint=fingerprint)
    found = await evidence.required(record, caller, [checked_digest(file.digest) for file in named])
    said: dict[str, str] = {}
    commit = about.commit or where.commit
    if about.commit is not None:
        checked_name(about.commit, COMMIT, field="commit")
    if fingerprint is not None:
        said["fingerprint"] = fingerprint
    elif template_name is not None:
        if commit is None:
            raise InvalidInput(
                f"{about.name} is about an artifact still to be reported, and neither this nor the trail names a commit. "
                "Give the commit it is built from, or the artifact's fingerprint.",
                field="commit",
            )
        said["template_name"] = template_name
    if commit is not None:
        said["commit"] = commit
    return _Subject(where, name, said), _Files(named, found)


def _split_name(about: About) -> tuple[str | None, str]:
    """`app.unit-tests` is about the artifact `app`; where a fingerprint is given too, the fingerprint decides."""
    template_name, dot, name = about.name.rpartition(".")
    checked_name(name, ATTESTATION_NAME, field="attestation name")
    if not dot:
        return None, name
    checked_name(template_name, TEMPLATE_ARTIFACT_NAME, field="template name")
    return template_name, name


def _check_files(files: Sequence[File]) -> None:
    if len(files) > FILES_MAX:
        raise InvalidInput(f"{len(files)} files are too many. Use at most {FILES_MAX}, or pack them.", field="evidence")
    names = set()
    for file in files:
        if not file.name or len(file.name) > 255 or any(ord(letter) < 32 or ord(letter) == 127 for letter in file.name):
            raise InvalidInput(
                "A file of evidence has an empty name, one longer than 255 characters, or one with control characters. Rename it.",
                field="evidence",
            )
        if file.name in names:
            raise InvalidInput(
                f"Two files are called {file.name!r}. Give each file a name of its own.", field="evidence"
            )
        names.add(file.name)


async def _append(
    record: Record,
    caller: Caller,
    about: About,
    subject: _Subject,
    files: _Files,
    kind: str,
    result: ReportResult,
    *,
    extra: Mapping[str, Any] | None = None,
    idempotency: Idempotency | None,
) -> Receipt:
    where = subject.where
    body: dict[str, Any] = {
        "flow_id": str(where.flow_id),
        "flow": where.flow,
        "trail_id": str(where.trail_id),
        "trail": where.trail,
        "name": subject.name,
        "type": kind,
        "subject": subject.said,
        "result": {
            "compliant": result.compliant,
            "explanation": result.explanation,
            "summary": result.summary,
        },
        "description": details.checked_text(about.description, field="description"),
        "external_urls": details.links(about.external_urls),
        "annotations": details.attached(about.annotations, field="annotations"),
        "user_data": details.attached(about.user_data, field="user data"),
        "evidence": [
            {
                "sha256": found.digest,
                "name": file.name,
                "media_type": found.media_type
                if file.media_type is None
                else evidence.checked_media_type(file.media_type),
                "size": found.size,
            }
            for file, found in zip(files.named, files.found, strict=True)
        ],
        **(extra or {}),
    }
    if about.origin_url is not None:
        body["origin_url"] = details.checked_url(about.origin_url, field="origin URL")
    return await record.ledger.append(caller, Draft("attestation.recorded", body), idempotency=idempotency)
