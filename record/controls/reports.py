"""The answer to "did every change of this period have the evidence?": a framework's mapped controls before the population.

Facts about all artifacts of a stretch of the population are read at once, so the number of statements does not depend on how many
changes or controls there are. The API looks at a period whole, up to `CHANGES_MAX` changes; archives go through it in pages of
their own, in constant memory.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeAlias

from record.controls import population, queries
from record.controls.mappings import PolicyRequired, Requirement
from record.controls.past import past_of
from record.controls.queries import Control, Framework
from record.controls.rules import Basis, Change, ChangeKind, Court, Finding, Place, Tally, Window, in_scope, tally
from record.database import Connection
from record.environments import queries as environments
from record.moment import Moment
from record.policies import presence
from record.policies import queries as policies
from record.policies.forms import Policy
from record.refusals import NotFound, TooLarge
from record.verdicts import earliest

CHANGES_MAX: Final = 10_000
"""The largest population that one request looks at."""
CONTROLS_MAX: Final = 5_000

Asked: TypeAlias = tuple[Requirement, ...]


@dataclass(frozen=True, slots=True)
class Tested:
    """A change before a control: how it fared when it was deployed, and how it fares now."""

    change: Change
    when_deployed: Finding
    now: Finding

    def finding(self, basis: Basis) -> Finding:
        return self.when_deployed if basis is Basis.WHEN_DEPLOYED else self.now


@dataclass(frozen=True, slots=True)
class Sheet:
    """What came of the changes for those controls that ask for the same: one place for each change, in their order."""

    when_deployed: bytes
    now: bytes

    def met(self, basis: Basis) -> bytes:
        return self.when_deployed if basis is Basis.WHEN_DEPLOYED else self.now


@dataclass(frozen=True, slots=True)
class Compliance:
    """A framework before the changes of a period. `controls` are those that are mapped; the others are not tested."""

    moment: Moment
    framework: Framework
    window: Window
    changes: Sequence[Change]
    controls: Mapping[str, Control]
    court: Court
    sheets: Mapping[Asked, Sheet]
    holds_until: datetime | None

    def count(self, kind: ChangeKind) -> int:
        """How many changes of this kind there were."""
        return sum(change.kind is kind for change in self.changes)

    def tally(self, control: Control) -> Tally:
        """How many changes the control is asked of, and how many had what it asks for."""
        sheet, places = self._of(control)
        return tally((bool(sheet.when_deployed[place]), bool(sheet.now[place])) for place in places)

    def members(
        self,
        control: Control,
        *,
        limit: int,
        after: Place | None = None,
        before: Place | None = None,
        backward: bool = False,
        without: Basis | None = None,
    ) -> list[Change]:
        """Changes that the control is asked of, in order; `without`: only those that had not the evidence, by that reading."""
        sheet, places = self._of(control)
        chosen = [
            self.changes[place]
            for place in places
            if (without is None or not sheet.met(without)[place])
            and (after is None or self.changes[place].place > after)
            and (before is None or self.changes[place].place < before)
        ]
        return chosen[-limit:] if backward else chosen[:limit]

    def explain(self, control: Control, change: Change) -> Tested:
        """How a change fared before a control, with the reasons."""
        assert control.mapping is not None
        asked = control.mapping.requirements
        return Tested(
            change,
            self.court.find(change, asked, Basis.WHEN_DEPLOYED),
            self.court.find(change, asked, Basis.NOW),
        )

    def _of(self, control: Control) -> tuple[Sheet, list[int]]:
        assert control.mapping is not None
        scope = control.mapping.environments
        places = [place for place, change in enumerate(self.changes) if in_scope(change, scope)]
        return self.sheets[control.mapping.requirements], places


async def framework_named(connection: Connection, moment: Moment, name: str) -> Framework:
    """The newest version of the framework of this name; refuses a name that is not there."""
    found = await queries.by_name(connection, moment, name)
    if found is None:
        raise NotFound(
            f"There is no framework called {name[:80]} in this organization. "
            "Create it with createFramework or importControls, or check the name."
        )
    return found


async def compliance(connection: Connection, moment: Moment, name: str, window: Window) -> Compliance:
    """Looks at a framework and a period whole; refuses a period with more changes than a request looks at."""
    framework = await framework_named(connection, moment, name)
    mapped = await queries.controls(connection, moment, framework, limit=CONTROLS_MAX, mapped=True)
    found = await population.page(connection, moment, window, limit=CHANGES_MAX + 1)
    if found.last is not None:
        raise TooLarge(
            f"There are more than {CHANGES_MAX} changes in this period. Ask about a shorter one, or request an archive of it."
        )
    court = await court_of(connection, moment, found.changes, mapped)

    def look() -> tuple[dict[Asked, Sheet], datetime | None]:
        return _sheets(court, found.changes, mapped)

    sheets, until = await asyncio.to_thread(look)  # thousands of changes before many controls take a while
    controls = {control.control: control for control in mapped}
    until = earliest((until, found.holds_until))
    return Compliance(moment, framework, window, found.changes, controls, court, sheets, until)


async def court_of(
    connection: Connection, moment: Moment, changes: Sequence[Change], controls: Sequence[Control]
) -> Court:
    """All that is to be known of these changes to test these controls: a fixed number of statements."""
    asked = {each for control in controls if control.mapping is not None for each in control.mapping.requirements}
    named = sorted({each.name for each in asked if isinstance(each, PolicyRequired)})
    understood: dict[str, Policy] = {}
    if named:
        found = await policies.by_names(connection, moment, named)
        understood = {policy.name: policy.understood for policy in found if policy is not None}
    fingerprints = list(dict.fromkeys(each.fingerprint for each in changes if each.kind is ChangeKind.DEPLOYMENT))
    ids = list(dict.fromkeys(each.environment_id for each in changes))
    places = [each for each in await environments.by_ids(connection, moment, ids) if each is not None]
    known = await presence.facts_about(connection, moment, fingerprints, list(understood.values()), places)
    history = await past_of(connection, moment, fingerprints, ids)
    facts = {
        fingerprint: replace(each, approvals=history.approvals_now(moment, fingerprint))
        for fingerprint, each in known.items()
    }
    return Court(facts, understood, now=moment.instant, history=history)


def _sheets(
    court: Court, changes: Sequence[Change], controls: Sequence[Control]
) -> tuple[dict[Asked, Sheet], datetime | None]:
    asked = list(dict.fromkeys(each.mapping.requirements for each in controls if each.mapping is not None))
    then = {each: bytearray() for each in asked}
    now = {each: bytearray() for each in asked}
    ends: list[datetime | None] = []
    for change in changes:
        for each in asked:
            then[each].append(court.find(change, each, Basis.WHEN_DEPLOYED).met)
            finding = court.find(change, each, Basis.NOW)
            now[each].append(finding.met)
            if finding.holds_until is not None:
                ends.append(finding.holds_until)
    return {each: Sheet(bytes(then[each]), bytes(now[each])) for each in asked}, earliest(ends)
