"""Something to ask about: an organization whose flows hold deliveries, as many as are wanted, the same ones every time.

One delivery goes through the services; the others are its entries under other names, so that the mix and the sizes are the real
ones whatever the services write. A delivery is thirteen entries: a trail, two attestations on it, two artifacts, four attestations
on each. Of every ten, one has a failed test report and one lacks its scan.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import islice
from typing import Any, Final
from uuid import UUID

from record.access import service as access
from record.access.rules import Caller
from record.artifacts import service as artifacts
from record.attestations.service import attest
from record.details import Commit, Link
from record.flows import service as flows
from record.ids import EntryIndex, uuid7
from record.ledger import queries as ledger
from record.ledger.entries import Draft
from record.moment import Moment
from record.record import Record
from record.trails import service as trails

FLOWS: Final = 10
ARTIFACTS: Final = ("server", "web")
CHECKS: Final = {
    "unit-tests": (
        "junit",
        "212 tests ran, and none failed.",
        {"tests": 212, "failures": 0, "errors": 0, "skipped": 3},
    ),
    "scan": (
        "sarif",
        "The scan found nothing above the thresholds.",
        {"critical": 0, "high": 0, "medium": 2, "low": 9},
    ),
    "sbom": ("sbom", "The document lists 184 components.", {"format": "CycloneDX 1.6", "components": 184}),
    "signature": ("generic", "The reporter says that it is compliant.", {}),
}
TEMPLATE: Final = """\
version: 1
trail:
  attestations:
    - {name: review, type: generic}
    - {name: build, type: generic}
  artifacts:
""" + "".join(
    f"    - name: {artifact}\n      attestations:\n"
    + "".join(f"        - {{name: {name}, type: {kind}}}\n" for name, (kind, _, _) in CHECKS.items())
    for artifact in ARTIFACTS
)
_LOADED_AT_A_TIME: Final = 13 * 2_000


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization and a key of its first admin."""

    name: str
    caller: Caller
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}


def flow_name(number: int) -> str:
    """The flow that delivery `number` belongs to."""
    return f"flow-{number % FLOWS}"


def trail_name(number: int) -> str:
    return f"delivery-{number:07d}"


def fingerprint(number: int, artifact: str = ARTIFACTS[0]) -> str:
    """The SHA-256 of an artifact of delivery `number`."""
    return sha256(f"{trail_name(number)}/{artifact}".encode()).hexdigest()


def commit(number: int) -> str:
    return sha256(trail_name(number).encode()).hexdigest()[:40]


async def organization(record: Record, name: str) -> Organization:
    """A new organization with its flows, and nothing in them."""
    _, issued = await access.create_organization(record, name, admin="ada")
    assert issued.token is not None
    caller = await access.recognise(record, issued.token)
    for number in range(FLOWS):
        wish = flows.CreateFlow(name=flow_name(number), description="What the team delivers.", template=TEMPLATE)
        await flows.create(record, caller, wish)
    return Organization(name, caller, issued.token)


async def deliver(record: Record, caller: Caller, number: int) -> list[Draft]:
    """Records delivery `number` through the services, as a pipeline would; the drafts of its entries."""
    where: dict[str, Any] = {"flow": flow_name(number), "trail": trail_name(number)}
    size = (await record.ledger.head(caller.org_id)).size
    details = Commit(sha=commit(number), message="Deliver it.", author="Ada <ada@example.com>", branch="main")
    await trails.begin(
        record,
        caller,
        trails.BeginTrail(
            flow=where["flow"], name=where["trail"], commit=details, origin_url="https://ci.example.com/runs/1834"
        ),
    )
    for name in ("review", "build"):
        await attest.generic(record, caller, attest.About(**where, name=name), compliant=True)
    for artifact in ARTIFACTS:
        print_of_it = fingerprint(number, artifact)
        await artifacts.report(
            record,
            caller,
            artifacts.ReportArtifact(
                **where,
                template_name=artifact,
                fingerprint=print_of_it,
                name=f"registry.example.com/{artifact}:1.8.34",
                kind="oci",
                build_url="https://ci.example.com/runs/1834",
                repository_url="https://git.example.com/shop",
            ),
        )
        for name in CHECKS:
            about = attest.About(
                **where,
                name=name,
                fingerprint=print_of_it,
                description="Ran in the pipeline.",
                external_urls=(Link("log", f"https://ci.example.com/runs/1834/{name}"),),
                user_data={"runner": "linux-x64-7", "attempt": 1},
            )
            await attest.generic(record, caller, about, compliant=True)
    async with record.database.connection(caller.org_id) as connection:
        moment = Moment.latest(caller.org_id, record.clock.now())
        recorded = await ledger.entries_after(connection, moment, EntryIndex(size - 1), count_max=100, kinds=None)
    return [Draft(entry.kind, entry.decoded().body) for entry in recorded]


async def load(record: Record, owner: Organization, *, entries: int) -> int:
    """Fills the ledger up to about `entries` in bulk; how many deliveries are in it then, numbered from 0."""
    caller = owner.caller
    sample = await deliver(record, caller, 0)
    flow_ids = await _flow_ids(record, caller)
    size = (await record.ledger.head(caller.org_id)).size
    more = max(0, (entries - size) // len(sample))
    drafts = (draft for number in range(1, more + 1) for draft in _delivery(sample, flow_ids, number))
    while batch := list(islice(drafts, _LOADED_AT_A_TIME)):
        await record.ledger.append_many(caller, batch)
    return more + 1


async def _flow_ids(record: Record, caller: Caller) -> dict[str, UUID]:
    async with record.database.connection(caller.org_id) as connection:
        rows = await connection.fetch(
            "SELECT DISTINCT name, flow_id FROM record.flows WHERE org_id = $1", caller.org_id
        )
    return {row["name"]: row["flow_id"] for row in rows}


def _delivery(sample: list[Draft], flow_ids: dict[str, UUID], number: int) -> Iterator[Draft]:
    """The sample's entries as those of another delivery."""
    flow = flow_name(number)
    about: dict[str, Any] = {"flow": flow, "flow_id": str(flow_ids[flow]), "trail_id": str(uuid7())}
    prints = {fingerprint(0, artifact): fingerprint(number, artifact) for artifact in ARTIFACTS}
    for draft in sample:
        body = {**draft.body, **about}
        if draft.kind == "trail.begun":
            body |= {"name": trail_name(number), "commit": commit(number)}
        elif draft.kind == "artifact.reported":
            body |= {"trail": trail_name(number), "commit": commit(number), "fingerprint": prints[body["fingerprint"]]}
        else:
            name, subject = body["name"], {"commit": commit(number)}
            if "fingerprint" in body["subject"]:
                subject["fingerprint"] = prints[body["subject"]["fingerprint"]]
            if name == "scan" and number % 10 == 3:
                continue
            body |= {"trail": trail_name(number), "subject": subject}
            if name in CHECKS:
                kind, explanation, summary = CHECKS[name]
                compliant = not (name == "unit-tests" and number % 10 == 7)
                result = {"compliant": compliant, "explanation": explanation, "summary": summary}
                body |= {"type": kind, "result": result}
        yield replace(draft, id=uuid7(), body=body)
