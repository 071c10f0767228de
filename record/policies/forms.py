"""What a policy is once it is read: a scope and rules, each with the line that asks, and the words by which it is named.

A rule's `key` names it across versions, in waivers: `provenance`, `trail-compliance`, `attestation:unit-tests:junit`,
`any-of:*:snyk|*:sarif`, `approvals`, `deployed-to:staging`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import NoReturn, TypeAlias

from record.attestations.rules import answering
from record.policies.expressions import Condition


@dataclass(frozen=True, slots=True)
class Scope:
    """The flows that a policy covers: those named, or those that carry all of the tags and of which the condition is not false.

    A flow that lacks one of the tags is not covered. An undecided condition covers: silence takes nothing out of a policy.
    """

    line: int
    flows: frozenset[str] | None = None
    tags: tuple[tuple[str, str], ...] = ()
    applies: Condition | None = None


@dataclass(frozen=True, slots=True)
class Provenance:
    """The artifact must be known in a flow."""

    line: int
    exceptions: tuple[Condition, ...] = ()

    @property
    def key(self) -> str:
        return "provenance"

    @property
    def asked(self) -> str:
        return "provenance"


@dataclass(frozen=True, slots=True)
class TrailCompliance:
    """Each trail that the artifact is part of must be compliant, and the artifact in it."""

    line: int
    exceptions: tuple[Condition, ...] = ()

    @property
    def key(self) -> str:
        return "trail-compliance"

    @property
    def asked(self) -> str:
        return "trail-compliance"


@dataclass(frozen=True, slots=True)
class Attested:
    """In each trail there must be an attestation of this name and type (None: any) on the artifact or on the trail."""

    line: int
    name: str | None
    type: str | None
    max_age: timedelta | None = None
    where: Condition | None = None
    applies: Condition | None = None
    must_be_compliant: bool = True
    asks: str = field(init=False, compare=False, repr=False)
    """What it asks of attestations, whatever its line and condition: rules that ask the same have the same answers."""
    asks_at_any_age: str = field(init=False, compare=False, repr=False)
    """The same, however old the answer may be."""
    answering: frozenset[str] | None = field(init=False, compare=False, repr=False)
    """The types of attestations that answer it; None: any."""

    def __post_init__(self) -> None:
        where = None if self.where is None else self.where.text
        at_any_age = repr((self.name, self.type, where, self.must_be_compliant))  # a text knows its hash
        object.__setattr__(self, "asks_at_any_age", at_any_age)
        object.__setattr__(self, "asks", f"{at_any_age}, {self.max_age!r}")
        object.__setattr__(self, "answering", None if self.type is None else answering(self.type))

    def checked(self, refuse: Callable[[str], NoReturn]) -> "Attested":
        """Itself, unless it asks for any attestation at all."""
        if self.name is None and self.type is None:
            refuse("This asks for no attestation in particular. Give a name or a type.")
        return self

    @property
    def short(self) -> str:
        return f"{self.name or '*'}:{self.type or '*'}"

    @property
    def key(self) -> str:
        return f"attestation:{self.short}"

    @property
    def asked(self) -> str:
        return f"{self.name or 'any name'} ({self.type or 'any type'})"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """In each trail one of these must be satisfied."""

    line: int
    alternatives: tuple[Attested, ...]
    applies: Condition | None = None

    @property
    def key(self) -> str:
        return "any-of:" + "|".join(each.short for each in self.alternatives)

    @property
    def asked(self) -> str:
        return "one of " + ", ".join(each.asked for each in self.alternatives)


@dataclass(frozen=True, slots=True)
class Approved:
    """So many people must have approved the artifact for the environment, in one request."""

    line: int
    least: int
    not_author: bool = False
    max_age: timedelta | None = None

    @property
    def key(self) -> str:
        return "approvals"

    @property
    def asked(self) -> str:
        return f"approvals, at least {self.least}"


@dataclass(frozen=True, slots=True)
class DeployedTo:
    """The artifact must have run in another environment, for so long without a break."""

    line: int
    environment: str
    lasting: timedelta

    @property
    def key(self) -> str:
        return f"deployed-to:{self.environment}"

    @property
    def asked(self) -> str:
        return f"deployed to {self.environment}" + (f" for {worded(self.lasting)}" if self.lasting else "")


Rule: TypeAlias = Provenance | TrailCompliance | Attested | AnyOf | Approved | DeployedTo


@dataclass(frozen=True, slots=True)
class Policy:
    """A numbered version of a policy."""

    name: str
    version: int
    scope: Scope | None
    rules: tuple[Rule, ...]
    labels: tuple[str, ...] = field(init=False, compare=False)
    """How reasons name its rules, in their order."""
    senses: tuple[str, ...] = field(init=False, compare=False)
    """What its rules ask, in their order, whoever asks it: two rules of one sense fare alike wherever they are asked."""

    def __post_init__(self) -> None:
        labels = [f"policy {self.name} v{self.version}, line {rule.line}: {rule.asked}" for rule in self.rules]
        object.__setattr__(self, "labels", tuple(labels))
        object.__setattr__(self, "senses", tuple([repr(_without_lines(rule)) for rule in self.rules]))

    @property
    def rule_keys(self) -> tuple[str, ...]:
        """How its rules are named in waivers, in their order."""
        return tuple(rule.key for rule in self.rules)

    @property
    def counted_types(self) -> frozenset[str]:
        """The types of attestations whose counts it looks at; `*` for all."""
        return self._types_asked(lambda each: each.where is not None)

    @property
    def dated_types(self) -> frozenset[str]:
        """The types of attestations whose age it looks at; `*` for all."""
        return self._types_asked(lambda each: each.max_age is not None)

    def _types_asked(self, is_meant: Callable[[Attested], bool]) -> frozenset[str]:
        asked = [each for rule in self.rules for each in (rule.alternatives if isinstance(rule, AnyOf) else (rule,))]
        meant = [each.answering for each in asked if isinstance(each, Attested) and is_meant(each)]
        return frozenset().union(*[{"*"} if types is None else types for types in meant])


def _without_lines(rule: Rule) -> Rule:
    if isinstance(rule, AnyOf):
        return replace(rule, line=0, alternatives=tuple([replace(each, line=0) for each in rule.alternatives]))
    return replace(rule, line=0)


def worded(duration: timedelta) -> str:
    """`30 days`, `24 hours`: the largest unit that says it in a whole number."""
    seconds = int(duration.total_seconds())
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size and seconds % size == 0 and not (unit == "day" and seconds == size):
            return f"{seconds // size} {unit}{'' if seconds == size else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"
