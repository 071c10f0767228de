"""Facts for tests of policies, written short."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from record.attestations.rules import AttestationFact
from record.flows.templates import Template
from record.ids import EntryIndex
from record.policies.documents import parse
from record.policies.facts import ApprovalFact, ArtifactFacts, Membership, RunFact, WaiverFact
from record.policies.forms import Policy
from record.policies.rules import judge
from record.trails.facts import ArtifactFact, TrailFacts
from record.verdicts import Status, Verdict

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SAVER = "0123456789abcdef" * 4
NO_TAGS: dict[str, str] = {}


def policy(artifacts: str, *, flows: str = "", name: str = "production") -> Policy:
    """A policy with these rules (a YAML flow mapping) and this scope."""
    scope = f"flows: {flows}\n" if flows else ""
    return parse(f"version: 1\n{scope}artifacts: {{{artifacts}}}", name=name, version=3)


def attested(
    index: int,
    name: str,
    kind: str = "junit",
    *,
    compliant: bool = True,
    on: str | None = SAVER,
    overrides: str | None = None,
    until: datetime | None = None,
) -> AttestationFact:
    said = "As it should be." if compliant else "Not as it should be."
    return AttestationFact(EntryIndex(index), name, kind, compliant, said, on, None, None, overrides, until)


def member(
    *facts: AttestationFact,
    flow: str = "saver-ci",
    trail: str = "1234",
    tags: Mapping[str, str] = NO_TAGS,
    template: Template | None = None,
    index: int = 0,
) -> Membership:
    report = ArtifactFact(EntryIndex(index), SAVER, "saver", "abcdef0123", "acme/saver:7")
    return Membership(flow, tags, TrailFacts(trail, template, 1, tuple(facts), (report,)), report)


def approval(
    index: int,
    *people: str,
    at: datetime = NOON - HOUR,
    requested_by: str = "bob",
    authors: Sequence[str] = ("Eve <eve@acme.com>",),
    state: str = "APPROVED",
    environment: str = "prod",
    expires_at: datetime | None = None,
) -> ApprovalFact:
    given = tuple((who, at, EntryIndex(index + 1 + place)) for place, who in enumerate(people))
    return ApprovalFact(EntryIndex(index), SAVER, environment, given, requested_by, tuple(authors), state, expires_at)


def waiver(
    index: int,
    *,
    fingerprint: str | None = SAVER,
    rule: str | None = None,
    until: datetime | None = NOON + DAY,
    environment: str = "prod",
) -> WaiverFact:
    return WaiverFact(EntryIndex(index), f"w{index}", environment, fingerprint, rule, "ada", "Fix is coming.", until)


def run(environment: str, since: datetime, until: datetime | None = None) -> RunFact:
    return RunFact(environment, SAVER, since, until)


def artifact(
    *memberships: Membership,
    approvals: Sequence[ApprovalFact] = (),
    waivers: Sequence[WaiverFact] = (),
    runs: Sequence[RunFact] = (),
    ages: Mapping[int, timedelta] = {},
    counts: Mapping[int, Mapping[str, int]] = {},
    name: str = "acme/saver:7",
) -> ArtifactFacts:
    """The artifact; attestations are an hour old unless `ages` says otherwise."""
    facts = [fact for each in memberships for fact in each.trail.attestations]
    at = {fact.entry_index: NOON - ages.get(fact.entry_index, HOUR) for fact in facts}
    found = {EntryIndex(index): value for index, value in counts.items()}
    return ArtifactFacts(SAVER, name, memberships, tuple(approvals), tuple(waivers), tuple(runs), at, found)


def verdict(asked: Policy, facts: ArtifactFacts, *, now: datetime = NOON) -> Verdict:
    return judge(asked, facts, environment="prod", now=now)


def status(asked: Policy, facts: ArtifactFacts, *, now: datetime = NOON) -> Status:
    return verdict(asked, facts, now=now).status
