"""The laws that no policy may break, whatever is recorded."""

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from record.attestations.rules import AttestationFact
from record.flows.templates import Template, Wanted
from record.ids import EntryIndex
from record.policies.facts import ApprovalFact, ArtifactFacts, Membership, RunFact, WaiverFact
from record.policies.forms import Policy
from record.policies.rules import judge, judge_artifact_by, judge_environment
from record.trails.facts import ArtifactFact, TrailFacts
from record.verdicts import Status
from tests.record.policies.material import HOUR, NOON, SAVER, policy

RULES = [
    "{provenance: {required: true}}",
    """{provenance: {required: true, exceptions: [{if: 'flow.tags.tier != "product"'}]}}""",
    "{trail-compliance: {required: true}}",
    """{trail-compliance: {required: true, exceptions: [{if: 'flow.tags.tier == "infra"'}]}}""",
    "{approvals: {min: 1}}",
    "{approvals: {min: 2, not-author: true, max-age: 3h}}",
    "{deployed-to: {environment: staging, for: 2h}}",
]
ATTESTED = [
    "{name: a}",
    "{type: junit}",
    "{name: a, type: junit, max-age: 2h}",
    "{type: trivy, where: 'critical == 0'}",
    "{type: trivy, max-age: 3h, if: 'flow.tags.tier == \"product\"'}",
    "{any-of: [{type: junit, max-age: 1h}, {name: b, type: trivy}]}",
    "{any-of: [{name: a, if: 'flow.name == \"x\"'}, {name: b}], if: 'flow.tags.tier != \"infra\"'}",
]
KEYS = ["provenance", "trail-compliance", "approvals", "attestation:*:junit", "attestation:a:*", "deployed-to:staging"]
SCOPES = ["", "[x]", "{tags: {tier: product}}", """{if: 'flow.tags.tier != "infra"'}"""]
HOURS = st.integers(-3, 4).map(lambda hours: NOON + HOUR * hours)
PEOPLE = st.sampled_from(["ada", "bob", "cyd", "eve"])


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """A policy with some of the rules, and now and then a scope."""
    parts = {}
    for rule in draw(st.lists(st.sampled_from(RULES), max_size=3)):
        key, _, rest = rule[1:-1].partition(": ")
        parts[key] = rest
    attested = draw(st.lists(st.sampled_from(ATTESTED), max_size=3))
    if attested:
        parts["attestations"] = f"[{', '.join(attested)}]"
    return policy(", ".join(f"{key}: {value}" for key, value in parts.items()), flows=draw(st.sampled_from(SCOPES)))


@st.composite
def memberships(draw: st.DrawFn, numbers: list[int]) -> Membership:
    facts = []
    names = set()
    for _ in range(draw(st.integers(0, 5))):
        index, name = numbers.pop(0), draw(st.sampled_from(["a", "b"]))
        on = draw(st.sampled_from([SAVER, None]))
        if (name, on) in names and not draw(st.integers(0, 2)):
            facts.append(
                AttestationFact(
                    EntryIndex(index),
                    "o",
                    "override",
                    draw(st.booleans()),
                    "So.",
                    on,
                    overrides=name,
                    expires_at=draw(st.none() | HOURS),
                )
            )
            continue
        names.add((name, on))
        kind = draw(st.sampled_from(["junit", "trivy"]))
        facts.append(AttestationFact(EntryIndex(index), name, kind, draw(st.booleans()), "So.", on))
    report = ArtifactFact(EntryIndex(numbers.pop(0)), SAVER, "saver", None, "saver")
    wanted = draw(st.sampled_from([None, Template(), Template((Wanted("a", "*", 3),))]))
    tags = draw(st.sampled_from([{}, {"tier": "product"}, {"tier": "infra"}]))
    trail = TrailFacts(str(report.entry_index), wanted, 1, tuple(facts), (report,))
    return Membership(draw(st.sampled_from(["x", "y"])), tags, trail, report)


