"""How fast archives are made: `python -m benchmarks.archive [--members N] [--size BYTES] [--rounds N]`.

The floor is a plain streamed copy of the same objects on the same store: got with the same SDK, many small ones at a time, and put
with it as one object, several parts in flight; no ZIP, no checksums, no PostgreSQL. Each run is a process of its own, archive and
floor in turns, so that each tells its own peak of memory. One JSON object on stdout; status 1 when the figures are not met.

    python -m benchmarks.archive --members 20000 --size 100000
    python -m benchmarks.archive --members 10 --size 1073741824
"""

import argparse
import asyncio
import hashlib
import json
import logging
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, Final, cast
from uuid import UUID

import uvloop
from minio import Minio
from minio.datatypes import Part
from urllib3 import PoolManager

from embedded import processes
from embedded.servers import Stack
from record import garbage, logs, migrations
from record.access import service as access
from record.access.rules import Caller, operator
from record.archives import service
from record.archives.rules import ArchiveKind, RequestArchive
from record.attestations.service import attest
from record.evidence import service as evidence
from record.flows import service as flows
from record.ids import ArchiveId, OrgId, uuid7
from record.ledger.integrate import integrate
from record.ledger.signing import Notary
from record.record import Record, open_record
from record.settings import Settings
from record.trails import service as trails
from workers.archives import Archives
from workers.work import Work

RATIO_LEAST: Final = 0.8
MEMORY_BYTES_MOST: Final = 200 << 20
PART_BYTES: Final = 8 << 20
PARTS_IN_FLIGHT: Final = 4
FETCHES_IN_FLIGHT: Final = 16
SMALL_BYTES: Final = 1 << 20
FILES_AN_ATTESTATION: Final = 100
STORES_AT_ONCE: Final = 8
_BLOCK: Final = hashlib.shake_256(b"muniment").digest(1 << 20)


