"""The laws that no report on controls may break, whatever is recorded."""

from dataclasses import replace
from random import Random

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from record.attestations.rules import AttestationFact
from record.controls.mappings import ApprovalRequired, AttestationRequired, PolicyRequired, Requirement
from record.controls.rules import Change, Court, as_it_stood, tally
from record.ids import EntryIndex
from record.policies.facts import ApprovalFact, ArtifactFacts, Membership
from record.trails.facts import ArtifactFact, TrailFacts
from tests.record.controls.material import NOW, THEN, court, deployment, shadow
from tests.record.policies.material import HOUR, NOON, SAVER, approval, artifact, policy

POLICY = policy("provenance: {required: true}, attestations: [{name: a}]")
REQUIREMENTS: list[Requirement] = [
    AttestationRequired("a"),
    AttestationRequired("a", "junit"),
    AttestationRequired(None, "trivy"),
    AttestationRequired("b", None, ("x",)),
    ApprovalRequired(),
    ApprovalRequired(2, not_author=True),
    PolicyRequired("production"),
]
PEOPLE = st.sampled_from(["ada", "cyd", "dan", "eve"])


@st.composite
def memberships(draw: st.DrawFn, numbers: list[int]) -> Membership:
    report = ArtifactFact(EntryIndex(numbers.pop(0)), SAVER, "saver", None, "acme/saver:7")
    facts = []
    for _ in range(draw(st.integers(0, 4))):
        index = numbers.pop(0)
        kind = draw(st.sampled_from(["junit", "trivy", "override"]))
        overrides = draw(st.sampled_from(["a", "b"])) if kind == "override" else None
        name = "o" if overrides else draw(st.sampled_from(["a", "b"]))
        ends = draw(st.none() | st.integers(-3, 3).map(lambda hours: NOON + HOUR * hours)) if overrides else None
        on = draw(st.sampled_from([SAVER, None]))
        said = draw(st.booleans())
        facts.append(
            AttestationFact(EntryIndex(index), name, kind, said, "So.", on, overrides=overrides, expires_at=ends)
        )
    trail = TrailFacts(str(report.entry_index), None, 1, tuple(facts), (report,))
    return Membership(draw(st.sampled_from(["x", "y"])), {}, trail, report)


@st.composite
def known(draw: st.DrawFn) -> ArtifactFacts:
    numbers = draw(st.permutations(range(30)))
    members = [draw(memberships(numbers)) for _ in range(draw(st.integers(0, 3)))]
    asked = [approval(numbers.pop(0) * 10, *draw(st.sets(PEOPLE, max_size=3)))] if draw(st.booleans()) else []
    return artifact(*members, approvals=asked)


CHANGES = st.lists(
    st.one_of(
        st.builds(
            lambda index, size: deployment(index, known=min(index, size)), st.integers(1, 99), st.integers(0, 40)
        ),
        st.builds(shadow, st.integers(100, 199)),
    ),
    max_size=8,
    unique_by=lambda change: change.place,
)
ASKED = st.lists(st.sampled_from(REQUIREMENTS), min_size=1, max_size=3, unique=True)


def found(sitting: Court, change: Change, asked: list[Requirement]) -> tuple[bool, bool]:
    return sitting.find(change, asked, THEN).met, sitting.find(change, asked, NOW).met


@settings(max_examples=200, deadline=None)
@given(known(), CHANGES, ASKED)
def test_the_population_is_what_was_met_and_the_exceptions(
    facts: ArtifactFacts, changes: list[Change], asked: list[Requirement]
) -> None:
    sitting = court(facts, POLICY)
    findings = [found(sitting, change, asked) for change in changes]

    counted = tally(findings)

    assert counted.population == len(changes)
    for place, basis in enumerate((THEN, NOW)):
        exceptions = sum(not finding[place] for finding in findings)
        assert counted.population == counted.met(basis) + counted.exceptions(basis)
        assert counted.exceptions(basis) == exceptions


