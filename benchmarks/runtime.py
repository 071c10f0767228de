"""Runtime: the verdict on a large environment, large reports, the gate, and pages of what happened among many snapshots.

The first two are measured in this process, where statements can be counted and a bare round trip is known; the others over HTTP, in
turns with the floor or with a small ledger.
"""

import asyncio
import json
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any, Final

from benchmarks import content, places, questions
from benchmarks.content import Organization
from benchmarks.load import Load
from benchmarks.pinning import SERVER_CORE, pin_this_process
from benchmarks.reads import against_rows
from benchmarks.rig import House, Rig
from benchmarks.turns import Contender, Figure, Options, Outcome, in_turns, per_second
from record import garbage
from record.database import Connection, Database
from record.environments import queries as environments
from record.environments import reporting
from record.environments import service as environment_service
from record.ids import EnvironmentId, OrgId
from record.ledger.append import Ledger
from record.moment import Moment
from record.policies import presence
from record.policies import service as policies
from record.readings import rows_of
from record.record import Record
from record.verdicts import Reason

RUNNING: Final = 800
ROUND_TRIPS: Final = 60
PAIR_SECONDS: Final = 100e-6
MEMBERS: Final = 10_000
GATE_OF_FLOOR: Final = 0.15
GATE_ENTRIES: Final = 13_000
SNAPSHOTS: Final = (100, 10_000)
COST_AT_MOST: Final = 1.3
ASKED: Final = 300

POLICY: Final = """\
version: 1
artifacts:
  provenance: {required: true, exceptions: [{if: 'matches(artifact.name, "^datadog:")'}]}
  trail-compliance: {required: true}
  attestations:
    - {name: unit-tests, type: junit, max-age: 30d}
    - {type: sarif, where: "critical == 0", if: 'flow.name != "sandbox"'}
    - any-of: [{type: snyk}, {type: sbom}]
    - {name: review}
    - {name: signature, type: generic}
"""
"""Seven rules."""
GATE: Final = """query Gate($fingerprint: Fingerprint!) {
  record {
    assertArtifact(fingerprint: $fingerprint, environment: "prod") {
      __typename
      ... on ArtifactAsserted {
        name
        verdict {
          status
          holdsUntil
          reasons { rule subject outcome explanation remedy entryIndex because { rule outcome explanation } }
        }
      }
    }
  }
}"""
ENVIRONMENT: Final = """{ record { environment(name: "prod") { verdict { status holdsUntil
  reasons { rule subject outcome explanation because { rule subject outcome explanation
    because { rule subject outcome explanation entryIndex } } } } } } }"""
STATUS: Final = '{ record { environment(name: "prod") { verdict { status holdsUntil } } } }'
CHANGES: Final = """query Changes($after: String) { record { environment(name: "prod") {
  changes(first: 50, after: $after) { nodes { kind name fingerprint snapshotNumber at } pageInfo { hasNextPage endCursor } }
} } }"""
PAGES: Final = """query Pages($after: String) { record { environment(name: "prod") {
  snapshots(first: 50, after: $after) { nodes { number started stopped at } pageInfo { hasNextPage endCursor } }
} } }"""


async def measure(rig: Rig, options: Options) -> Outcome:
    """All cases."""
    outcome = Outcome([], {})
    pin_this_process(SERVER_CORE)
    house = rig.house("runtime")
    async with house.record() as record:
        owner = await places.organization(record)
        await places.build(record, owner.caller, RUNNING)
        await _report(record, owner, RUNNING, "staging", "prod")
        await places.attach(record, owner.caller)
    rig.analyze(house)
    await _verdict(rig, house, owner, options, outcome)
    await _reports(house, owner, options, outcome)
    await _gate(rig, options, outcome)
    await _pages(rig, options, outcome)
    return outcome


async def _report(record: Record, owner: Organization, count: int, *names: str) -> None:
    members = [places.member(number) for number in range(count)]
    for name in names:
        await reporting.report(record, owner.caller, reporting.ReportSnapshot(name, members))


# --- the verdict on an environment


