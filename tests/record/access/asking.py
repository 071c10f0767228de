"""Every query of the record, each with a question that an organization with everything in it can answer.

`Known` is what a stranger may have heard of that organization: its ids, names, digests. That no query is missing is checked.
"""

import dataclasses
import importlib
import inspect
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID

from record.access import queries as access
from record.access import tokens
from record.adoption import queries as adoption
from record.adoption.rules import Adoption, Bucket
from record.approvals import queries as approvals
from record.archives import queries as archives
from record.artifacts import queries as artifacts
from record.attestations import queries as attestations
from record.controls import queries as controls
from record.controls.rules import Window
from record.database import Connection
from record.deployments import queries as deployments
from record.drift import queries as drift
from record.environments import queries as environments
from record.evidence import queries as evidence
from record.flows import queries as flows
from record.ids import Fingerprint
from record.judgements import queries as judgements
from record.ledger import queries as ledger
from record.moment import Moment
from record.notices import queries as notices
from record.policies import queries as policies
from record.policies.facts import ArtifactFacts
from record.scrubbing import queries as scrubbing
from record.search.queries import search
from record.trails import queries as trails
from record.trails.facts import TrailFacts
from record.vault import content_key
from record.waivers import queries as waivers
from tests.record.access.known import ARCHIVE_KEY, NAMES, Known
from tests.record.organizations import FINGERPRINT


async def _values(answer: Awaitable[dict[Any, Any]]) -> list[Any]:
    return list((await answer).values())


async def _figures(answer: Awaitable[Adoption]) -> list[Any]:
    """What an answer counts. Its periods are the question's."""
    told = await answer
    return [each.whole for each in (told.everything, *told.flows, *told.environments)]


def _around(moment: Moment) -> Window:
    return Window(moment.instant - timedelta(days=1), moment.instant + timedelta(days=1))


Question: TypeAlias = Callable[[Connection, Moment, Known], Awaitable[Any]]

_SHA = Fingerprint(FINGERPRINT)

