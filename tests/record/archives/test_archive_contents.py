"""What is in an archive: what was asked for and nothing else, proven, the same bytes each time."""

import asyncio
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from record.access.rules import Grant, Role
from record.archives import pages, selection
from record.archives.members import DamagedEvidence
from record.archives.rules import ArchiveKind, RequestArchive
from record.attestations.service import attest
from record.details import Link
from record.ids import LedgerSize
from record.judgements import service as judging
from record.trails import service as trails
from tests.record.archives.harness import TEMPLATE, MadeArchive, World
from tests.record.archives.superuser import behind_its_back
from tests.servers import TestDatabase

TRAIL = RequestArchive(ArchiveKind.TRAIL, flow="delivery", trail="build-1")


def entries(made: MadeArchive) -> list[dict[str, object]]:
    return [json.loads(line) for line in made.read("entries.jsonl").splitlines()]


def kinds(made: MadeArchive) -> list[str]:
    return [str(entry["kind"]) for entry in entries(made)]


def evidence_in(made: MadeArchive) -> list[str]:
    return [name for name in made.names if name.startswith("evidence/")]


async def test_an_archive_of_a_trail_verifies(world: World, tmp_path: Path) -> None:
    await world.flow()
    await world.delivery()

    made = await world.made(TRAIL, tmp_path / "a.zip")

    assert made.result.ok, made.result.faults
    assert made.outcome.files == len(made.names)


async def test_its_own_verifier_needs_python_alone_and_agrees(world: World, tmp_path: Path) -> None:
    await world.flow()
    await world.delivery()
    made = await world.made(TRAIL, tmp_path / "a.zip")

    def unpack_and_verify() -> subprocess.CompletedProcess[str]:
        with zipfile.ZipFile(made.path) as opened:
            opened.extractall(tmp_path / "unpacked")
        return subprocess.run(
            [sys.executable, "-I", "-S", "verify.py"],
            cwd=tmp_path / "unpacked",
            capture_output=True,
            text=True,
            check=False,
        )

    ended = await asyncio.to_thread(unpack_and_verify)

    assert ended.returncode == 0, ended.stdout + ended.stderr


async def test_an_archive_of_a_trail_holds_that_trail_and_what_it_rests_on(world: World, tmp_path: Path) -> None:
    await world.flow()
    await world.delivery("build-1")
    await world.custom(trail="build-1")
    await world.delivery("build-2")

    made = await world.made(TRAIL, tmp_path / "a.zip")

    assert sorted(kinds(made)) == sorted(
        [
            "organization.created", "principal.added", "key.issued", "flow.created", "trail.begun", "artifact.reported",
            "evidence.stored", "attestation.recorded", "evidence.stored", "attestation.recorded", "attestation_type.defined",
            "attestation.recorded",
        ]
    )  # fmt: skip
    assert not any(b"build-2" in line for line in made.read("entries.jsonl").splitlines())
    assert evidence_in(made) == ["evidence/build-1/review/review.txt", "evidence/build-1/unit-tests/report.xml"]
    assert made.read("evidence/build-1/review/review.txt") == b"looks good to me"


async def test_an_archive_of_a_trail_tells_when_its_verdict_changed(world: World, tmp_path: Path) -> None:
    await world.flow()
    await world.delivery("build-1")
    await world.delivery("build-2")
    assert await judging.judge(world.record, world.caller.org_id, world.caller.organization) is not None

    made = await world.made(TRAIL, tmp_path / "a.zip")

    judged = [json.loads(line) for line in made.read("entries.jsonl").splitlines() if b"judgement.recorded" in line]
    told = [(each["body"]["trail"], each["body"]["previous"], each["body"]["status"]) for each in judged]
    assert told == [("build-1", "INCOMPLETE", "COMPLIANT")]


async def test_an_archive_of_an_artifact_reaches_over_all_its_trails(world: World, tmp_path: Path) -> None:
    await world.flow("delivery")
    await world.flow("release")
    fingerprint = await world.delivery("build-1", "delivery")
    await world.trail("v1", "release")
    await world.artifact("v1", "release", content=b"build-1")
    await world.attest("signed", {"signature.txt": b"sig"}, trail="v1", flow="release")
    await world.delivery("build-2", "delivery")

    made = await world.made(RequestArchive(ArchiveKind.ARTIFACT, fingerprint=fingerprint), tmp_path / "a.zip")

    assert made.result.ok, made.result.faults
    assert evidence_in(made) == [
        "evidence/delivery/build-1/review/review.txt",
        "evidence/delivery/build-1/unit-tests/report.xml",
        "evidence/release/v1/signed/signature.txt",
    ]


