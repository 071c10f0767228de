"""Proof, at start-up, that the bucket refuses to lose a locked version; or a plain sentence that it does not.

Stores that speak S3 and even answer the object-lock calls have been seen to delete locked versions all the same. So
nothing is believed: a version is locked for a minute and everything that could lose it is tried. What counts at
the end is that its bytes are still there.

The objects live under `selftest/`; the next start removes those whose minute is over.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from minio import Minio
from minio.commonconfig import COMPLIANCE, ENABLED, GOVERNANCE
from minio.deleteobjects import DeleteObject
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from minio.retention import Retention

from record.clock import Clock
from record.ids import uuid7
from record.refusals import NotFound, Refusal
from record.vault.facts import SELF_TEST_PREFIX, STAGING_PREFIX, WormReport, whole_second
from record.vault.transport import Transport

LOCK_SECONDS: Final = 60
_BUCKET_IS_THERE: Final = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}


class _Findings:
    """Sentences, and which of them are bad news."""

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.problems: list[str] = []

    def note(self, good: bool, *, if_good: str, if_bad: str) -> None:
        self.sentences.append(if_good if good else if_bad)
        if not good:
            self.problems.append(if_bad)

    def report(self) -> WormReport:
        return WormReport(proven=not self.problems, findings=tuple(self.sentences), problems=tuple(self.problems))


async def ensure_bucket(transport: Transport) -> None:
    """Make the bucket, with object lock, unless it is there. Lock can only be given at birth, so none is added later."""
    if await transport.brisk(Minio.bucket_exists, transport.bucket):
        return
    await transport.brisk(_make_bucket, transport.bucket)


def _make_bucket(client: Minio, bucket: str) -> None:
    try:
        client.make_bucket(bucket, object_lock=True)
    except S3Error as error:
        if error.code not in _BUCKET_IS_THERE:
            raise


async def self_test(transport: Transport, clock: Clock, *, lock_seconds: int = LOCK_SECONDS) -> WormReport:
    """Try to lose a locked version in every way that we know of, and say how it went."""
    findings = _Findings()
    await _remove_expired(transport)
    await _look_at_versioning(transport, findings)
    until = whole_second(clock.now() + timedelta(seconds=lock_seconds))
    sooner = whole_second(clock.now() + timedelta(seconds=lock_seconds / 2))
    content = os.urandom(1024)
    for how, write in (("in one request", _write_once), ("in parts", _write_in_parts)):
        key = f"{SELF_TEST_PREFIX}{uuid7()}"
        try:
            version_id = await write(transport, key, content, until)
        except Refusal as refusal:
            findings.note(False, if_good="", if_bad=f"An object cannot be written under lock {how}: {refusal.message}")
            continue
        await _try_to_lose(transport, findings, key, version_id, how=how, until=until, sooner=sooner)
        await _look_again(transport, findings, key, version_id, content, how=how)
    await _try_removing_unlocked(transport, findings)
    return findings.report()


async def _write_once(transport: Transport, key: str, content: bytes, until: datetime) -> str:
    return await transport.put(key, content, retain_until=until)


async def _write_in_parts(transport: Transport, key: str, content: bytes, until: datetime) -> str:
    upload_id = await transport.begin_parts(key, retain_until=until)
    part = await transport.send_part(key, upload_id, 1, content)
    return await transport.complete_parts(key, upload_id, [part])


async def _try_to_lose(
    transport: Transport,
    findings: _Findings,
    key: str,
    version_id: str,
    *,
    how: str,
    until: datetime,
    sooner: datetime,
) -> None:
    bucket = transport.bucket
    shorter = Retention(COMPLIANCE, sooner)
    weaker = Retention(GOVERNANCE, until)

    def delete_with_bypass(client: Minio) -> None:
        wish = DeleteObject(key, version_id)
        for error in client.remove_objects(bucket, [wish], bypass_governance_mode=True):
            raise PermissionError(error.code)

    attempts: list[tuple[str, Callable[[Minio], None]]] = [
        ("shortened", lambda client: client.set_object_retention(bucket, key, shorter, version_id=version_id)),
        (
            "weakened to GOVERNANCE",
            lambda client: client.set_object_retention(bucket, key, weaker, version_id=version_id),
        ),
        ("deleted", lambda client: client.remove_object(bucket, key, version_id=version_id)),
        ("deleted with a governance bypass", delete_with_bypass),
    ]
    for done, attempt in attempts:
        findings.note(
            await transport.brisk(_is_refused, attempt),
            if_good=f"A locked version, written {how}, could not be {done}.",
            if_bad=f"A locked version, written {how}, could be {done}.",
        )


def _is_refused(client: Minio, attempt: Callable[[Minio], None]) -> bool:
    """Whether the store said no. A store that does not answer has not said anything: that error goes on."""
    try:
        attempt(client)
    except PermissionError:
        return True
    except (InvalidResponseError, ServerError):
        raise
    except MinioException:
        return True
    return False


async def _look_again(
    transport: Transport, findings: _Findings, key: str, version_id: str, content: bytes, *, how: str
) -> None:
    """Write over it, then read the first version: this, not the answers before, is what keeps evidence."""
    second = await transport.put(key, b"another version", retain_until=None)
    findings.note(
        second != version_id,
        if_good=f"Writing over an object, written {how}, made a second version.",
        if_bad=f"Writing over an object, written {how}, did not make a second version.",
    )
    try:
        still_there = await transport.fetch(key, version_id=version_id) == content
    except NotFound:
        still_there = False
    findings.note(
        still_there,
        if_good=f"The locked version, written {how}, still has its bytes after all that.",
        if_bad=f"The locked version, written {how}, lost its bytes.",
    )


async def _look_at_versioning(transport: Transport, findings: _Findings) -> None:
    try:
        status = (await transport.brisk(Minio.get_bucket_versioning, transport.bucket)).status
    except Refusal as refusal:
        status = refusal.message
    findings.note(
        status == ENABLED,
        if_good=f"The bucket {transport.bucket!r} keeps versions.",
        if_bad=f"The bucket {transport.bucket!r} does not keep versions. Give the vault a bucket that was made with object lock.",
    )


async def _try_removing_unlocked(transport: Transport, findings: _Findings) -> None:
    """Staged uploads carry no lock so that a wrong one can go; a store that keeps them would fill up."""
    key = f"{STAGING_PREFIX}{uuid7()}"
    version_id = await transport.put(key, b"to be removed", retain_until=None)
    await transport.remove_version(key, version_id)
    findings.note(
        await transport.stat(key, version_id) is None,
        if_good="A version without lock can be removed.",
        if_bad="A version without lock cannot be removed. Remove the bucket's default retention: the vault sets its own.",
    )


async def _remove_expired(transport: Transport) -> None:
    """Clear away what earlier self-tests left. Versions that are still locked refuse, and go another time."""
    for left in await transport.list_versions(SELF_TEST_PREFIX):
        if left.object_name and left.version_id:
            with suppress(Refusal):
                await transport.remove_version(left.object_name, left.version_id)