@st.composite
def artifacts(draw: st.DrawFn) -> ArtifactFacts:
    numbers = list(range(100))
    members = tuple(draw(memberships(numbers)) for _ in range(draw(st.integers(0, 3))))
    facts = [fact for each in members for fact in each.trail.attestations]
    approvals = []
    for _ in range(draw(st.integers(0, 2))):
        index = EntryIndex(numbers.pop(0))
        given_by = tuple((who, draw(HOURS), EntryIndex(numbers.pop(0))) for who in draw(st.lists(PEOPLE, max_size=3)))
        authors = tuple(draw(st.lists(PEOPLE, max_size=1)))
        state = draw(st.sampled_from(["REQUESTED", "APPROVED", "REJECTED", "WITHDRAWN"]))
        approvals.append(
            ApprovalFact(index, SAVER, "prod", given_by, draw(PEOPLE), authors, state, draw(st.none() | HOURS))
        )
    waivers = [
        WaiverFact(
            EntryIndex(numbers.pop(0)),
            "w",
            "prod",
            draw(st.sampled_from([SAVER, None])),
            draw(st.none() | st.sampled_from(KEYS)),
            "ada",
            "Soon.",
            draw(st.none() | HOURS),
        )
        for _ in range(draw(st.sampled_from([0, 0, 1, 2])))
    ]
    runs = []
    for since in draw(st.lists(HOURS.filter(lambda at: at <= NOON), max_size=2)):
        until = draw(st.none() | HOURS.filter(lambda at: at <= NOON))
        runs.append(RunFact("staging", SAVER, since, until if until is None or until > since else None))
    return ArtifactFacts(
        SAVER,
        "saver",
        members,
        tuple(approvals),
        tuple(waivers),
        tuple(runs),
        {fact.entry_index: min(draw(HOURS), NOON) for fact in facts if draw(st.integers(0, 9))},
        {fact.entry_index: {"critical": draw(st.integers(0, 1))} for fact in facts if draw(st.booleans())},
    )


def status(asked: Policy, facts: ArtifactFacts, now: datetime = NOON) -> Status:
    return judge(asked, facts, environment="prod", now=now).status


@settings(max_examples=600, deadline=None)
@given(policies(), artifacts())
def test_a_verdict_holds_exactly_until_it_says(asked: Policy, facts: ArtifactFacts) -> None:
    verdict = judge(asked, facts, environment="prod", now=NOON)
    step = timedelta(minutes=30)

    for number in range(24):
        instant = NOON + step * number
        if verdict.holds_until is None or instant < verdict.holds_until:
            assert status(asked, facts, instant) is verdict.status
    if verdict.holds_until is not None:
        assert status(asked, facts, verdict.holds_until - timedelta(microseconds=1)) is verdict.status
        assert status(asked, facts, verdict.holds_until) is not verdict.status


@settings(max_examples=800, deadline=None)
@given(policies(), artifacts(), st.data())
def test_a_bad_attestation_never_turns_a_verdict_green(
    asked: Policy, facts: ArtifactFacts, data: st.DataObject
) -> None:
    if not facts.memberships:
        return
    before = status(asked, facts)
    place = data.draw(st.integers(0, len(facts.memberships) - 1))
    member = facts.memberships[place]
    kind = data.draw(st.sampled_from(["junit", "trivy", "generic"]))
    bad = AttestationFact(
        EntryIndex(1000),
        data.draw(st.sampled_from(["a", "b", "c"])),
        kind,
        False,
        "Bad.",
        data.draw(st.sampled_from([SAVER, None])),
    )
    # A second attestation of a name that is overridden stays under that override; the trail's own rules have it so.
    trail = member.trail._replace(attestations=(*member.trail.attestations, bad))
    changed = list(facts.memberships)
    changed[place] = member._replace(trail=trail)
    after = replace(
        facts,
        memberships=tuple(changed),
        attested_at={**facts.attested_at, bad.entry_index: NOON},
        counts={**facts.counts, bad.entry_index: {"critical": 0}},
    )

    assert before is Status.COMPLIANT or status(asked, after) is not Status.COMPLIANT


