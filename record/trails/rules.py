"""Verdicts on trails: what the template asks of the trail, and of the latest artifact under each of its names.

Rules kept here (DOMAIN, "Verdicts"):
 * of several artifacts under one template name the latest report counts, also under names that the template does not know;
 * an artifact that the template asks for and nobody reported is missing;
 * what was attested of an artifact still to be reported counts at once, until an artifact is reported under that name after
   it: a check that failed before the build is not hidden by the build's absence;
 * what is attested of a fingerprint that the trail does not know can only hurt;
 * a trail is compliant only if all its parts are, so an artifact about which nothing is known makes it UNKNOWN.

A trail never closes: every later fact may change the verdict, either way.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from record.artifacts.rules import (
    Commits,
    Docket,
    Examined,
    artifact_subject,
    examine,
    explain_artifact,
    open_docket,
)
from record.attestations.rules import AttestationFact, Finding, explain, find, holds_until, matches, summary
from record.flows.templates import Wanted, WantedArtifact
from record.ids import EntryIndex
from record.trails.facts import ArtifactFact, TrailFacts
from record.verdicts import Reason, Status, Verdict, worst

__all__ = ["TrailFacts", "judge_trail"]


class Part(NamedTuple):
    """One artifact, reported or not, as a part of the trail's verdict."""

    status: Status
    found: Sequence[Finding]
    wanted: WantedArtifact | None = None
    """The template's item; None when nobody asked for the artifact."""
    examined: Examined | None = None
    """The artifact as reported; None when it was not."""
    about: str = ""
    """How reasons name it when it was neither asked for nor reported."""


class Requirement(NamedTuple):
    """One thing that the template asks for, and how it stands: a cell of the flow's matrix.

    `artifact` is the template name of the artifact that it is asked of, None for the trail; `name` is the attestation's, None
    where it is the artifact itself that is asked for. `entry_index`: the entry that decided, None while there is none.
    """

    artifact: str | None
    name: str | None
    type: str | None
    status: Status
    entry_index: EntryIndex | None


@dataclass(frozen=True, slots=True)
class Examination:
    """A trail's status and why. Words are found only when `reasons` is called: most of the time goes there."""

    docket: Docket
    parts: tuple[Part, ...]
    status: Status

    def holds_until(self) -> datetime | None:
        """Until when the status holds if nothing is recorded; None when time alone cannot change it."""
        return holds_until([*self.docket.on_trail, *[finding for part in self.parts for finding in part.found]])

    def reasons(self) -> tuple[Reason, ...]:
        """Why: the trail's own attestations, then its artifacts."""
        docket = self.docket
        subject = f"trail {docket.trail.name}"
        on_trail = tuple([explain(finding, docket.rules, subject) for finding in docket.on_trail])
        asked = on_trail[: len(docket.asked_of_trail)]
        return (*on_trail, *[_explain(docket, part, asked) for part in self.parts]) or (_nothing_recorded(docket),)

    def requirements(self) -> list[Requirement]:
        """What the template asks for, one by one: the trail's attestations, then each artifact and its attestations."""
        found = [_requirement(None, finding) for finding in self.docket.on_trail if finding.wanted is not None]
        for part in self.parts:
            if part.wanted is None:
                continue
            name = part.wanted.name
            reported = None if part.examined is None else part.examined.artifact.entry_index
            status = Status.INCOMPLETE if reported is None else Status.COMPLIANT
            found.append(Requirement(name, None, None, status, reported))
            found += [_requirement(name, finding) for finding in part.found if finding.wanted is not None]
        return found


def _requirement(artifact: str | None, finding: Finding) -> Requirement:
    assert finding.wanted is not None, "only what somebody asks for is a requirement"
    decided = finding.override or finding.fact
    index = None if decided is None else decided.entry_index
    return Requirement(artifact, finding.wanted.name, finding.wanted.type, finding.status, index)


def examine_trail(facts: TrailFacts, *, now: datetime) -> Examination:
    """The trail's status at `now`, from everything that was recorded in it; reasons on demand."""
    return examine_docket(open_docket(facts, now=now))


def examine_docket(docket: Docket) -> Examination:
    """The same of facts that are sorted already."""
    parts = tuple(_parts(docket))
    status = worst([*[finding.status for finding in docket.on_trail], *[part.status for part in parts]])
    return Examination(docket, parts, status)


def judge_trail(facts: TrailFacts, *, now: datetime) -> Verdict:
    """The verdict on a trail at `now`, with all its reasons."""
    examination = examine_trail(facts, now=now)
    return Verdict(examination.status, examination.reasons(), examination.holds_until())


def judge_at_a_glance(
    facts: TrailFacts, *, now: datetime
) -> tuple[Status, datetime | None, Callable[[], tuple[Reason, ...]]]:
    """The same verdict, with reasons on demand: status, until when it holds, and what to call for the reasons.

    A trail that is plainly compliant is not examined before somebody asks why: a page shows fifty, and most are like that.
    """
    if is_plainly_compliant(facts):
        return Status.COMPLIANT, None, lambda: examine_trail(facts, now=now).reasons()
    examination = examine_trail(facts, now=now)
    return examination.status, examination.holds_until(), examination.reasons


