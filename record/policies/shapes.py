"""What trails have in common that were filled alike: the thousands that an environment asks about come from a few pipelines.

A shape is everything about a trail but entries, fingerprints, sentences, instants and commits. Whether a trail is plainly
compliant, and which of its attestations answers what, is found out once for each shape.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

from record.attestations.rules import AttestationFact
from record.trails.facts import TrailFacts
from record.trails.rules import is_plainly_compliant

Places: TypeAlias = "dict[str, int | None]"
"""Attestations by their place in the trail; None: there are several, or none will do."""
Subjects: TypeAlias = "dict[str | None, int]"
"""Numbers of what attestations are about, by fingerprint."""
_ON_TRAIL: Final = 0
"""The trail itself; artifacts go by numbers from 1, in the order of their first reports."""
_COLUMNS: Final = tuple(() for _ in AttestationFact._fields)


class Seen:
    """What an artifact sees in trails of one shape: attestations on itself and on the trail."""

    __slots__ = ("good", "named", "typed")

    def __init__(self, trail: TrailFacts, places: list[int]) -> None:
        self.named: Places = {}
        self.typed: Places = {}
        self.good: Places = {}
        """By what a rule asks: the attestation that answers it, if there is one and it is right; for rules to fill in."""
        for place in places:
            fact = trail.attestations[place]
            self.named[fact.name] = None if fact.name in self.named else place
            self.typed[fact.type] = None if fact.type in self.typed else place


class Shape:
    """What trails have in common that were filled alike, told by one of them."""

    __slots__ = ("_by_subject", "_sample", "_seen", "is_plain", "is_simple")

    def __init__(self, sample: TrailFacts, subjects: Sequence[int]) -> None:
        self.is_plain = is_plainly_compliant(sample)
        """Whether the trail is compliant, and time alone changes nothing about that."""
        self.is_simple = self.is_plain or not any(_is_not_simple(fact) for fact in sample.attestations)
        """Whether nothing was overridden, and nothing attested ahead of its artifact."""
        self._sample = sample
        self._seen: dict[int | None, Seen] = {}
        self._by_subject: dict[int | None, list[int]] = {}
        if self.is_simple:
            for place, subject in enumerate(subjects):
                self._by_subject.setdefault(subject, []).append(place)

    def seen_by(self, subject: int | None) -> Seen:
        """What an artifact sees in a trail of this shape, by its number there; nothing unless the trail is simple."""
        seen = self._seen.get(subject)
        if seen is None:
            own, of_trail = self._by_subject.get(subject, ()), self._by_subject.get(_ON_TRAIL, ())
            seen = self._seen[subject] = Seen(self._sample, [*own, *of_trail])
        return seen


class Shapes:
    """The shapes of trails that were met. Each keeps a trail, and so the identity of its template stays its own."""

    def __init__(self) -> None:
        self._known: dict[object, Shape] = {}

    def of(self, trail: TrailFacts) -> tuple[Shape, Subjects]:
        """The trail's shape, and the numbers of its subjects."""
        _, _, _, attestations, artifacts = trail
        numbers: Subjects = {None: _ON_TRAIL}
        reports = tuple([(numbers.setdefault(one.fingerprint, len(numbers)), one.template_name) for one in artifacts])
        columns = zip(*attestations, strict=True) if attestations else _COLUMNS
        _, names, types, compliant, _, fingerprints, ahead, _, overrides, _ = columns
        subjects = tuple([numbers.setdefault(fingerprint, len(numbers)) for fingerprint in fingerprints])
        key = id(trail.template), reports, names, types, compliant, subjects, ahead, overrides
        shape = self._known.get(key)
        if shape is None:
            shape = self._known[key] = Shape(trail, subjects)
        return shape, numbers


def _is_not_simple(fact: AttestationFact) -> bool:
    return fact.overrides is not None or (fact.fingerprint is None and fact.template_name is not None)
