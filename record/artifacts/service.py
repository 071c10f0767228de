"""Uses of artifacts: report one into a trail."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from record import details
from record.access.rules import Action, Caller
from record.details import Commit, Link
from record.ids import TEMPLATE_ARTIFACT_NAME, checked_fingerprint, checked_name
from record.ledger.entries import Draft, Idempotency, Receipt
from record.record import Record
from record.refusals import InvalidInput
from record.trails.service import placed

KINDS: Final = ("file", "dir", "oci", "docker", "other")
NAME_MAX: Final = 1_024
NAME_BYTES_MAX: Final = 2_048
"""In UTF-8. Artifacts are found by name through an index, and PostgreSQL's hold at most 2,704 bytes."""


@dataclass(frozen=True, slots=True)
class ReportArtifact:
    """An artifact by its fingerprint, reported into (flow, trail) under the template's name for it."""

    flow: str
    trail: str
    template_name: str
    fingerprint: str
    name: str
    kind: str = "file"
    commit: Commit | None = None
    commit_url: str | None = None
    build_url: str | None = None
    repository_url: str | None = None
    external_urls: tuple[Link, ...] = ()
    annotations: Mapping[str, Any] = field(default_factory=dict)
    user_data: Mapping[str, Any] = field(default_factory=dict)


async def report(
    record: Record, caller: Caller, wish: ReportArtifact, *, idempotency: Idempotency | None = None
) -> Receipt:
    """Records that this artifact came out of this trail. The same fingerprint again is the same artifact, reported again.

    Without a commit of its own it is taken to be built from the trail's.
    """
    caller.require(Action.WRITE, flow=wish.flow)
    checked_name(wish.template_name, TEMPLATE_ARTIFACT_NAME, field="template name")
    fingerprint = checked_fingerprint(wish.fingerprint)
    if wish.kind not in KINDS:
        raise InvalidInput(f"{wish.kind[:80]!r} is no kind of artifact. Use one of {', '.join(KINDS)}.", field="kind")
    body: dict[str, Any] = {
        "fingerprint": fingerprint,
        "name": _checked_artifact_name(wish.name),
        "kind": wish.kind,
        "template_name": wish.template_name,
        **details.commit_details(wish.commit),
        "external_urls": details.links(wish.external_urls),
        "annotations": details.attached(wish.annotations, field="annotations"),
        "user_data": details.attached(wish.user_data, field="user data"),
    }
    for name, url in (
        ("commit_url", wish.commit_url),
        ("build_url", wish.build_url),
        ("repository_url", wish.repository_url),
    ):
        if url is not None:
            body[name] = details.checked_url(url, field=name.replace("_", " ").replace("url", "URL"))
    where = await placed(record, caller, flow=wish.flow, trail=wish.trail)
    if wish.commit is None and where.commit is not None:
        body["commit"] = where.commit
    body |= {
        "flow_id": str(where.flow_id),
        "flow": where.flow,
        "trail_id": str(where.trail_id),
        "trail": where.trail,
    }
    return await record.ledger.append(caller, Draft("artifact.reported", body), idempotency=idempotency)


def _checked_artifact_name(name: str) -> str:
    if not name:
        raise InvalidInput("The artifact's name is empty. Give the file's or image's name.", field="name")
    size = len(details.checked_text(name, field="artifact name", most=NAME_MAX).encode("utf-8", "surrogatepass"))
    if size > NAME_BYTES_MAX:
        raise InvalidInput(
            f"This artifact name has {size} bytes in UTF-8. Use at most {NAME_BYTES_MAX}.", field="artifact name"
        )
    return name