@dataclass(slots=True)
class _Judging:
    """The runs of one question, in seconds."""

    round_trips: list[float] = field(default_factory=list)
    elapsed: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    statements: int = 0


async def _verdict(rig: Rig, house: House, owner: Organization, options: Options, outcome: Outcome) -> None:
    pairs = RUNNING * places.POLICIES
    async with house.record() as record, record.database.connection(owner.caller.org_id) as connection:
        moment = Moment.latest(owner.caller.org_id, record.clock.now())
        prod = await environments.by_name(connection, moment, "prod")
        assert prod is not None
        large = _Judging()
        garbage.settle()  # as the API has it
        for _ in range(options.rounds + 1):  # the first one warms
            await _judge(connection, moment, prod.environment_id, large)
    cost = [
        elapsed / (ROUND_TRIPS * trip + PAIR_SECONDS * pairs)
        for elapsed, trip in zip(large.elapsed[1:], large.round_trips[1:], strict=True)
    ]
    case = f"verdict of {RUNNING} x {places.POLICIES} x {places.FLOWS}"
    budget = f"time by {ROUND_TRIPS} round trips + {PAIR_SECONDS * 1e6:.0f} us a pair"
    processor = median(large.processor[1:]) / pairs * 1e6
    outcome.figures.extend(
        [
            Figure(case, budget, median(cost), at_most=1.0, spread=(min(cost), max(cost))),
            Figure(case, "milliseconds, all reasons worded", median(large.elapsed[1:]) * 1e3),
            Figure(case, "bare round trip, microseconds", median(large.round_trips[1:]) * 1e6),
            Figure(case, "processor time a pair, microseconds", processor),
            Figure(case, "statements", large.statements),
        ]
    )
    api = rig.api(house, "api-runtime", answer_cache_bytes="0")
    for what, query in (("status", STATUS), ("all reasons", ENVIRONMENT)):
        seconds = []
        for _ in range(3):
            began = time.perf_counter()
            answer, _headers = questions.asked(api.port, questions.ask_bytes(query, {}), owner.headers)
            seconds.append(time.perf_counter() - began)
        outcome.figures.append(
            Figure(f"{case}, HTTP", f"milliseconds, {what}, {len(answer) / 1e6:.1f} MB", median(seconds) * 1e3)
        )


async def _judge(connection: Connection, moment: Moment, environment: EnvironmentId, judging: _Judging) -> None:
    trips = []
    for _ in range(200):
        began = time.perf_counter()
        await connection.fetchval("SELECT 1")
        trips.append(time.perf_counter() - began)
    judging.round_trips.append(median(trips))
    began, used = time.perf_counter(), time.process_time()
    (judged,) = await presence.judged_by_attached(connection, moment, [environment])
    assert judged is not None
    _worded(judged.verdict.reasons)
    judging.elapsed.append(time.perf_counter() - began)
    judging.processor.append(time.process_time() - used)
    sent: list[str] = []
    with connection.query_logger(lambda query: sent.append(query.query)):
        await presence.judged_by_attached(connection, moment, [environment])
        await asyncio.sleep(0)
    judging.statements = len(sent)


def _worded(reasons: Iterable[Reason]) -> None:
    """Has every reason made, down to the leaves."""
    for artifact in reasons:
        for rule in artifact.because:
            tuple(rule.because)


# --- large reports