async def test_an_archive_of_a_flow_over_a_period_holds_the_trails_touched_in_it(world: World, tmp_path: Path) -> None:
    await world.flow()
    await world.delivery("before")
    begun = (await world.trail("across")).at
    since = begun + timedelta(microseconds=1)
    await asyncio.sleep(0.002)
    await world.attest("late", {"late.txt": b"late"}, trail="across")
    until = (await world.trail("after")).at
    await world.attest("review", {"r.txt": b"r"}, trail="after")

    wish = RequestArchive(ArchiveKind.FLOW, flow="delivery", since=since, until=until)
    made = await world.made(wish, tmp_path / "a.zip")

    assert made.result.ok, made.result.faults
    assert evidence_in(made) == ["evidence/delivery/across/late/late.txt"]


async def test_an_archive_of_the_organization_holds_every_entry_and_needs_no_proofs(
    world: World, tmp_path: Path
) -> None:
    await world.flow()
    await world.delivery("build-1")
    await world.flow("empty")

    made = await world.made(RequestArchive(ArchiveKind.ORGANIZATION), tmp_path / "a.zip")

    assert made.result.ok, made.result.faults
    assert made.result.facts["whole_ledger"]
    assert len(entries(made)) == made.outcome.checkpoint_size
    assert not any(name.startswith("proofs/") for name in made.names)
    assert len(evidence_in(made)) == 2


async def test_the_same_question_at_the_same_size_gives_the_same_bytes(world: World, tmp_path: Path) -> None:
    await world.flow()
    await world.delivery()
    first = await world.made(TRAIL, tmp_path / "a.zip")
    await world.attest("review", {"again.txt": b"changed my mind"}, compliant=False)
    await world.sign()
    await world.delivery("build-2")

    pinned = RequestArchive(ArchiveKind.TRAIL, flow="delivery", trail="build-1", size=first.archive.size)
    second = await world.made(pinned, tmp_path / "b.zip")

    assert second.data == first.data
    assert second.outcome.digest == first.outcome.digest
    assert second.archive.archive_id != first.archive.archive_id


async def test_an_archive_at_an_earlier_size_knows_nothing_of_what_came_later(world: World, tmp_path: Path) -> None:
    await world.flow()
    await world.delivery()
    size = (await world.record.ledger.head(world.caller.org_id)).size
    again = await world.attest("review", {"again.txt": b"changed my mind"}, compliant=False)

    now = await world.made(TRAIL, tmp_path / "now.zip")
    pinned = RequestArchive(ArchiveKind.TRAIL, flow="delivery", trail="build-1", size=LedgerSize(size))
    then = await world.made(pinned, tmp_path / "then.zip")

    assert b'<div class="verdict bad">' in now.read("index.html")
    assert b'<div class="verdict ok">' in then.read("index.html")
    assert f"evidence/build-1/review@{again.index}/again.txt" in now.names
    assert not any("again.txt" in name for name in then.names)
    assert then.result.ok, then.result.faults


async def test_names_that_some_system_would_confuse_are_told_apart(world: World, tmp_path: Path) -> None:
    await world.flow()
    for trail in ("Fix", "fix", "nul", "v1."):
        await world.trail(trail)
        await world.attest("Tests", {"A.txt": b"1", "a.txt": b"2", "../x?.txt": b"3"}, trail=trail)
        await world.attest("tests", {"aux": b"4"}, trail=trail)

    made = await world.made(RequestArchive(ArchiveKind.FLOW, flow="delivery"), tmp_path / "a.zip")

    assert made.result.ok, made.result.faults
    assert len(evidence_in(made)) == 16
    assert len({name.casefold() for name in made.names}) == len(made.names)


async def test_the_pages_show_what_strangers_wrote_as_text(world: World, tmp_path: Path) -> None:
    await world.flow()
    await world.trail()
    await world.attest("review", {"<script>alert(1)</script>.txt": b"x"})

    page = (await world.made(TRAIL, tmp_path / "a.zip")).read("index.html").decode()

    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "Fix it &lt;now&gt;" in page


