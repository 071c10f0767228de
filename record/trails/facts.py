"""What a trail's verdict is reached from: its template, and everything reported and attested in it.

The facts stand apart from the rules because both the artifact's and the trail's rules read them. Reading them from rows is
the queries' affair.
"""

from typing import NamedTuple

from record.attestations.rules import AttestationFact
from record.flows.templates import Template
from record.ids import EntryIndex


class ArtifactFact(NamedTuple):
    """One report of an artifact into the trail. The same fingerprint may be reported again, also under another name."""

    entry_index: EntryIndex
    fingerprint: str
    template_name: str
    commit: str | None
    name: str


class TrailFacts(NamedTuple):
    """Everything that was recorded in one trail, in any order, and the template in force (None: there is none)."""

    name: str
    template: Template | None
    template_version: int | None
    attestations: tuple[AttestationFact, ...]
    artifacts: tuple[ArtifactFact, ...]
