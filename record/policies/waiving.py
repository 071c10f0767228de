"""Waivers before a policy: which are in force, what they accept, and what becomes of a verdict that one covers."""

from datetime import datetime

from record.clock import to_rfc3339
from record.policies.courses import Course, covered
from record.policies.facts import ArtifactFacts, WaiverFact
from record.policies.forms import Policy, Rule
from record.verdicts import Reason, Status


def live(artifact: ArtifactFacts, environment: str, now: datetime) -> list[WaiverFact]:
    """The waivers in force for this artifact in that environment."""
    return [
        waiver
        for waiver in artifact.waivers
        if waiver.environment == environment
        and waiver.fingerprint in (None, artifact.fingerprint)
        and (waiver.expires_at is None or now < waiver.expires_at)
    ]


def accepts(waiver: WaiverFact, policy: Policy, rule: Rule) -> bool:
    """Whether the waiver is of this rule, named alone or after its policy."""
    return waiver.rule is not None and waiver.rule in (rule.key, f"{policy.name}/{rule.key}")


def waived(course: Course, reason: Reason, waivers: list[WaiverFact]) -> tuple[Course, Reason]:
    """A course that a waiver covers, as long as the last of them does."""
    if not waivers:
        return course, reason
    last = max(waivers, key=lambda waiver: (waiver.expires_at is None, waiver.expires_at, waiver.entry_index))
    if course.status is not Status.COMPLIANT:
        until = f"until {to_rfc3339(last.expires_at)}" if last.expires_at is not None else "for good"
        said = f"Waived {until}, accepted by {last.accepted_by}: {last.reason}"
        below = reason.because if not reason.explanation else (reason,)
        reason = Reason(reason.rule, reason.subject, Status.COMPLIANT, said, None, last.entry_index, below)
    return covered(course, last.expires_at), reason