def main() -> int:
    """The benchmark, or (with --run) one run of it in a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.archive", description="Measures how archives are made.")
    parser.add_argument("--members", type=int, default=2_000, help="how many files of evidence (2000)")
    parser.add_argument("--size", type=int, default=100_000, help="size of each in bytes (100000)")
    parser.add_argument("--rounds", type=int, default=5, help="how many rounds a median is taken over (5)")
    parser.add_argument("--run", choices=("archive", "floor"), help=argparse.SUPPRESS)
    parser.add_argument("--organization", type=UUID, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.run is not None:
        logs.configure("text")
        logging.getLogger().setLevel(logging.WARNING)
        garbage.settle()  # as a worker does
        print(json.dumps(uvloop.run(_run(asked.run, OrgId(asked.organization)))))
        return 0
    place = processes.CHECKOUT / ".muniment"
    place.mkdir(exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="benchmarks-", dir=place))
    try:
        with Stack(directory) as stack:
            found = _measure(stack, members=asked.members, size=asked.size, rounds=asked.rounds)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(json.dumps(found))
    return 0 if found["met"] else 1


def _measure(stack: Stack, *, members: int, size: int, rounds: int) -> dict[str, Any]:
    migrations.upgrade(stack.owner_database_url)
    chosen = processes.settings(
        database_url=stack.database_url,
        redis_url=stack.redis_url,
        s3=stack.s3,
        signing_key_file=stack.directory.secret_file("signing_key", bytes_count=32),
        retention_days="1",
    )
    os.environ.update(chosen)
    began = time.monotonic()
    org_id = asyncio.run(_load(members, size))
    _say(f"{members} files of {size} bytes stored in {time.monotonic() - began:.1f} s")
    runs: dict[str, list[dict[str, float]]] = {"archive": [], "floor": []}
    for number in range(rounds):
        for what in ("archive", "floor") if number % 2 else ("floor", "archive"):
            run = _in_process(what, org_id, chosen)
            runs[what].append(run)
            megabytes, peak = run["bytes"] / 1e6, run["peak_bytes"] / 2**20
            _say(
                f"  {what:8} {megabytes / run['seconds']:8.1f} MB/s   {run['cpu_seconds'] / megabytes * 1e3:6.2f} ms CPU per MB"
                f"   peak {peak:6.1f} MiB"
            )
    rates = {what: [run["bytes"] / run["seconds"] for run in done] for what, done in runs.items()}
    ratios = [ours / floor for ours, floor in zip(rates["archive"], rates["floor"], strict=True)]
    peak = max(run["peak_bytes"] for run in runs["archive"])
    return {
        "members": members,
        "size": size,
        "rounds": rounds,
        "ratio": round(median(ratios), 3),
        "ratio_range": [round(min(ratios), 3), round(max(ratios), 3)],
        "archive_mb_per_second": round(median(rates["archive"]) / 1e6, 1),
        "floor_mb_per_second": round(median(rates["floor"]) / 1e6, 1),
        "archive_peak_mib": round(peak / 2**20, 1),
        "floor_peak_mib": round(max(run["peak_bytes"] for run in runs["floor"]) / 2**20, 1),
        "met": median(ratios) >= RATIO_LEAST and peak < MEMORY_BYTES_MOST,
    }


def _in_process(what: str, org_id: OrgId, chosen: dict[str, str]) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.archive", "--run", what, "--organization", str(org_id)]
    done = subprocess.run(
        command, env=processes.environment(chosen), cwd=processes.CHECKOUT, check=True, stdout=subprocess.PIPE
    )
    run: dict[str, float] = json.loads(done.stdout)
    return run


async def _load(members: int, size: int) -> OrgId:
    """An organization with one trail that has this much evidence."""
    record = open_record(Settings.from_environment())
    caller, _ = await access.create_organization(record, "acme", admin="ada")
    await flows.create(record, caller, flows.CreateFlow(name="delivery"))
    await trails.begin(record, caller, trails.BeginTrail(flow="delivery", name="everything"))
    gate = asyncio.Semaphore(STORES_AT_ONCE)

    async def attested(first: int) -> None:
        async with gate:
            files = [
                attest.File(digest=await _stored(record, caller, number, size), name=f"file-{number}.bin")
                for number in range(first, min(first + FILES_AN_ATTESTATION, members))
            ]
            about = attest.About("delivery", "everything", f"files-{first}", evidence=tuple(files))
            await attest.generic(record, caller, about, compliant=True)

    await asyncio.gather(*(attested(first) for first in range(0, members, FILES_AN_ATTESTATION)))
    await _sign(record, caller.org_id)
    await record.close()
    return caller.org_id


async def _stored(record: Record, caller: Caller, number: int, size: int) -> str:
    found, _ = await evidence.store(
        record, caller, _content(number, size), expected=None, expected_size=size, media_type=None
    )
    return found.digest


async def _content(number: int, size: int) -> AsyncIterator[bytes]:
    """Bytes that no other file begins with."""
    head = f"{number:016}".encode()
    yield head[:size]
    for start in range(len(head), size, len(_BLOCK)):
        yield _BLOCK[: min(len(_BLOCK), size - start)]


async def _sign(record: Record, org_id: OrgId) -> None:
    notary = Notary(record.settings.signing_seed())
    while await integrate(record, org_id, notary):
        pass


async def _run(what: str, org_id: OrgId) -> dict[str, float]:
    record = open_record(Settings.from_environment())
    try:
        before = resource.getrusage(resource.RUSAGE_SELF)
        count, seconds = await (_archive if what == "archive" else _copy)(record, org_id)
        after = resource.getrusage(resource.RUSAGE_SELF)
    finally:
        await record.close()
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"bytes": count, "seconds": seconds, "cpu_seconds": busy, "peak_bytes": _peak_bytes()}


def _peak_bytes() -> int:
    """The most memory that this process has held. Not `ru_maxrss`: that begins at what the parent held when it forked."""
    told = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()
    return int(told[0]) * 1024


async def _archive(record: Record, org_id: OrgId) -> tuple[int, float]:
    """What a worker does, its lease and progress included, from looking for the job until the archive is recorded."""
    wish = RequestArchive(ArchiveKind.TRAIL, flow="delivery", trail="everything")
    caller = operator(org_id, "acme")
    receipt = await service.request(record, caller, wish)
    await _sign(record, org_id)
    async with record.database.connection(org_id) as connection:
        count = await connection.fetchval("SELECT sum(size)::bigint FROM record.evidence WHERE org_id = $1", org_id)
    kind = Archives().kind()
    work = Work(record, {kind.name: kind})
    began = time.monotonic()
    await work.look((org_id, UUID(receipt.body["archive_id"])))
    await work.drain(grace_seconds=24 * 3600)
    seconds = time.monotonic() - began
    await service.finished(record, caller, ArchiveId(UUID(receipt.body["archive_id"])))
    return count, seconds


async def _copy(record: Record, org_id: OrgId) -> tuple[int, float]:
    objects = await _objects(record, org_id)
    address = record.vault.address
    client = Minio(
        address.endpoint,
        access_key=address.access_key,
        secret_key=address.secret_key,
        secure=address.secure,
        http_client=PoolManager(maxsize=FETCHES_IN_FLIGHT + PARTS_IN_FLIGHT),
    )
    began = time.monotonic()
    count = await asyncio.to_thread(plain_copy, client, address.bucket, objects)
    return count, time.monotonic() - began


async def _objects(record: Record, org_id: OrgId) -> list[tuple[str, str, int]]:
    """Key, version and size of all evidence."""
    statement = "SELECT key, version_id, size FROM record.evidence WHERE org_id = $1 ORDER BY entry_index"
    async with record.database.connection(org_id) as connection:
        return [tuple(row) for row in await connection.fetch(statement, org_id)]


def plain_copy(client: Minio, bucket: str, objects: list[tuple[str, str, int]]) -> int:
    """All objects, one behind the other, into one object."""
    target = f"floor/{uuid7()}"
    upload = client._create_multipart_upload(bucket, target, {"Content-Type": "application/octet-stream"})
    sending: deque[Future[Part]] = deque()
    parts: list[Part] = []
    filling, count = bytearray(), 0
    with ThreadPoolExecutor(PARTS_IN_FLIGHT) as senders, ThreadPoolExecutor(FETCHES_IN_FLIGHT) as fetchers:

        def send(number: int, part: bytearray) -> Part:
            return Part(number, client._upload_part(bucket, target, cast("bytes", part), None, upload, number))

        def ship(part: bytearray) -> None:
            if len(sending) == PARTS_IN_FLIGHT:
                parts.append(sending.popleft().result())
            sending.append(senders.submit(send, len(parts) + len(sending) + 1, part))

        for piece in _pieces(client, bucket, objects, fetchers):
            filling += piece
            count += len(piece)
            if len(filling) >= PART_BYTES:
                ship(filling)
                filling = bytearray()
        ship(filling)
        parts += [each.result() for each in sending]
    client._complete_multipart_upload(bucket, target, upload, parts)
    return count


def _pieces(
    client: Minio, bucket: str, objects: list[tuple[str, str, int]], fetchers: ThreadPoolExecutor
) -> Iterator[bytes]:
    def fetch(key: str, version_id: str) -> bytes:
        with client.get_object(bucket, key, version_id=version_id) as response:
            return response.read()

    coming = iter(objects)
    window: deque[tuple[str, str, Future[bytes] | None]] = deque()
    while True:
        for key, version_id, size in islice(coming, FETCHES_IN_FLIGHT - len(window)):
            is_small = size <= SMALL_BYTES
            window.append((key, version_id, fetchers.submit(fetch, key, version_id) if is_small else None))
        if not window:
            return
        key, version_id, fetching = window.popleft()
        if fetching is not None:
            yield fetching.result()
            continue
        with client.get_object(bucket, key, version_id=version_id) as response:
            while piece := response.read(SMALL_BYTES):
                yield piece


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