@settings(max_examples=200, deadline=None)
@given(known(), CHANGES, ASKED, st.randoms(use_true_random=False))
def test_the_order_of_facts_changes_and_requirements_never_matters(
    facts: ArtifactFacts, changes: list[Change], asked: list[Requirement], chance: Random
) -> None:
    sitting, again = court(facts, POLICY), court(shuffled(facts, chance), POLICY)
    expected = {change.place: found(sitting, change, asked) for change in changes}

    others, mixed = chance.sample(changes, len(changes)), chance.sample(asked, len(asked))

    assert {change.place: found(again, change, mixed) for change in others} == expected


@settings(max_examples=300, deadline=None)
@given(known(), ASKED, st.integers(0, 2), st.sampled_from(["a", "b"]), st.sampled_from([SAVER, None]), PEOPLE)
def test_adding_evidence_never_lowers(
    facts: ArtifactFacts, asked: list[Requirement], trail: int, name: str, on: str | None, who: str
) -> None:
    """Good evidence of the type that is asked for: a right attestation, or one more approval.

    Not where somebody has overridden that very name as wrong: then it is the override that gets something to replace.
    """
    overridden = [each for member in facts.memberships for each in member.trail.attestations if each.overrides == name]
    assume(all(each.compliant for each in overridden))
    kinds = {each.type for each in asked if isinstance(each, AttestationRequired) and each.name == name and each.type}
    added = AttestationFact(EntryIndex(900), name, next(iter(kinds), "trivy"), True, "So.", on)
    more = with_approval(with_attestation(facts, added, trail), who)
    change = deployment(1000)

    before, after = found(court(facts, POLICY), change, asked), found(court(more, POLICY), change, asked)

    assert all(now or not was for was, now in zip(before, after, strict=True))


@settings(max_examples=200, deadline=None)
@given(known(), ASKED, st.integers(0, 40))
def test_what_is_recorded_after_a_deployment_never_changes_how_it_was_then(
    facts: ArtifactFacts, asked: list[Requirement], size: int
) -> None:
    change = deployment(1000, known=size)
    then = as_it_stood(facts, change)

    assert court(facts, POLICY).find(change, asked, THEN) == court(then, POLICY).find(change, asked, THEN)


@settings(max_examples=200, deadline=None)
@given(known(), ASKED)
def test_a_finding_holds_until_the_instant_that_it_says(facts: ArtifactFacts, asked: list[Requirement]) -> None:
    change = deployment(1000)
    finding = court(facts, POLICY).find(change, asked, NOW)
    until = finding.holds_until
    for instant in (NOON + HOUR / 2, NOON + HOUR, NOON + 3 * HOUR):
        if until is None or instant < until:
            assert court(facts, POLICY, now=instant).find(change, asked, NOW).met is finding.met


def shuffled(facts: ArtifactFacts, chance: Random) -> ArtifactFacts:
    def mixed(member: Membership) -> Membership:
        attestations = chance.sample(member.trail.attestations, len(member.trail.attestations))
        return member._replace(trail=member.trail._replace(attestations=tuple(attestations)))

    return replace(facts, memberships=tuple(map(mixed, chance.sample(facts.memberships, len(facts.memberships)))))


def with_attestation(facts: ArtifactFacts, added: AttestationFact, place: int) -> ArtifactFacts:
    if place >= len(facts.memberships):
        return facts
    members = list(facts.memberships)
    trail = members[place].trail
    members[place] = members[place]._replace(trail=trail._replace(attestations=(*trail.attestations, added)))
    return replace(facts, memberships=tuple(members))


def with_approval(facts: ArtifactFacts, who: str) -> ArtifactFacts:
    def given_by(request: ApprovalFact) -> ApprovalFact:
        return replace(request, approved_by=(*request.approved_by, (who, NOON - HOUR, EntryIndex(901))))

    return replace(facts, approvals=tuple(map(given_by, facts.approvals)))