def is_plainly_compliant(facts: TrailFacts) -> bool:
    """Whether the trail is compliant for a simple reason that time alone cannot change. False: examine it.

    Nothing in it is wrong, overridden, or attested ahead of its artifact; everything that the template asks for is there, of
    the right type; and something is known of each artifact. Most trails are like that, and an environment asks about thousands.
    """
    types: dict[str | None, dict[str, str]] = {}
    for fact in facts.attestations:
        if not fact.compliant or fact.overrides is not None:
            return False
        if fact.fingerprint is None and fact.template_name is not None:
            return False
        known = types.get(fact.fingerprint)
        if known is None:
            known = types[fact.fingerprint] = {}
        if known.setdefault(fact.name, fact.type) != fact.type:
            return False
    template = facts.template
    if template is None:
        return bool(types) and all(report.fingerprint in types for report in facts.artifacts)
    on_trail = types.get(None, _NOTHING)
    if not _has_all(template.trail, on_trail):
        return False
    asked = {wanted.name: wanted.attestations for wanted in template.artifacts}
    reported = set()
    for report in facts.artifacts:
        name, attested = report.template_name, types.get(report.fingerprint, _NOTHING)
        if not (attested or template.trail) or not _has_all(asked.get(name, ()), attested):
            return False
        reported.add(name)
    return bool(types) and asked.keys() <= reported


_NOTHING: Final[Mapping[str, str]] = {}


def _has_all(wanted: Sequence[Wanted], attested: Mapping[str, str]) -> bool:
    for want in wanted:
        kind = attested.get(want.name)
        if kind is None or (kind != want.type and not matches(want.type, kind)):
            return False
    return True


def _parts(docket: Docket) -> Iterator[Part]:
    """The template's artifacts in its order, the others in the ledger's, then what is about no reported artifact."""
    latest: dict[str, ArtifactFact] = {}
    for report in docket.trail.artifacts:
        held = latest.get(report.template_name)
        if held is None or held.entry_index < report.entry_index:
            latest[report.template_name] = report
    template = docket.trail.template
    wanted = template.artifacts if template is not None else ()
    for want in wanted:
        reported = latest.get(want.name)
        yield _reported(docket, reported, want) if reported is not None else _not_reported(docket, want)
    asked_for = {want.name for want in wanted}
    unasked = [report for name, report in latest.items() if name not in asked_for]
    for report in sorted(unasked, key=lambda report: report.entry_index):
        yield _reported(docket, report, None)
    yield from _unreported_rest(docket, latest, asked_for)


def _reported(docket: Docket, artifact: ArtifactFact, wanted: WantedArtifact | None) -> Part:
    examined = examine(docket, artifact)
    return Part(examined.status, examined.own, wanted, examined)


def _not_reported(docket: Docket, wanted: WantedArtifact) -> Part:
    """An artifact that the template asks for and nobody reported; what was attested ahead of it counts already."""
    found = find(wanted.attestations, docket.by_template_name.get(wanted.name, ()), now=docket.now)
    return Part(worst([Status.INCOMPLETE, *[finding.status for finding in found]]), found, wanted)


def _unreported_rest(docket: Docket, latest: dict[str, ArtifactFact], asked_for: set[str]) -> Iterator[Part]:
    """What was attested of artifacts that the trail does not know (yet). Nobody asked for it, so it can only hurt."""
    for name in sorted(docket.by_template_name):
        if name in latest:
            facts = _since_latest_report(docket, latest[name])
        elif name in asked_for:
            continue
        else:
            facts = docket.by_template_name[name]
        yield from _extra(docket, facts, f"artifact {name}, still to be reported")
    reported = {report.fingerprint for report in docket.trail.artifacts}
    for fingerprint in sorted(docket.by_fingerprint.keys() - reported):
        yield from _extra(
            docket, docket.by_fingerprint[fingerprint], f"artifact {fingerprint[:12]}…, not reported here"
        )


def _since_latest_report(docket: Docket, latest: ArtifactFact) -> list[AttestationFact]:
    """What was attested under this template name after its latest report, and of a commit that nobody reported."""
    name = latest.template_name
    commits = Commits(report.commit for report in docket.reports[name])
    return [
        fact
        for fact in docket.by_template_name[name]
        if fact.entry_index > latest.entry_index and fact.commit not in commits
    ]


def _extra(docket: Docket, facts: Sequence[AttestationFact], about: str) -> Iterator[Part]:
    found = find((), facts, now=docket.now)
    if found:
        yield Part(worst([finding.status for finding in found]), found, about=about)


def _explain(docket: Docket, part: Part, asked_of_trail: tuple[Reason, ...]) -> Reason:
    """A part of the trail as the reason that people read, with its own reasons below."""
    subject, explanation, index = part.about, summary(part.found), None
    remedy = None if part.status is Status.COMPLIANT else "Do what the reasons below this one say."
    if part.examined is not None:
        artifact = part.examined.artifact
        subject, index = artifact_subject(artifact), artifact.entry_index
        because = explain_artifact(docket, part.examined, asked_of_trail=asked_of_trail)
        if part.status is Status.UNKNOWN:
            explanation = "Nothing was ever attested of it."
        elif part.status is not Status.COMPLIANT:
            explanation = summary((*docket.asked_of_trail, *part.found))
    else:
        if part.wanted is not None:
            subject = f"artifact {part.wanted.name}, still to be reported"
            explanation = f"No artifact was reported as {part.wanted.name}."
            remedy = f"Report an artifact as {part.wanted.name} in trail {docket.trail.name}."
        because = tuple([explain(finding, docket.rules, subject) for finding in part.found])
    if part.wanted is not None:
        rule = f"{docket.rules.asked}, line {part.wanted.line}: artifact {part.wanted.name}"
    else:
        rule = f"{docket.rules.unasked}: {subject}"
    return Reason(rule, subject, part.status, explanation, remedy, index, because)


def _nothing_recorded(docket: Docket) -> Reason:
    return Reason(
        docket.rules.silent,
        f"trail {docket.trail.name}",
        Status.UNKNOWN,
        "Nothing was ever attested or reported in this trail, so there is nothing to judge by.",
        "Attest something in it, or let the flow's template say what it needs.",
    )
