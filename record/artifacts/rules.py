"""Verdicts on artifacts: which attestations are about an artifact, and what its template and they say of it.

An attestation reaches an artifact by its fingerprint, or, when it was made before the fingerprint was known, by template name and
commit. The latter reaches every artifact that was reported in the trail under that name and commit, in either order of
arrival, and keeps reaching it when the same artifact is reported again for another commit: a failed check cannot be shaken
off that way. Commits are the same when one is the beginning of the other, from seven digits on.

Rules kept here (DOMAIN, "Verdicts"): an artifact needs what the template asks of it and of its trail, of the right type and
compliant, and nothing extra on it may be wrong. Wrong beats missing. Where nothing is asked and nothing attested, the
answer is UNKNOWN. What is attested of the trail beyond its template is the trail's affair, not the artifact's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from record.attestations.rules import AttestationFact, Finding, Labels, explain, find, holds_until, labels
from record.trails.facts import ArtifactFact, TrailFacts
from record.verdicts import Reason, Status, Verdict, worst

__all__ = ["ArtifactFact", "judge_artifact"]

COMMIT_PREFIX: Final = 7
"""How many digits of a commit must agree at least."""


@dataclass(frozen=True, slots=True)
class Docket:
    """A trail's facts, sorted once by what they are about, and what was found on the trail itself."""

    trail: TrailFacts
    now: datetime
    rules: Labels
    on_trail: tuple[Finding, ...]
    asked_of_trail: tuple[Finding, ...]
    """The part of `on_trail` that the template asks for: it counts for each artifact too."""
    by_fingerprint: dict[str, list[AttestationFact]]
    by_template_name: dict[str, list[AttestationFact]]
    reports: dict[str, list[ArtifactFact]]
    """Reports by template name, of the names under which something was attested ahead."""


class Examined(NamedTuple):
    """What was found on one artifact, and its status with what is asked of its trail."""

    artifact: ArtifactFact
    status: Status
    own: list[Finding]


def open_docket(trail: TrailFacts, *, now: datetime) -> Docket:
    """Sorts the facts and looks at the trail's own attestations."""
    on_trail: list[AttestationFact] = []
    by_fingerprint: dict[str, list[AttestationFact]] = {}
    by_template_name: dict[str, list[AttestationFact]] = {}
    for fact in trail.attestations:
        if fact.fingerprint is not None:
            by_fingerprint.setdefault(fact.fingerprint, []).append(fact)
        elif fact.template_name is not None:
            by_template_name.setdefault(fact.template_name, []).append(fact)
        else:
            on_trail.append(fact)
    wanted = trail.template.trail if trail.template is not None else ()
    rules = labels(has_template=trail.template is not None, version=trail.template_version)
    found = tuple(find(wanted, on_trail, now=now))
    reports: dict[str, list[ArtifactFact]] = {name: [] for name in by_template_name}
    for report in trail.artifacts:
        if report.template_name in reports:
            reports[report.template_name].append(report)
    return Docket(trail, now, rules, found, found[: len(wanted)], by_fingerprint, by_template_name, reports)


def judge_artifact(trail: TrailFacts, artifact: ArtifactFact, *, now: datetime) -> Verdict:
    """The verdict on one artifact in one trail."""
    docket = open_docket(trail, now=now)
    examined = examine(docket, artifact)
    asked = tuple([explain(finding, docket.rules, f"trail {trail.name}") for finding in docket.asked_of_trail])
    until = holds_until([*docket.asked_of_trail, *examined.own])
    return Verdict(examined.status, explain_artifact(docket, examined, asked_of_trail=asked), until)


def examine(docket: Docket, artifact: ArtifactFact) -> Examined:
    """What the docket holds on one artifact. Decides, and words nothing yet."""
    template = docket.trail.template
    wanted = template.artifact(artifact.template_name) if template is not None else None
    own = find(wanted.attestations if wanted is not None else (), about(docket, artifact), now=docket.now)
    return Examined(artifact, worst([finding.status for finding in (*docket.asked_of_trail, *own)]), own)


def explain_artifact(docket: Docket, examined: Examined, *, asked_of_trail: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """The reasons for an artifact's status: what is asked of its trail (made once for all artifacts), then what is on it."""
    artifact = examined.artifact
    subject = artifact_subject(artifact)
    if examined.own or asked_of_trail:
        return (*asked_of_trail, *[explain(finding, docket.rules, subject) for finding in examined.own])
    unknown = Reason(
        docket.rules.silent,
        subject,
        Status.UNKNOWN,
        f"Nothing was ever attested of {subject}, so there is nothing to judge by.",
        f"Attest something on {subject}, or let the flow's template say what it needs.",
        artifact.entry_index,
    )
    return (unknown,)


def artifact_subject(artifact: ArtifactFact) -> str:
    """How reasons name an artifact."""
    return f"artifact {artifact.template_name} {artifact.fingerprint[:12]}…"


class Commits:
    """A set of commits in which one may be written shorter than it was given."""

    def __init__(self, commits: Iterable[str | None]) -> None:
        # By their first digits, so that a trail with thousands of commits compares each with few.
        self._by_prefix: dict[str, set[str]] = {}
        for commit in commits:
            if commit is not None:
                self._by_prefix.setdefault(commit[:COMMIT_PREFIX], set()).add(commit)

    def __contains__(self, commit: str | None) -> bool:
        if commit is None:
            return False
        near = self._by_prefix.get(commit[:COMMIT_PREFIX], ())
        return any(commit == other or _begins(commit, other) or _begins(other, commit) for other in near)


def _begins(short: str, long: str) -> bool:
    return len(short) >= COMMIT_PREFIX and long.startswith(short)


def about(docket: Docket, artifact: ArtifactFact) -> Sequence[AttestationFact]:
    """The attestations that reach this artifact."""
    named = docket.by_fingerprint.get(artifact.fingerprint, ())
    awaited = docket.by_template_name.get(artifact.template_name)
    if not awaited:
        return named
    commits = Commits(
        report.commit
        for report in (*docket.reports[artifact.template_name], artifact)
        if report.fingerprint == artifact.fingerprint
    )
    return [*named, *(fact for fact in awaited if fact.commit in commits)]