QUESTIONS: dict[str, Question] = {
    "access.key_by_token": lambda c, m, k: access.key_by_token(c, m.org_id, tokens.token_sha256(k.token)),
    "access.organization": lambda c, m, k: access.organization(c, m),
    "access.principals": lambda c, m, k: access.principals(c, m, ids=[k.principal_id]),
    "access.keys": lambda c, m, k: access.keys(c, m, key_id=k.key_id),
    "adoption.adoption": lambda c, m, k: _figures(adoption.adoption(c, m, _around(m), Bucket.DAY)),
    "adoption.next_due": lambda c, m, k: adoption.next_due(c, m, _around(m)),
    "approvals.by_ids": lambda c, m, k: approvals.by_ids(c, m, [k.approval.approval_id]),
    "approvals.of_fingerprints": lambda c, m, k: approvals.of_fingerprints(c, m, [_SHA]),
    "approvals.page": lambda c, m, k: approvals.page(c, m, limit=9),
    "approvals.facts_about": lambda c, m, k: _values(approvals.facts_about(c, m, [_SHA])),
    "archives.by_ids": lambda c, m, k: archives.by_ids(c, m, [k.archive_id]),
    "archives.page": lambda c, m, k: archives.page(c, m, limit=10),
    "archives.downloads": lambda c, m, k: archives.downloads(c, m, [k.archive_id]),
    "archives.keys_among": lambda c, m, k: archives.keys_among(c, m.org_id, [ARCHIVE_KEY]),
    "archives.without_job": lambda c, m, k: archives.without_job(c, m.org_id),
    "artifacts.reports_of": lambda c, m, k: artifacts.reports_of(c, m, [_SHA]),
    "artifacts.by_trails": lambda c, m, k: artifacts.by_trails(c, m, [k.trail_id]),
    "artifacts.fingerprints_like": lambda c, m, k: artifacts.fingerprints_like(c, m, "f1f1", readable=None, limit=9),
    "artifacts.built": lambda c, m, k: artifacts.built(c, m, _SHA),
    "artifacts.built_in_flow": lambda c, m, k: artifacts.built_in_flow(c, m, NAMES, "app", commit=None),
    "artifacts.others_of_unit": lambda c, m, k: artifacts.others_of_unit(
        c, m, k.built, [each.member.fingerprint for each in k.running]
    ),
    "attestations.by_trails": lambda c, m, k: attestations.by_trails(c, m, [k.trail_id]),
    "attestations.by_entries": lambda c, m, k: attestations.by_entries(c, m, [k.attested_at]),
    "attestations.by_ids": lambda c, m, k: attestations.by_ids(c, m, [k.attestation_id]),
    "attestations.custom_types": lambda c, m, k: attestations.custom_types(c, m),
    "attestations.custom_type": lambda c, m, k: attestations.custom_type(c, m, "coverage"),
    "attestations.signing_keys": lambda c, m, k: attestations.signing_keys(c, m),
    "controls.by_name": lambda c, m, k: controls.by_name(c, m, "rules"),
    "controls.by_ids": lambda c, m, k: controls.by_ids(c, m, [k.framework.framework_id]),
    "controls.page": lambda c, m, k: controls.page(c, m, limit=9),
    "controls.versions": lambda c, m, k: controls.versions(c, m, k.framework.framework_id, limit=9),
    "controls.controls": lambda c, m, k: controls.controls(c, m, k.framework, limit=9),
    "controls.control": lambda c, m, k: controls.control(c, m, k.framework, "R-1"),
    "controls.mapping_versions": lambda c, m, k: controls.mapping_versions(
        c, m, k.framework.framework_id, "R-1", limit=9
    ),
    "controls.flows_known": lambda c, m, k: controls.flows_known(c, m, [NAMES]),
    "deployments.by_ids": lambda c, m, k: deployments.by_ids(c, m, [k.deployment.deployment_id]),
    "deployments.page": lambda c, m, k: deployments.page(c, m, [k.environment.environment_id], limit=9),
    "deployments.of_fingerprints": lambda c, m, k: deployments.of_fingerprints(c, m, [_SHA]),
    "deployments.previous": lambda c, m, k: deployments.previous(c, m, [k.deployment]),
    "deployments.last_of_units": lambda c, m, k: deployments.last_of_units(c, m, k.environment.environment_id),
    "deployments.drift_facts": lambda c, m, k: deployments.drift_facts(c, m, k.environment, []),
    "drift.page": lambda c, m, k: drift.page(c, m, [k.environment], limit=9),
    "environments.by_name": lambda c, m, k: environments.by_name(c, m, "prod"),
    "environments.by_names": lambda c, m, k: environments.by_names(c, m, ["prod"]),
    "environments.by_ids": lambda c, m, k: environments.by_ids(c, m, [k.environment.environment_id]),
    "environments.page": lambda c, m, k: environments.page(c, m, limit=9),
    "environments.last_reports": lambda c, m, k: environments.last_reports(c, m, [k.environment.environment_id]),
    "environments.flows_of": lambda c, m, k: environments.flows_of(c, m, [_SHA]),
    "evidence.by_digests": lambda c, m, k: evidence.by_digests(c, m, [k.digest]),
    "evidence.attachable": lambda c, m, k: evidence.attachable(
        c, m, [k.digest], principal="ada", principal_id=k.principal_id, readable=frozenset({NAMES})
    ),
    "evidence.attached_to": lambda c, m, k: evidence.attached_to(c, m, [k.attested_at]),
    "evidence.among": lambda c, m, k: evidence.among(c, m, [k.digest], flows=None),
    "evidence.keys_among": lambda c, m, k: evidence.keys_among(c, m.org_id, [content_key(k.digest)]),
    "evidence.stored_after": lambda c, m, k: evidence.stored_after(c, m, "", limit=10),
    "flows.by_name": lambda c, m, k: flows.by_name(c, m, NAMES),
    "flows.by_ids": lambda c, m, k: flows.by_ids(c, m, [k.flow_id]),
    "flows.page": lambda c, m, k: flows.page(c, m, limit=10),
    "flows.public_names": lambda c, m, k: flows.public_names(c, m),
    "flows.template_versions": lambda c, m, k: flows.template_versions(c, m, k.flow_id, limit=10),
    "ledger.entry": lambda c, m, k: ledger.entry(c, m, k.attested_at),
    "ledger.entry_by_id": lambda c, m, k: ledger.entry_by_id(c, m, k.attestation_id),
    "ledger.entries_after": lambda c, m, k: ledger.entries_after(c, m, 3, count_max=10),
    "ledger.entries_before": lambda c, m, k: ledger.entries_before(c, m, k.size, count_max=10),
    "ledger.size_at": lambda c, m, k: ledger.size_at(c, m.org_id, m.instant + timedelta(days=1)),
    "ledger.newest_checkpoint": lambda c, m, k: ledger.newest_checkpoint(c, m.org_id),
    "ledger.checkpoint_of": lambda c, m, k: ledger.checkpoint_of(c, m.org_id, k.size),
    "ledger.checkpoint_covering": lambda c, m, k: ledger.checkpoint_covering(c, m.org_id, k.size),
    "ledger.checkpoints": lambda c, m, k: ledger.checkpoints(c, m, limit=10),
    "judgements.page": lambda c, m, k: judgements.page(c, m, k.environment.environment_id, limit=9),
    "judgements.lately": lambda c, m, k: judgements.lately(c, m, limit=9),
    "judgements.of_snapshots": lambda c, m, k: judgements.of_snapshots(c, m, [(k.environment.environment_id, 1)]),
    "judgements.last_of": lambda c, m, k: judgements.last_of(c, m, [k.environment.environment_id]),
    "judgements.standings": lambda c, m, k: judgements.standings(c, m, [k.trail_id]),
    "judgements.last_point": lambda c, m, k: judgements.last_point(c, m),
    "judgements.histories": lambda c, m, k: judgements.histories(c, m, [k.trail_id]),
    "judgements.every_environment": lambda c, m, k: judgements.every_environment(c, m),
    "ledger.entries_at": lambda c, m, k: ledger.entries_at(c, m, [k.attested_at]),
    "notices.by_name": lambda c, m, k: notices.by_name(c, m, "alerts"),
    "notices.by_ids": lambda c, m, k: notices.by_ids(c, m, [k.notice.notice_id]),
    "notices.page": lambda c, m, k: notices.page(c, m, limit=9),
    "notices.all_of": lambda c, m, k: notices.all_of(c, m),
    "notices.expiring_keys": lambda c, m, k: notices.expiring_keys(c, m, m.instant + timedelta(days=60)),
    "policies.by_name": lambda c, m, k: policies.by_name(c, m, "known"),
    "policies.by_names": lambda c, m, k: policies.by_names(c, m, ["known"]),
    "policies.by_ids": lambda c, m, k: policies.by_ids(c, m, [k.policy.policy_id]),
    "policies.page": lambda c, m, k: policies.page(c, m, limit=9),
    "policies.versions": lambda c, m, k: policies.versions(c, m, k.policy.policy_id, limit=9),
    "policies.attached_to": lambda c, m, k: policies.attached_to(c, m, [k.environment.environment_id]),
    "policies.attached_to_named": lambda c, m, k: policies.attached_to_named(c, m, "prod"),
    "policies.environments_of": lambda c, m, k: policies.environments_of(c, m, [k.policy.policy_id]),
    "policies.facts_about": lambda c, m, k: policies.facts_about(c, m, [FINGERPRINT], counted={"*"}),
    "scrubbing.entries_between": lambda c, m, k: scrubbing.entries_between(c, m.org_id, 4, 9),
    "scrubbing.checkpoints_between": lambda c, m, k: scrubbing.checkpoints_between(c, m.org_id, 0, k.size),
    "scrubbing.entries_present": lambda c, m, k: scrubbing.entries_present(c, m.org_id, [k.attested_at]),
    "scrubbing.evidence_page": lambda c, m, k: scrubbing.evidence_page(c, m.org_id, k.size, "", 10),
    "search.search": lambda c, m, k: search(c, m, "f1f1f1f1", readable=None, limit=10),
    "trails.by_name": lambda c, m, k: trails.by_name(c, m, NAMES, "t1"),
    "trails.by_ids": lambda c, m, k: trails.by_ids(c, m, [k.trail_id]),
    "trails.page": lambda c, m, k: trails.page(c, m, k.flow_id, limit=10),
    "trails.pages": lambda c, m, k: trails.pages(c, m, [trails.Stretch(k.flow_id, 10, None, None)]),
    "trails.place": lambda c, m, k: trails.place(c, m, NAMES, "t1"),
    "waivers.by_ids": lambda c, m, k: waivers.by_ids(c, m, [k.waiver.waiver_id]),
    "waivers.page": lambda c, m, k: waivers.page(c, m, limit=9),
    "waivers.of_environments": lambda c, m, k: waivers.of_environments(c, m, [k.environment.environment_id]),
    "waivers.facts_about": lambda c, m, k: waivers.facts_about(c, m, [_SHA], [k.environment.environment_id]),
    "waivers.expiring": lambda c, m, k: waivers.expiring(c, m, m.instant + timedelta(days=2)),
    "trails.facts_of": lambda c, m, k: trails.facts_of(c, m, [k.trail]),
}

