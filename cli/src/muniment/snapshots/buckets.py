"""What lies in a bucket of S3: its objects' names and digests in, one member out.

One object is known by the SHA-256 of its bytes, several together as the directory that they would be. A digest that the store
keeps beside an object is taken; other objects are read through, in pieces, and not kept.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from muniment.exclusions import Exclusions
from muniment.fingerprints import FingerprintError, tree_fingerprint
from muniment.snapshots import amazon
from muniment.snapshots.choice import Choice
from muniment.snapshots.members import Member, Report, SnapshotError, instant, unreadable

_PIECE_BYTES = 1 << 20


class Stored(NamedTuple):
    """An object: its key, the SHA-256 of its content (null when it could not be read, and then why), when it was written."""

    key: str
    digest: str | None
    modified: Any = None
    why: str = ""


def report_of_objects(bucket: str, objects: Sequence[Stored]) -> Report:
    """The member that these objects are; none when there are none."""
    if not objects:
        return Report([], [f"Nothing in {bucket} was chosen: the report says that nothing is there."])
    newest = max((moment for each in objects for moment in instant(each.modified)), default=None)
    created = (newest,) if newest else ()
    unread = [each for each in objects if each.digest is None]
    alone = objects[0] if len(objects) == 1 else None
    name = alone.key.rpartition("/")[2] or alone.key if alone else bucket
    facts = {"bucket": bucket, "path": alone.key if alone else "", "objects": len(objects)}
    if unread:
        why = f"{unread[0].key} cannot be read ({unread[0].why}){f', nor can {len(unread) - 1} others' if unread[1:] else ''}."
        return Report([unreadable(name, why, **facts)])
    try:
        digests = [(each.key.encode("utf-8"), str(each.digest)) for each in objects]
        fingerprint = digests[0][1] if alone else tree_fingerprint(digests)
    except FingerprintError as error:
        return Report([unreadable(name, str(error), **facts)])
    return Report([Member(name, fingerprint, created, 1, facts)])


class Chosen:
    """Which keys are meant: prefixes or globs, and regular expressions, to take and to leave."""

    def __init__(
        self,
        include: Sequence[str] = (),
        include_expressions: Sequence[str] = (),
        exclude: Sequence[str] = (),
        exclude_expressions: Sequence[str] = (),
    ) -> None:
        self._include, self._exclude = list(include), list(exclude)
        self._include_globs, self._exclude_globs = Exclusions(include), Exclusions(exclude)
        self._any = not (include or include_expressions)
        self._included = Choice("object", expressions=include_expressions)
        self._by_expression = bool(include_expressions)
        self._excluded = Choice("object", without_expressions=exclude_expressions)

    def takes(self, key: str) -> bool:
        """Whether this object is meant. One whose key ends with `/` is a directory's placeholder, and is not."""
        if key.endswith("/") or not self._excluded.takes(key):
            return False
        if self._exclude_globs.leave_out(key) or _below(key, self._exclude):
            return False
        if self._any or self._include_globs.leave_out(key) or _below(key, self._include):
            return True
        return self._by_expression and self._included.takes(key)


def _below(key: str, paths: Sequence[str]) -> bool:
    return any(key == path.strip("/") or key.startswith(path.strip("/") + "/") for path in paths)


def report_of_bucket(asked: Any, bucket: str, chosen: Chosen) -> Report:
    """What lies in the bucket. Raises SnapshotError."""
    with amazon.sentences():
        listed = [
            each
            for each in amazon.pages(asked, "list_objects_v2", "Contents", Bucket=bucket)
            if chosen.takes(each["Key"])
        ]
        return report_of_objects(bucket, amazon.many(lambda each: _stored(asked, bucket, each), listed))


def _stored(asked: Any, bucket: str, listed: Any) -> Stored:
    import botocore.exceptions

    key = str(listed["Key"])
    try:
        digest = _digest_kept(asked, bucket, key) if listed.get("ChecksumAlgorithm") else None
        return Stored(key, digest or _digest_read(asked, bucket, key), listed.get("LastModified"))
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, SnapshotError) as error:
        return Stored(key, None, listed.get("LastModified"), str(error))


def _digest_kept(asked: Any, bucket: str, key: str) -> str | None:
    """The SHA-256 that the store keeps of the whole object; null when it has none, or one of parts."""
    told = asked.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    if told.get("ChecksumType") == "COMPOSITE":
        return None
    try:
        digest = base64.b64decode(told.get("ChecksumSHA256") or "", validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest.hex() if len(digest) == 32 else None


def _digest_read(asked: Any, bucket: str, key: str) -> str:
    hasher = hashlib.sha256()
    content = asked.get_object(Bucket=bucket, Key=key)["Body"]
    for piece in content.iter_chunks(_PIECE_BYTES):
        hasher.update(piece)
    return hasher.hexdigest()
