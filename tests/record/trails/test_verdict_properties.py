"""Verdicts against a second, slow reading of the domain, and the laws that no trail may break."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from record.artifacts.rules import judge_artifact
from record.attestations.rules import AttestationFact
from record.flows.templates import Template, Wanted, WantedArtifact
from record.ids import EntryIndex
from record.trails.facts import ArtifactFact, TrailFacts
from record.trails.rules import is_plainly_compliant, judge_at_a_glance, judge_trail
from record.verdicts import Reason, Status

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NAMES = st.sampled_from(["a", "b", "c"])
KINDS = st.sampled_from(["junit", "generic"])
FINGERPRINTS = st.sampled_from(["1" * 64, "2" * 64, "3" * 64])
TEMPLATE_NAMES = st.sampled_from(["x", "y", "z"])
COMMITS = st.sampled_from(["abcdef0", "abcdef01", "1234567"])
NOWHERE: tuple[None, None, None] = (None, None, None)
SUBJECTS = st.one_of(
    st.just(NOWHERE),
    st.tuples(FINGERPRINTS, st.none(), st.none()),
    st.tuples(st.none(), TEMPLATE_NAMES, COMMITS),
)
WANTED = st.lists(
    st.builds(Wanted, NAMES, st.sampled_from(["junit", "generic", "*"]), st.integers(1, 99)),
    max_size=2,
    unique_by=lambda wanted: wanted.name,
).map(tuple)
TEMPLATES = st.builds(
    Template,
    WANTED,
    st.lists(
        st.builds(WantedArtifact, TEMPLATE_NAMES, WANTED, st.integers(1, 99)),
        max_size=2,
        unique_by=lambda item: item.name,
    ).map(tuple),
)


@st.composite
def trails(draw: st.DrawFn) -> TrailFacts:
    indexes = iter(draw(st.permutations(range(16))))
    attestations = []
    for _ in range(draw(st.integers(0, 9))):
        index, name, subject = next(indexes), draw(NAMES), draw(SUBJECTS)
        if draw(st.integers(0, 3)):
            attestations.append(fact(index, name, draw(KINDS), *subject, compliant=draw(st.booleans())))
        else:
            until = draw(st.one_of(st.none(), st.integers(-1, 4).map(lambda hours: NOW + HOUR * hours)))
            override = fact(index, "an-override", "override", *subject, compliant=draw(st.booleans()))
            attestations.append(override._replace(overrides=name, expires_at=until))
    artifacts = [
        ArtifactFact(
            EntryIndex(next(indexes)), draw(FINGERPRINTS), draw(TEMPLATE_NAMES), draw(st.none() | COMMITS), "image"
        )
        for _ in range(draw(st.integers(0, 4)))
    ]
    return TrailFacts("1234", draw(st.none() | TEMPLATES), 3, tuple(attestations), tuple(artifacts))


def fact(
    index: int,
    name: str,
    kind: str,
    fingerprint: str | None = None,
    template_name: str | None = None,
    commit: str | None = None,
    *,
    compliant: bool,
) -> AttestationFact:
    return AttestationFact(
        EntryIndex(index),
        name,
        kind,
        compliant,
        "So it was found.",
        fingerprint,
        template_name,
        commit,
    )


# --- the second reading: slow, flat, without reasons


def reading_of_trail(trail: TrailFacts, now: datetime) -> Status:
    template = trail.template or Template()
    parts = list(
        leaves(template.trail, [a for a in trail.attestations if not a.fingerprint and not a.template_name], now)
    )
    names = {report.template_name for report in trail.artifacts}
    for name in names:
        latest = max((r for r in trail.artifacts if r.template_name == name), key=lambda r: r.entry_index)
        parts.append(reading_of_artifact(trail, latest, now))
        later = [a for a in ahead(trail, name) if a.entry_index > latest.entry_index]
        parts += leaves((), [a for a in later if not any(same(a.commit, r.commit) for r in of(trail, name))], now)
    for wanted in template.artifacts:
        if wanted.name not in names:
            parts += [Status.INCOMPLETE, *leaves(wanted.attestations, ahead(trail, wanted.name), now)]
    for name in {a.template_name for a in trail.attestations if a.template_name and not a.fingerprint} - names:
        if name not in {wanted.name for wanted in template.artifacts}:
            parts += leaves((), ahead(trail, name), now)
    for fingerprint in {a.fingerprint for a in trail.attestations if a.fingerprint}:
        if fingerprint not in {report.fingerprint for report in trail.artifacts}:
            parts += leaves((), [a for a in trail.attestations if a.fingerprint == fingerprint], now)
    return whole(parts)


def reading_of_artifact(trail: TrailFacts, artifact: ArtifactFact, now: datetime) -> Status:
    template = trail.template or Template()
    on_trail = [a for a in trail.attestations if not a.fingerprint and not a.template_name]
    asked = {wanted.name: wanted.attestations for wanted in template.artifacts}.get(artifact.template_name, ())
    commits = [r.commit for r in of(trail, artifact.template_name) if r.fingerprint == artifact.fingerprint]
    own = [
        a
        for a in trail.attestations
        if a.fingerprint == artifact.fingerprint
        or (a.template_name == artifact.template_name and any(same(a.commit, commit) for commit in commits))
    ]
    return whole([*list(leaves(template.trail, on_trail, now))[: len(template.trail)], *leaves(asked, own, now)])


def leaves(asked: tuple[Wanted, ...], facts: list[AttestationFact], now: datetime) -> Iterator[Status]:
    plain = sorted((a for a in facts if not a.overrides), key=lambda a: a.entry_index)
    decides = {a.name: a for a in plain}
    speaks = {a.overrides: a for a in sorted(facts, key=lambda a: a.entry_index) if a.overrides}
    for wanted in asked:
        if wanted.name not in decides:
            yield Status.INCOMPLETE
        elif wanted.type not in ("*", decides[wanted.name].type):
            yield Status.NON_COMPLIANT
        else:
            yield said(decides[wanted.name], speaks.get(wanted.name), now)
    for name in decides.keys() - {wanted.name for wanted in asked}:
        yield said(decides[name], speaks.get(name), now)


def said(attestation: AttestationFact, override: AttestationFact | None, now: datetime) -> Status:
    live = override is not None and (override.expires_at is None or now < override.expires_at)
    compliant = override.compliant if live and override is not None else attestation.compliant
    return Status.COMPLIANT if compliant else Status.NON_COMPLIANT


def whole(parts: list[Status]) -> Status:
    for status in (Status.NON_COMPLIANT, Status.INCOMPLETE, Status.UNKNOWN):
        if status in parts:
            return status
    return Status.COMPLIANT if parts else Status.UNKNOWN


def ahead(trail: TrailFacts, name: str | None) -> list[AttestationFact]:
    return [a for a in trail.attestations if not a.fingerprint and a.template_name == name]


def of(trail: TrailFacts, name: str) -> list[ArtifactFact]:
    return [report for report in trail.artifacts if report.template_name == name]


def same(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and (one.startswith(other) or other.startswith(one))


# --- the laws


@settings(max_examples=500, deadline=None)
@given(trails())
def test_the_rules_and_the_second_reading_agree(trail: TrailFacts) -> None:
    assert judge_trail(trail, now=NOW).status is reading_of_trail(trail, NOW)
    for artifact in trail.artifacts:
        assert judge_artifact(trail, artifact, now=NOW).status is reading_of_artifact(trail, artifact, NOW)


@settings(max_examples=100, deadline=None)
@given(trails(), st.randoms(use_true_random=False))
def test_the_order_of_facts_never_matters(trail: TrailFacts, random: Random) -> None:
    shuffled = trail._replace(
        attestations=tuple(random.sample(trail.attestations, len(trail.attestations))),
        artifacts=tuple(random.sample(trail.artifacts, len(trail.artifacts))),
    )

    assert judge_trail(shuffled, now=NOW) == judge_trail(trail, now=NOW)


@settings(max_examples=200, deadline=None)
@given(trails(), NAMES | st.just("new"), KINDS, SUBJECTS)
def test_a_further_non_compliant_attestation_turns_nothing_green(
    trail: TrailFacts, name: str, kind: str, subject: tuple[str | None, str | None, str | None]
) -> None:
    assume(name not in {attestation.overrides for attestation in trail.attestations})
    further = trail._replace(attestations=(*trail.attestations, fact(99, name, kind, *subject, compliant=False)))

    if judge_trail(trail, now=NOW).status is not Status.COMPLIANT:
        assert judge_trail(further, now=NOW).status is not Status.COMPLIANT
    for artifact in trail.artifacts:
        if judge_artifact(trail, artifact, now=NOW).status is not Status.COMPLIANT:
            assert judge_artifact(further, artifact, now=NOW).status is not Status.COMPLIANT


@settings(max_examples=200, deadline=None)
@given(trails(), KINDS, SUBJECTS)
def test_a_further_compliant_attestation_of_a_new_name_spoils_nothing(
    trail: TrailFacts, kind: str, subject: tuple[str | None, str | None, str | None]
) -> None:
    further = trail._replace(attestations=(*trail.attestations, fact(99, "new", kind, *subject, compliant=True)))

    before, after = judge_trail(trail, now=NOW).status, judge_trail(further, now=NOW).status

    assert after is before or (before is Status.UNKNOWN and after is Status.COMPLIANT)


@settings(max_examples=100, deadline=None)
@given(trails(), KINDS)
def test_nothing_missing_hides_something_wrong(trail: TrailFacts, kind: str) -> None:
    further = trail._replace(attestations=(*trail.attestations, fact(99, "new", kind, compliant=False)))

    assert judge_trail(further, now=NOW).status is Status.NON_COMPLIANT


@settings(max_examples=500, deadline=None)
@given(trails())
def test_a_verdict_holds_exactly_until_it_says(trail: TrailFacts) -> None:
    expiries = {a.expires_at for a in trail.attestations if a.expires_at is not None and a.expires_at > NOW}
    verdict = judge_trail(trail, now=NOW)

    until = min((at for at in expiries if reading_of_trail(trail, at) is not verdict.status), default=None)

    assert verdict.holds_until == until
    for artifact in trail.artifacts:
        judged = judge_artifact(trail, artifact, now=NOW)
        changes = (at for at in expiries if reading_of_artifact(trail, artifact, at) is not judged.status)
        assert judged.holds_until == min(changes, default=None)


@settings(max_examples=100, deadline=None)
@given(trails())
def test_an_artifact_in_its_trails_reasons_reads_as_it_does_alone(trail: TrailFacts) -> None:
    reasons = judge_trail(trail, now=NOW).reasons

    for artifact in trail.artifacts:
        for reason in reasons:
            if reason.entry_index == artifact.entry_index:
                alone = judge_artifact(trail, artifact, now=NOW)
                assert (reason.outcome, reason.because) == (alone.status, alone.reasons)


@settings(max_examples=100, deadline=None)
@given(trails())
def test_whatever_is_not_compliant_has_a_remedy_and_whatever_is_has_none(trail: TrailFacts) -> None:
    def check(reason: Reason) -> None:
        assert (reason.remedy is None) == (reason.outcome is Status.COMPLIANT)
        if "Overridden" not in reason.explanation:
            for below in reason.because:
                check(below)

    for reason in judge_trail(trail, now=NOW).reasons:
        check(reason)


@settings(max_examples=100, deadline=None)
@given(trails())
def test_unknown_is_said_only_where_there_is_nothing_to_judge_by(trail: TrailFacts) -> None:
    asked = trail.template is not None and (trail.template.trail or trail.template.artifacts)
    if judge_trail(trail, now=NOW).status is Status.UNKNOWN:
        bare = [a for a in trail.artifacts if judge_artifact(trail, a, now=NOW).status is Status.UNKNOWN]
        assert bare or not (asked or [a for a in trail.attestations if not a.overrides])


@settings(max_examples=500, deadline=None)
@given(trails(), st.booleans())
def test_what_looks_plainly_compliant_is_compliant_for_good(trail: TrailFacts, tamed: bool) -> None:
    if tamed:  # few random trails are all right: these have nothing wrong, overridden or attested ahead
        facts = [each for each in trail.attestations if each.overrides is None and each.template_name is None]
        trail = trail._replace(
            attestations=tuple(each._replace(compliant=True, type="junit") for each in facts),
            artifacts=tuple({each.template_name: each for each in trail.artifacts}.values()),
        )

    verdict = judge_trail(trail, now=NOW)

    status, holds_until, reasons = judge_at_a_glance(trail, now=NOW)
    assert (status, reasons(), holds_until) == (verdict.status, verdict.reasons, verdict.holds_until)
    if is_plainly_compliant(trail):
        assert (verdict.status, verdict.holds_until) == (Status.COMPLIANT, None)
    elif tamed:
        assert verdict.status is not Status.COMPLIANT
