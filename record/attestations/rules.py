"""What attestations say: which of a name decides, what an override replaces, and what is asked, missing or wrong.

Pure: facts and an instant in, findings and reasons out. A subject is a trail, an artifact, or an artifact still to be
reported; which facts are about which subject is decided by `record.artifacts.rules`, and everything here is about one.

Rules kept here (DOMAIN, "Attestations" and "Verdicts"):
 * the latest attestation of a name decides, by its place in the ledger; the earlier ones stay readable;
 * the latest override of a name replaces the verdict of that attestation until it expires, also the verdict of one that is
   attested again meanwhile; at the very instant of expiry it no longer counts. A newer override takes the older one's
   place for good: when the newer expires, the attestation speaks for itself again. An override of a name that was never
   attested has nothing to replace;
 * an override replaces the verdict and not the type: a template that asks for junit looks through it;
 * an attestation of the wrong type is present and wrong, not missing, or it could hide a failed one of the right type.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Final, NamedTuple, cast

from record.clock import to_rfc3339
from record.flows.templates import ANY_TYPE, Wanted
from record.ids import EntryIndex
from record.verdicts import COMPLIANT, INCOMPLETE, NON_COMPLIANT, Reason, Status, Verdict

_ALSO: Final = {"decision": ("generic",), "jira": ("ticket",), "ticket": ("jira",)}
"""What answers a type that is asked for, besides itself."""


class AttestationFact(NamedTuple):
    """One attestation, as far as a verdict needs it. A named tuple, because a page of trails reads hundreds.

    About the trail when `fingerprint` and `template_name` are None; about an artifact when it has a fingerprint; else about every
    artifact that is reported under `template_name` and `commit`, sooner or later. An override has type `override` and says in
    `overrides` whose verdict it replaces; `expires_at` counts for overrides only. `type` is written as in a template.
    """

    entry_index: EntryIndex
    name: str
    type: str
    compliant: bool
    explanation: str
    fingerprint: str | None = None
    template_name: str | None = None
    commit: str | None = None
    overrides: str | None = None
    expires_at: datetime | None = None


class Finding(NamedTuple):
    """What was found under one name on one subject. A named tuple, because a page of trails makes thousands."""

    status: Status
    wanted: Wanted | None
    """Who asked; None when nobody did."""
    fact: AttestationFact | None
    """The latest attestation of the name; None when there is none."""
    override: AttestationFact | None
    """The override that stands in for its verdict now."""


_finding: Final[Callable[[tuple[Status, Wanted | None, AttestationFact | None, AttestationFact | None]], Finding]] = (
    partial(tuple.__new__, Finding)
)
"""As `Finding._make`, in one step of C."""


class Labels(NamedTuple):
    """How rules are named."""

    asked: str
    """The template, as one that asks."""
    unasked: str
    """The rule that what nobody asked for may not be wrong."""
    silent: str
    """That there is nothing to judge by."""


def labels(*, has_template: bool, version: int | None) -> Labels:
    """The names of the rules of a template of that version, or of having no template."""
    if not has_template:
        return Labels("no template", "no template, but nothing may be wrong", "no template asks anything of it")
    asked = "template" if version is None else f"template v{version}"
    return Labels(asked, f"{asked}, nothing else may be wrong", f"{asked} asks nothing of it")


def matches(asked: str, attested: str) -> bool:
    """Whether an attestation of type `attested` answers a template that asks for type `asked`.

    `decision` comes from templates written for the incumbent, where it means a verdict given by the reporter. Here that is
    what a generic attestation is. `jira` and `ticket` are two words for one thing.
    """
    return asked in (attested, ANY_TYPE) or attested in _ALSO.get(asked, ())


def answering(asked: str) -> frozenset[str] | None:
    """The types of attestations that `matches` lets answer `asked`; None: any."""
    if asked == ANY_TYPE:
        return None
    return frozenset({asked, *_ALSO.get(asked, ())})


def find(wanted: Sequence[Wanted], facts: Iterable[AttestationFact], *, now: datetime) -> list[Finding]:
    """What was found on one subject: first everything `wanted`, in that order, then the rest as the ledger has it."""
    latest, overrides = _deciding(facts)
    found = []
    for want in wanted:
        fact = latest.pop(want.name, None)
        if fact is None:
            found.append(_finding((INCOMPLETE, want, None, None)))
        else:
            override = _live(overrides.get(fact.name), now) if overrides else None
            right = (want.type == fact.type or matches(want.type, fact.type)) and (override or fact).compliant
            found.append(_finding((COMPLIANT if right else NON_COMPLIANT, want, fact, override)))
    for fact in sorted(latest.values(), key=_entry_index) if len(latest) > 1 else latest.values():
        override = _live(overrides.get(fact.name), now) if overrides else None
        found.append(_finding((COMPLIANT if (override or fact).compliant else NON_COMPLIANT, None, fact, override)))
    return found


def holds_until(found: Sequence[Finding]) -> datetime | None:
    """When the `worst` of all this changes by time alone; None when it never does.

    All that time does is end overrides, which turns right into wrong or wrong into right. Wrong beats everything, so the whole
    changes when the first wrong appears or the last one disappears, whatever else is missing or unknown.
    """
    ends = [end for finding in found if finding.override is not None and (end := _end_of_override(finding)) is not None]
    if not ends:
        return None
    wrong = wrong_now = sum(finding.status is Status.NON_COMPLIANT for finding in found)
    ends.sort()
    for instant, together in groupby(ends, key=itemgetter(0)):
        wrong += sum(change for _, change in together)
        if (wrong > 0) is not (wrong_now > 0):
            return cast("datetime", instant)
    return None


def judge_attestation(
    attestation: AttestationFact, *, subject: str, same_subject: Iterable[AttestationFact], now: datetime
) -> Verdict:
    """One attestation by itself: as its type's rule judged it, unless it decides for its name and an override stands in."""
    latest, overrides = _deciding(same_subject)
    newest = latest.get(attestation.name, attestation)
    decides = attestation.overrides is None and newest.entry_index <= attestation.entry_index
    override = _live(overrides.get(attestation.name), now) if decides else None
    compliant = (override or attestation).compliant
    finding = Finding(Status.COMPLIANT if compliant else Status.NON_COMPLIANT, None, attestation, override)
    rule = Labels(asked="", unasked="by its type", silent="")
    return Verdict(finding.status, (explain(finding, rule, subject),), holds_until([finding]))


