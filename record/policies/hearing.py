"""An artifact before rules: how each fares in all the trails that its policy covers, whoever asks and however often.

Several policies of an environment tend to ask the same. What depends on nothing but the artifact and what is asked is found out
once, here; what a policy calls its rule is added by `record.policies.rules`, and the words below come when somebody looks.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, overload

from record.ids import EntryIndex
from record.policies.bench import Bench, Found, Plain, Told, told_of
from record.policies.courses import UNDECIDED, Course, worst_of
from record.policies.expressions import Value
from record.policies.facts import ArtifactFacts
from record.policies.forms import Rule, Scope
from record.policies.resolving import RESOLVES, Before
from record.verdicts import COMPLIANT, INCOMPLETE, NON_COMPLIANT, Reason


class Listed:
    """What was found in each trail, where that took a closer look."""

    __slots__ = ("_found",)

    def __init__(self, found: Sequence[Found]) -> None:
        self._found = found

    def told(self) -> list[Told]:
        """The same in words."""
        return [told_of(each) for each in self._found]


class Steps(Sequence[Reason]):
    """What was found in each trail, as reasons of a rule: made when somebody looks, and mostly nobody looks at all of them."""

    __slots__ = ("_count", "_label", "_words")

    def __init__(self, label: str, words: Listed | Plain, count: int) -> None:
        self._label, self._words, self._count = label, words, count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Reason]:
        new, label = tuple.__new__, (self._label,)
        return iter([new(Reason, label + told) for told in self._words.told()])

    @overload
    def __getitem__(self, place: int) -> Reason: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Reason]: ...
    def __getitem__(self, place: int | slice) -> Reason | Sequence[Reason]:
        return tuple(self)[place]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash((self._label, self._count))


class Heard(NamedTuple):
    """How a rule fared in all trails that its policy covers, but for what the policy calls it."""

    course: Course
    """`UNDECIDED`: the rule is ignored."""
    subject: str
    explanation: str
    remedy: str | None
    entry_index: EntryIndex | None
    steps: Listed | Plain | None
    """What was found in each trail, of several."""
    trails: int = 0
    """In how many trails."""
    because: Sequence[Reason] = ()
    """The steps below what was found, where that is one thing."""


class Hearing:
    """An artifact before policies. What rules of one sense come to is found out once, however many policies ask it."""

    __slots__ = ("_heard", "before", "subject")

    def __init__(self, before: Before, subject: str) -> None:
        self.before = before
        self.subject = subject
        self._heard: dict[str, Heard] = {}

    @classmethod
    def of(cls, artifact: ArtifactFacts, environment: str | None, bench: Bench) -> "Hearing":
        """The artifact with all its trails."""
        return cls(Before(artifact, bench.cases(artifact), environment, bench.now, 0, {}), named(artifact))

    def under(self, scope: Scope | None) -> "Hearing":
        """The same before a policy of this scope."""
        before = self.before
        if scope is None:
            return self
        inside = [case for case in before.cases if _covers(scope, case.known)]
        outside = len(before.cases) - len(inside)
        return Hearing(before._replace(cases=inside, outside=outside, good={}), self.subject) if outside else self

    def hear(self, rule: Rule, sense: str) -> Heard:
        """How a rule fares that has this sense."""
        heard = self._heard.get(sense)
        if heard is None:
            found = RESOLVES[type(rule)](rule, self.before)
            heard = self._heard[sense] = _of_rule(found, self.before, self.subject)
        return heard


def _of_rule(found: Sequence[Found] | Plain, before: Before, subject: str) -> Heard:
    """A rule from what was found in each trail."""
    if isinstance(found, Plain):
        count = len(found.cases)
        if count > 1:
            return _new(Heard, (found.course, subject, _EVERYWHERE, None, None, found, count, ()))
        ((place, _, said, remedy, index, because),) = found.told()
        return Heard(found.course, f"{subject}, {place}", said, remedy, index, None, 0, because)
    steps, count = Listed(found), len(found)
    applying = [each[0] for each in found if each[0] is not UNDECIDED]
    if not applying:
        return Heard(UNDECIDED, subject, _ignored(count, before.outside), None, None, steps, count)
    if count == 1:
        ((course, place, said, remedy, index, because),) = found
        return Heard(course, f"{subject}, {place}", said, remedy, index, None, 0, because)
    course = worst_of(applying)
    if course.status is COMPLIANT:
        return Heard(course, subject, _EVERYWHERE, None, None, steps, count)
    failing = [
        f"{place} ({_FAILURES[each.status.value]})"
        for each, place, *_ in found
        if each is not UNDECIDED and each.status is not COMPLIANT
    ]
    said = f"Not satisfied in {', '.join(failing[:5])}{', …' if len(failing) > 5 else ''}."
    return Heard(course, subject, said, "Do what the reasons below this one say.", None, steps, count)


def _ignored(resolutions: int, outside: int) -> str:
    if resolutions:
        why = "It applies in none of the trails in which the artifact is known."
    elif outside:
        trails = f"{outside} trail{'' if outside == 1 else 's'}"
        why = f"The policy covers none of the flows of the {trails} that know the artifact."
    else:
        why = "No flow knows the artifact, so there is nothing that it could apply to."
    return f"Ignored. {why}"


_new: Final = tuple.__new__
"""As `_make` of a named tuple, without counting."""
_EVERYWHERE: Final = "Satisfied wherever it applies."
_FAILURES: Final = {INCOMPLETE.value: "missing", NON_COMPLIANT.value: "non-compliant"}


def _covers(scope: Scope, known: dict[str, Value]) -> bool:
    if scope.flows is not None:
        return known["flow.name"] in scope.flows
    if any(known.get(f"flow.tags.{key}") != value for key, value in scope.tags):
        return False
    return scope.applies is None or scope.applies.test(known) is not False


def named(artifact: ArtifactFacts) -> str:
    """How reasons name it."""
    return f"artifact {artifact.name} {artifact.fingerprint[:12]}…"