@settings(max_examples=300, deadline=None)
@given(policies(), artifacts(), st.randoms(use_true_random=False))
def test_the_order_of_facts_never_matters(asked: Policy, facts: ArtifactFacts, random: Random) -> None:
    def shuffled(values: tuple[object, ...]) -> tuple[object, ...]:
        return tuple(random.sample(values, len(values)))

    members = tuple(
        each._replace(trail=each.trail._replace(attestations=shuffled(each.trail.attestations)))  # type: ignore[arg-type]
        for each in facts.memberships
    )
    other = replace(
        facts,
        memberships=shuffled(members),  # type: ignore[arg-type]
        approvals=shuffled(facts.approvals),  # type: ignore[arg-type]
        waivers=shuffled(facts.waivers),  # type: ignore[arg-type]
        runs=shuffled(facts.runs),  # type: ignore[arg-type]
    )

    assert judge(asked, other, environment="prod", now=NOON) == judge(asked, facts, environment="prod", now=NOON)


@settings(max_examples=300, deadline=None)
@given(policies(), artifacts())
def test_an_ignored_rule_never_decides(asked: Policy, facts: ArtifactFacts) -> None:
    bare = replace(facts, waivers=())
    reasons = judge(asked, bare, environment="prod", now=NOON).reasons
    applying = [
        rule for rule, reason in zip(asked.rules, reasons, strict=False) if reason.outcome is not Status.UNKNOWN
    ]
    without = replace(asked, rules=tuple(applying))

    assert status(without, facts) is status(asked, facts)


@settings(max_examples=300, deadline=None)
@given(policies(), artifacts())
def test_a_policy_is_green_only_if_each_of_its_applying_rules_is(asked: Policy, facts: ArtifactFacts) -> None:
    alone = [status(replace(asked, rules=(rule,)), facts) for rule in asked.rules]
    deciding = [each for each in alone if each is not Status.UNKNOWN]

    assert (status(asked, facts) is Status.COMPLIANT) == (
        bool(deciding) and all(each is Status.COMPLIANT for each in deciding)
    ) or any(waiver.rule is None for waiver in facts.waivers)


@settings(max_examples=300, deadline=None)
@given(artifacts(), st.sampled_from(ATTESTED))
def test_taking_tags_away_never_turns_a_verdict_green(facts: ArtifactFacts, rule: str) -> None:
    """Absent values fail closed: `if` and exceptions that cannot be decided waive nothing."""
    asked = policy(f"attestations: [{rule}], {RULES[1][1:-1]}, {RULES[3][1:-1]}")
    bare = replace(facts, memberships=tuple(each._replace(flow_tags={}) for each in facts.memberships))

    before, after = status(asked, facts), status(asked, bare)

    assert before is Status.COMPLIANT or after is not Status.COMPLIANT


@settings(max_examples=100, deadline=None)
@given(st.lists(policies(), max_size=3), artifacts())
def test_several_policies_are_as_good_as_the_worst_that_has_anything_to_say(
    asked: list[Policy], facts: ArtifactFacts
) -> None:
    together = judge_artifact_by(asked, facts, environment="prod", now=NOON).verdict.status
    apart = {status(each, facts) for each in asked} - {Status.UNKNOWN}

    assert (together is Status.COMPLIANT) == (apart == {Status.COMPLIANT})


@settings(max_examples=150, deadline=None)
@given(st.lists(policies(), min_size=2, max_size=3), artifacts())
def test_a_policy_says_the_same_beside_others_as_alone(asked: list[Policy], facts: ArtifactFacts) -> None:
    together = judge_artifact_by(asked, facts, environment="prod", now=NOON)

    alone = [judge(each, facts, environment="prod", now=NOON) for each in asked]
    assert [each.verdict for each in together.by_policy] == alone


@settings(max_examples=150, deadline=None)
@given(policies(), artifacts(), artifacts())
def test_artifacts_are_judged_in_an_environment_as_each_is_alone(
    asked: Policy, one: ArtifactFacts, other: ArtifactFacts
) -> None:
    judged = judge_environment([asked], [one, replace(other, name="tail")], environment="prod", now=NOON)

    alone = [judge(asked, each.artifact, environment="prod", now=NOON) for each in judged.running]
    assert [each.verdict for each in judged.running] == alone
