"""What tests ask of archives of changes, and how they read them."""

import csv
import io
import json
from datetime import datetime, timedelta
from typing import Any

from record.archives.rules import ArchiveKind, RequestArchive
from record.environments import reporting
from record.environments.members import Reported
from record.environments.reporting import ReportSnapshot
from record.ids import Fingerprint
from tests.record.archives.harness import MadeArchive, World

HOUR = timedelta(hours=1)


async def snapshot(world: World, environment: str, *fingerprints: str) -> None:
    members = [Reported(Fingerprint(each), f"app-{each[-2:]}") for each in fingerprints]
    await reporting.report(world.record, world.caller, ReportSnapshot(environment, members))


def period(world: World) -> tuple[datetime, datetime]:
    now = world.record.clock.now()
    return now - HOUR, now + HOUR


def window(world: World, **wish: Any) -> RequestArchive:
    since, until = period(world)
    return RequestArchive(ArchiveKind.WINDOW, since=since, until=until, **wish)


def entries(made: MadeArchive) -> dict[int, dict[str, Any]]:
    manifest = json.loads(made.read("manifest.json"))
    lines = made.read("entries.jsonl").splitlines()
    return {index: json.loads(line) for (index, _), line in zip(manifest["entries"], lines, strict=True)}


def kinds(made: MadeArchive) -> set[str]:
    return {entry["kind"] for entry in entries(made).values()}


def rows(made: MadeArchive, name: str) -> list[dict[str, Any]]:
    """The rows of a list, which its CSV and its JSON agree about."""
    told: list[dict[str, Any]] = json.loads(made.read(f"{name}.json"))
    written = list(csv.DictReader(io.StringIO(made.read(f"{name}.csv").decode(), newline="")))
    assert [int(each["entry"]) for each in written] == [each["entry"] for each in told]
    return told