class _Counted(Database):
    """A database that counts what it is sent."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sent = 0

    async def borrow(self, org_id: OrgId | None) -> Connection:
        connection = await super().borrow(org_id)
        connection.add_query_logger(self._note)
        return connection

    def give_back(self, org_id: OrgId | None, connection: Connection) -> None:
        if not connection.is_closed():
            connection.remove_query_logger(self._note)
        super().give_back(org_id, connection)

    def _note(self, query: Any) -> None:
        self.sent += 1


async def _reports(house: House, owner: Organization, options: Options, outcome: Outcome) -> None:
    """The same 10,000 members again and again; before each of these, 10,000 others."""
    changed: list[tuple[float, int]] = []
    unchanged: list[tuple[float, int]] = []
    async with house.record() as opened:
        database = _Counted(str(opened.settings.database_url))
        record = replace(opened, database=database, ledger=Ledger(database, opened.clock, rows_of))
        for number in range(options.rounds + 1):
            members = [places.member(1_000_000 * number + each) for each in range(MEMBERS)]
            wish = reporting.ReportSnapshot("staging", members)
            for found in (changed, unchanged):
                database.sent = 0
                began = time.perf_counter()
                await reporting.report(record, owner.caller, wish)
                found.append((time.perf_counter() - began, database.sent))
        await database.close()
    for case, found, most in (("10,000 members", changed, 15), ("10,000 unchanged members", unchanged, 4)):
        outcome.figures.extend(
            [
                Figure(case, "statements", max(sent for _, sent in found[1:]), at_most=most),
                Figure(case, "milliseconds", median(seconds for seconds, _ in found[1:]) * 1e3),
            ]
        )


# --- the gate


async def _gate(rig: Rig, options: Options, outcome: Outcome) -> None:
    """The artifacts of the benchmark for one artifact's verdict, each before the policy of an environment in which none runs."""
    house = rig.house("gate")
    async with house.record() as record:
        owner = await content.organization(record, "acme")
        deliveries = await content.load(record, owner, entries=GATE_ENTRIES)
        await environment_service.create(record, owner.caller, environment_service.CreateEnvironment("prod", "k8s"))
        wish = policies.CreatePolicy("production", POLICY)
        await policies.create(record, owner.caller, wish)
        await policies.attach(record, owner.caller, policy=wish.name, environment="prod")
    rig.analyze(house)
    api = rig.api(house, "api-gate", answer_cache_bytes="0")
    chosen = random.Random(7).sample(range(deliveries), ASKED)
    bodies = [questions.ask_bytes(GATE, {"fingerprint": content.fingerprint(number)}) for number in chosen]
    against_rows(rig, api.port, "assertArtifact", bodies, owner, 1, GATE_OF_FLOOR, options, outcome)


# --- pages of what happened


async def _pages(rig: Rig, options: Options, outcome: Outcome) -> None:
    ports: dict[str, int] = {}
    loads: dict[str, dict[str, Load]] = {}
    small, large = (str(count) for count in SNAPSHOTS)
    for count in SNAPSHOTS:
        house = rig.house(f"snapshots{count}")
        async with house.record() as record:
            owner = await places.organization(record)
            await places.snapshots(record, owner, count)
        rig.analyze(house)
        ports[str(count)] = rig.api(house, f"api-snapshots-{count}", answer_cache_bytes="0").port
        loads[str(count)] = _asked_of(ports[str(count)], owner)
    for case in loads[small]:
        contenders = [Contender(name, ports[name], loads[name][case]) for name in (small, large)]
        rounds = in_turns(rig.load, contenders, options)
        outcome.figures.append(
            Figure(
                case,
                f"cost at {SNAPSHOTS[1]:,} snapshots by at {SNAPSHOTS[0]}",
                rounds.ratio(small, large, per_second),
                at_most=COST_AT_MOST,
                spread=rounds.spread(small, large, per_second),
            )
        )
        outcome.medians[case] = rounds.summary()


def _asked_of(port: int, owner: Organization) -> dict[str, Load]:
    """Pages all over what happened: walked to by cursors, as a client does."""
    changes = _walked(port, owner, CHANGES, "changes")
    pages = _walked(port, owner, PAGES, "snapshots")
    return {
        "a page of changes": Load([[questions.graphql(body, owner.headers) for body in changes]], b'"STARTED"'),
        "a page of snapshots": Load([[questions.graphql(body, owner.headers) for body in pages]], b'"number"'),
    }


def _walked(port: int, owner: Organization, query: str, name: str) -> list[bytes]:
    bodies: list[bytes] = []
    after: str | None = None
    while len(bodies) < ASKED:
        body = questions.ask_bytes(query, {"after": after})
        answer, _ = questions.asked(port, body, owner.headers)
        page = json.loads(answer)["data"]["record"]["environment"][name]
        if len(page["nodes"]) < 50:
            break
        bodies.append(body)
        after = page["pageInfo"]["endCursor"]
    return bodies
