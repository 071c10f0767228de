"""Writes, complete: key, rules, entry, rows, durable; against a plain durable insert of the same bytes.

A worker signs checkpoints all the while, and how far it is behind is looked at ten times a second.
"""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from benchmarks import content, questions
from benchmarks.load import NUMBER, Load, http_request
from benchmarks.rig import Rig
from benchmarks.turns import Contender, Figure, Options, Outcome, Rounds, compare, in_turns
from record.ledger.queries import newest_checkpoint
from record.record import Record

TRAILS: Final = 16
ORGANIZATIONS: Final = 8
OF_FLOOR: Final = 0.20
P99_OF_FLOOR: Final = 12
LAG_SECONDS_MAX: Final = 2.0
EIGHT_OF_ONE: Final = 1.0


class Lag:
    """Watches how long the oldest unsigned entry of some organizations has waited."""

    def __init__(self, record: Record, organizations: list[content.Organization]) -> None:
        self._record = record
        self._organizations = organizations
        self.most = 0.0

    async def caught_up(self) -> None:
        """Returns when the worker has signed what was there before the load."""
        while any([await self._of(organization) for organization in self._organizations]):
            await asyncio.sleep(0.1)

    async def watch(self) -> None:
        """Until it is cancelled."""
        while True:
            for organization in self._organizations:
                self.most = max(self.most, await self._of(organization))
            await asyncio.sleep(0.1)

    async def _of(self, organization: content.Organization) -> float:
        org_id = organization.caller.org_id
        async with self._record.database.connection(org_id) as connection:
            newest = await newest_checkpoint(connection, org_id)
            oldest = await connection.fetchval(
                "SELECT at FROM record.entries WHERE org_id = $1 AND entry_index = $2",
                org_id,
                0 if newest is None else newest.size,
            )
        return 0.0 if oldest is None else (datetime.now(UTC) - oldest).total_seconds()


def report_requests(organization: content.Organization) -> list[bytes]:
    """Reports into a few trails in turn."""
    return [
        questions.graphql(
            questions.report_artifact(flow=content.flow_name(number), trail=content.trail_name(number)),
            organization.headers,
        )
        for number in range(TRAILS)
    ]


def attest_requests(organization: content.Organization) -> list[bytes]:
    """Attestations on an artifact of each of a few trails."""
    return [
        questions.graphql(
            questions.attest_generic(
                flow=content.flow_name(number),
                trail=content.trail_name(number),
                fingerprint=content.fingerprint(number),
            ),
            organization.headers,
        )
        for number in range(TRAILS)
    ]


async def measure(rig: Rig, options: Options) -> Outcome:
    """All cases, on an empty house."""
    house = rig.house("writes")
    api = rig.api(house, "api-writes")
    async with house.record() as record:
        several = [await content.organization(record, f"org-{number}") for number in range(ORGANIZATIONS)]
        for organization in several:
            await content.load(record, organization, entries=TRAILS * 14)
        rig.worker(house, "worker-writes")
        lag = Lag(record, several)
        await lag.caught_up()
        watching = asyncio.create_task(lag.watch())
        try:
            figures, medians = await asyncio.to_thread(_all, rig, api.port, several, options)
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
    figures.append(
        Figure("checkpoint", "seconds behind, at most, under all of this", lag.most, at_most=LAG_SECONDS_MAX)
    )
    return Outcome(figures, medians)


def _all(
    rig: Rig, port: int, several: list[content.Organization], options: Options
) -> tuple[list[Figure], dict[str, dict[str, dict[str, float]]]]:
    figures: list[Figure] = []
    medians: dict[str, dict[str, dict[str, float]]] = {}
    for case, requests in (("reportArtifact", report_requests), ("attestGeneric", attest_requests)):
        rounds = _against_floor(rig, port, case, requests(several[0]), several[0], options)
        figures += compare(case, rounds, "muniment", "floor", at_least=OF_FLOOR, p99_at_most=P99_OF_FLOOR)
        medians[case] = rounds.summary()
        all_of_them = Load([requests(organization) for organization in several], b'"leafHash"')
        one_of_them = Load([requests(several[0])], b'"leafHash"')
        rounds = in_turns(
            rig.load, [Contender("eight", port, all_of_them), Contender("one", port, one_of_them)], options
        )
        figures += compare(f"{case}, 8 organizations", rounds, "eight", "one", at_least=EIGHT_OF_ONE)
        medians[f"{case}, 8 organizations"] = rounds.summary()
    return figures, medians


def _against_floor(
    rig: Rig, port: int, case: str, requests: list[bytes], organization: content.Organization, options: Options
) -> Rounds:
    """The same request bytes to both; the floor answers with the same bytes."""
    body = requests[0].partition(b"\r\n\r\n")[2]
    answer, _ = questions.asked(port, body.replace(NUMBER, b"f" * 16), organization.headers)
    assert b'"leafHash"' in answer, answer
    rig.floor.prepare(f"/answers/{case}", answer)
    bare = http_request(f"/write/{case}", body, organization.headers)
    return in_turns(
        rig.load,
        [
            Contender("muniment", port, Load([requests], b'"leafHash"')),
            Contender("floor", rig.floor.port, Load([[bare]], b'"leafHash"')),
        ],
        options,
    )
