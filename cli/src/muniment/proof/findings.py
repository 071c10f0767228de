"""What came out of checking an archive: numbered steps, and every fault with its place and its consequence.

A verdict without reasons is of no use to an auditor. So a check never just fails: it leaves faults that say where, what is
the fact there, and what may no longer be believed because of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

FAULTS_TOLD_MAX = 100


@dataclass(frozen=True)
class Fault:
    """Something is wrong at `where` (a member, an entry, or the archive itself)."""

    where: str
    fact: str
    consequence: str

    def __str__(self) -> str:
        return f"{printable(self.where)}: {printable(self.fact)} {printable(self.consequence)}"


@dataclass(frozen=True)
class Check:
    """One numbered step: what it establishes, whether it does, and in what measure."""

    number: int
    title: str
    ok: bool
    detail: str


@dataclass(frozen=True)
class ArchiveResult:
    """The whole outcome. `facts` repeats what the archive says about itself, proven only as far as `ok` and `notes` say."""

    ok: bool
    checks: tuple[Check, ...]
    faults: tuple[Fault, ...]
    notes: tuple[str, ...]
    facts: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The outcome as plain JSON values, for programs."""
        return {
            "ok": self.ok,
            "checks": [vars(check) for check in self.checks],
            "faults": [vars(fault) for fault in self.faults],
            "notes": list(self.notes),
            "facts": self.facts,
        }


class Findings:
    """Collects checks, faults and notes while an archive is being read."""

    def __init__(self) -> None:
        self.checks: list[Check] = []
        self.faults: list[Fault] = []
        self.notes: list[str] = []
        self.facts: dict[str, Any] = {}
        self.fault_count = 0

    def fault(self, where: str, fact: str, consequence: str) -> None:
        """Something is wrong. Only the first hundred are told one by one; all of them count."""
        self.fault_count += 1
        if self.fault_count <= FAULTS_TOLD_MAX:
            self.faults.append(Fault(where, fact, consequence))

    def note(self, text: str) -> None:
        """Something that a reader should know, though nothing is wrong."""
        self.notes.append(text)

    @contextmanager
    def step(self, title: str) -> Iterator[StepDetail]:
        """One numbered step: it is fine if no fault was added while it ran."""
        before = self.fault_count
        detail = StepDetail()
        yield detail
        found = self.fault_count - before
        told = detail.text if not found else f"{found} fault{'s' if found > 1 else ''}"
        self.checks.append(Check(len(self.checks) + 1, title, not found, told))

    def skip(self, title: str, reason: str) -> None:
        """A step that could not be taken establishes nothing."""
        self.checks.append(Check(len(self.checks) + 1, title, False, reason))

    def result(self) -> ArchiveResult:
        """The outcome of all steps."""
        untold = self.fault_count - len(self.faults)
        if untold:
            self.notes.append(f"{untold} more faults were found and are not told one by one.")
        fine = not self.fault_count and all(check.ok for check in self.checks)
        return ArchiveResult(fine, tuple(self.checks), tuple(self.faults), tuple(self.notes), self.facts)


class StepDetail:
    """What a step that went well tells about its extent."""

    def __init__(self) -> None:
        self.text = ""


def printable(text: str) -> str:
    """The text with everything escaped that could move a terminal's cursor or hide what is written."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)