async def test_everything_that_can_be_said_of_a_trail_is_on_its_page(world: World, tmp_path: Path) -> None:
    record, approver = world.record, replace(world.caller, grants=(*world.caller.grants, Grant(Role.APPROVER)))
    await world.flow()
    link = Link("ticket", "https://tickets.invalid/1?a=1&b=2", "ab" * 32)
    await trails.begin(
        record,
        world.caller,
        trails.BeginTrail(
            "delivery", "build-1", "a run", None, "https://ci.invalid/1", (link,), {"tier": "product"}, TEMPLATE
        ),
    )
    fingerprint = await world.artifact()
    about = attest.About(
        "delivery", "build-1", "review", fingerprint, None, "by two people", "https://ci.invalid/2", (link,)
    )
    await attest.generic(record, world.caller, about, compliant=False)
    until = record.clock.now() + timedelta(days=1)
    waived = replace(about, name="review-waiver")
    await attest.override(
        record, approver, waived, overrides="review", compliant=True, reason="urgent & agreed", expires_at=until
    )

    made = await world.made(TRAIL, tmp_path / "a.zip")
    page = made.read("index.html").decode()

    assert made.result.ok, made.result.faults
    for said in (
        "its own", "https://ci.invalid/1", "https://tickets.invalid/1?a=1&amp;b=2", f"sha256:{'ab' * 32}", "by two people",
        "urgent &amp; agreed", "by time alone it holds until", "Overridden as compliant until", fingerprint,
    ):  # fmt: skip
        assert said in page


async def test_many_trails_have_a_row_each(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "DETAILED_TRAILS_MAX", 1)
    await world.flow()
    await world.delivery("build-1")
    await world.trail("build-2")

    made = await world.made(RequestArchive(ArchiveKind.FLOW, flow="delivery"), tmp_path / "a.zip")
    page = made.read("index.html").decode()

    assert made.result.ok, made.result.faults
    assert "<details" not in page
    assert [f"<td>{trail}</td>" in page for trail in ("build-1", "build-2")] == [True, True]


async def test_many_files_come_in_the_order_of_the_archive(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "FILES_A_PAGE", 3)
    await world.flow()
    for trail in ("a", "b", "c"):
        await world.trail(trail)
        await world.attest("one", {f"{number}.txt": f"{trail}{number}".encode() for number in range(2)}, trail=trail)
        await world.attest("two", {"0.txt": b"the same in each"}, trail=trail)

    made = await world.made(RequestArchive(ArchiveKind.FLOW, flow="delivery"), tmp_path / "a.zip")

    assert made.result.ok, made.result.faults
    assert evidence_in(made) == [
        f"evidence/delivery/{trail}/{file}" for trail in "abc" for file in ("one/0.txt", "one/1.txt", "two/0.txt")
    ]


async def test_a_flow_without_trails_has_an_archive_too(world: World, tmp_path: Path) -> None:
    await world.flow()

    made = await world.made(RequestArchive(ArchiveKind.FLOW, flow="delivery"), tmp_path / "a.zip")

    assert made.result.ok, made.result.faults
    assert "flow.created" in kinds(made)


async def test_what_changed_access_of_the_authors_is_there(world: World, tmp_path: Path) -> None:
    await world.flow()
    await world.delivery()

    made = await world.made(TRAIL, tmp_path / "a.zip")
    page = made.read("index.html").decode()

    assert "the pipeline" in page
    assert str(world.caller.key_id) in page
    issued = [entry for entry in entries(made) if entry["kind"] == "key.issued"]
    assert [entry["body"]["key_id"] for entry in issued] == [str(world.caller.key_id)]  # type: ignore[index]


async def test_evidence_that_the_vault_changed_fails_the_archive_by_name(world: World, database: TestDatabase) -> None:
    await world.flow()
    await world.trail()
    await world.attest("review", {"review.txt": b"looks good to me"})
    digest = await world.store(b"looks good to me")
    key = f"sha256/{digest[:2]}/{digest[2:4]}/{digest}"
    until = world.record.clock.now() + timedelta(minutes=1)
    version = await world.record.vault.put_object(key, b"looks bad to me!", retain_until=until)
    async with behind_its_back(database) as superuser:
        await superuser.execute("UPDATE record.evidence SET version_id = $1", version)

    with pytest.raises(
        DamagedEvidence, match=r"'review\.txt' of entry 8 \(sha256:[0-9a-f]{64}\) is not what was stored"
    ):
        await world.make(TRAIL)

    assert await world.record.vault.list("archives/") == []


async def test_evidence_that_the_vault_lost_fails_the_archive_by_name(world: World, database: TestDatabase) -> None:
    await world.flow()
    await world.trail()
    await world.attest("review", {"review.txt": b"looks good to me"})
    async with behind_its_back(database) as superuser:
        await superuser.execute("UPDATE record.evidence SET key = key || 'x'")

    with pytest.raises(DamagedEvidence, match=r"'review\.txt' of entry 8 .* is not in the vault"):
        await world.make(TRAIL)