def explain(finding: Finding, rules: Labels, subject: str) -> Reason:
    """A finding as the reason that people read."""
    status, wanted, fact, override = finding
    if fact is None:
        assert wanted is not None  # nobody asked and nothing is there: no such finding is made
        asked = f"{wanted.name} ({wanted.type})" if wanted.type != ANY_TYPE else f"{wanted.name} (any type)"
        return Reason(
            f"{rules.asked}, line {wanted.line}: {asked}",
            subject,
            status,
            f"Nobody has attested {wanted.name}.",
            f"Attest {asked} on {subject}.",
        )
    if wanted is None:
        rule = f"{rules.unasked}: {fact.name} ({fact.type})"
    elif wanted.type == ANY_TYPE:
        rule = f"{rules.asked}, line {wanted.line}: {fact.name} (any type)"
    else:
        rule = f"{rules.asked}, line {wanted.line}: {fact.name} ({wanted.type})"
        if not matches(wanted.type, fact.type):
            explanation = f"{fact.name} was attested as {fact.type}, and {wanted.type} is asked for."
            in_type = f"Attest {fact.name} on {subject} as {wanted.type}."
            return Reason(rule, subject, status, explanation, in_type, fact.entry_index)
    if override is not None:
        return _explain_override(fact, override, rule, subject)
    if status is Status.COMPLIANT:
        remedy = None
    elif fact.overrides is not None:
        remedy = f"Override {fact.overrides} on {subject} anew, or let this override expire."
    else:
        remedy = f"Attest {fact.name} on {subject} again, with a compliant result."
    return Reason(rule, subject, status, fact.explanation, remedy, fact.entry_index)


def summary(found: Iterable[Finding]) -> str:
    """One sentence or two on a subject with several findings: what is wrong, and what is missing."""
    names: dict[Status, list[str]] = {}
    for finding in found:
        if finding.status is not Status.COMPLIANT:
            asker = finding.wanted or finding.fact
            names.setdefault(finding.status, []).append(asker.name if asker else "")
    wrong, missing = names.get(Status.NON_COMPLIANT), names.get(Status.INCOMPLETE)
    sentences = []
    if wrong:
        sentences.append(f"Not compliant: {', '.join(wrong)}.")
    if missing:
        sentences.append(f"Missing: {', '.join(missing)}.")
    return " ".join(sentences) or "Everything asked for is there, and nothing is wrong."


def _explain_override(fact: AttestationFact, override: AttestationFact, rule: str, subject: str) -> Reason:
    """The override decides, and below it stands what the attestation says by itself."""
    verdict = "compliant" if override.compliant else "not compliant"
    until = f"until {to_rfc3339(override.expires_at)}" if override.expires_at else "for good"
    itself = Reason(
        f"by its type: {fact.name} ({fact.type})",
        subject,
        Status.COMPLIANT if fact.compliant else Status.NON_COMPLIANT,
        fact.explanation,
        entry_index=fact.entry_index,
    )
    return Reason(
        rule,
        subject,
        Status.COMPLIANT if override.compliant else Status.NON_COMPLIANT,
        f"Overridden as {verdict} {until}: {override.explanation}",
        None if override.compliant else f"Override {fact.name} on {subject} anew, or let this override expire.",
        override.entry_index,
        (itself,),
    )


def _deciding(
    facts: Iterable[AttestationFact],
) -> tuple[dict[str, AttestationFact], dict[str, AttestationFact]]:
    """The latest attestation of each name, and the latest override of each name."""
    latest: dict[str, AttestationFact] = {}
    overrides: dict[str, AttestationFact] = {}
    for fact in facts:
        held, name = (latest, fact.name) if fact.overrides is None else (overrides, fact.overrides)
        if held.setdefault(name, fact).entry_index < fact.entry_index:
            held[name] = fact
    return latest, overrides


def _live(override: AttestationFact | None, now: datetime) -> AttestationFact | None:
    if override is None or (override.expires_at is not None and override.expires_at <= now):
        return None
    return override


def _end_of_override(finding: Finding) -> tuple[datetime, int] | None:
    """When the finding's override ends, and by how much that changes the number of wrong things; None when by nothing."""
    _, wanted, fact, override = finding
    if fact is None or override is None or override.expires_at is None or override.compliant is fact.compliant:
        return None
    if wanted is not None and not matches(wanted.type, fact.type):
        return None  # the wrong type stays wrong all the while
    return override.expires_at, -1 if fact.compliant else 1


def _entry_index(fact: AttestationFact) -> int:
    return fact.entry_index