IN_OPS: dict[str, Question] = {
    "notices.deliveries_by_ids": lambda c, m, k: notices.deliveries_by_ids(c, m.org_id, [k.delivery_id]),
    "notices.deliveries_page": lambda c, m, k: notices.deliveries_page(c, m.org_id, k.notice.notice_id, limit=9),
    "notices.attempts": lambda c, m, k: notices.attempts(c, m.org_id, k.delivery_id, limit=9),
    "notices.health": lambda c, m, k: notices.health(c, m.org_id, k.notice),
    "notices.sealed_secrets": lambda c, m, k: notices.sealed_secrets(
        c, m.org_id, k.notice.notice_id, [k.notice.secret_id or UUID(int=0)]
    ),
}
"""Of schema `ops`, which has no row-level security and no past: the organization in the question is all that parts them."""

EXEMPT = {
    "trails.between": "a page of trails, which is asked",
    "deployments.commits_between": "two questions about trails, by their ids and by their flow's",
    "environments.note_report": "writes to schema ops, and gives back the entry of a snapshot that was read before",
    "access.last_uses": "schema ops, which has no row-level security; asked with the caller's organization",
    "access.note_uses": "schema ops",
    "archives.progress": "schema ops",
    "judgements.judged_since": "what came after a moment; the same table, policy and index as judgements.last_of",
    "judgements.trails_expiring": "needs an override; the same table and policy as attestations.by_trails",
    "ledger.organization_named": "schema ops, for routes that are open to everyone",
    "ledger.organizations": "schema ops, for workers",
    "ledger.unsigned": "schema ops, for workers",
    "ledger.unpublished": "schema ops, for workers",
    "requests.page": "asked through approvals.page and waivers.page",
    "requests.acts_of": "asked through approvals.by_ids and waivers.by_ids",
    "requests.note": "writes to schema ops what a page of the organization's own requests says",
    "requests.forget": "writes to schema ops",
    "requests.to_note": "schema ops, for workers",
    "scrubbing.extent": "schema ops and sizes of the record, for workers",
    "scrubbing.full_tiles": "needs 256 entries; the same table and policy as checkpoints",
    "scrubbing.stray_tiles": "needs 256 entries",
    "scrubbing.newest_scrub": "an instant",
    "evidence.note_upload": "writes to schema ops, for the organization of the moment",
    "sessions.begin": "writes to schema ops, for the organization whose key was shown",
    "sessions.seats": "schema ops; one session is of several organizations, and only its secret, which nobody lists, finds it",
    "sessions.end": "takes out of schema ops what that secret finds",
}


def every_query() -> set[str]:
    """All queries of the record, but those of jobs, which live in schema ops."""
    root = Path(access.__file__).parents[2]
    found = set()
    for path in sorted((root / "record").rglob("queries.py")):
        module = importlib.import_module(".".join(path.relative_to(root).with_suffix("").parts))
        found |= {
            f"{path.parent.name}.{name}"
            for name, function in vars(module).items()
            if inspect.iscoroutinefunction(function)
            and function.__module__ == module.__name__
            and not name.startswith("_")
            and path.parent.name != "jobs"
        }
    return found


def says_nothing(answer: Any) -> bool:
    """Whether an answer holds nothing but absence, and what it was asked with."""
    if isinstance(answer, TrailFacts):
        return not answer.attestations and not answer.artifacts
    if isinstance(answer, ArtifactFacts):
        return not answer.memberships
    if dataclasses.is_dataclass(answer) and not isinstance(answer, type):
        return all(says_nothing(getattr(answer, each.name)) for each in dataclasses.fields(answer))
    if isinstance(answer, (list, tuple, set, frozenset)):
        return all(says_nothing(each) for each in answer)
    return not answer
