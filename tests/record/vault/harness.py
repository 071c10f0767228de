"""What the vault's tests share: streams of known bytes, and a look into the bucket that does not go through the vault."""

import hashlib
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import urllib3
from minio import Minio

from embedded.seaweedfs import S3
from record.ids import Digest
from record.vault import ObjectReference, Stored, Vault, VaultAddress

MIB = 1 << 20
LARGE = 17 * MIB + 7
"""Three parts, the last of them short."""
LIMIT = 1 << 30

_PATTERN = hashlib.shake_256(b"muniment").digest(MIB - 3)


def some_bytes(size: int, *, seed: str = "") -> bytes:
    """The same bytes for the same size and seed; no two MiB of them are aligned alike."""
    start = seed.encode()
    return (start + _PATTERN * (size // len(_PATTERN) + 1))[:size]


def digest_of(data: bytes) -> Digest:
    return Digest(hashlib.sha256(data).hexdigest())


async def stream_of(data: bytes, *, chunk: int = 65_536) -> AsyncIterator[bytes]:
    for start in range(0, len(data), chunk):
        yield data[start : start + chunk]


async def joined(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


def in_seconds(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


async def store(
    vault: Vault, data: bytes, *, expected: Digest | None = None, size: int | None = None, kept_for_seconds: float = 30
) -> Stored:
    return await vault.put(
        stream_of(data),
        expected=expected,
        expected_size=size,
        retain_until=in_seconds(kept_for_seconds),
        size_max=LIMIT,
    )


async def read_back(vault: Vault, stored: Stored) -> bytes:
    return await joined(vault.read(stored.key, version_id=stored.version_id))


def reference_to(stored: Stored) -> ObjectReference:
    return ObjectReference(stored.key, stored.version_id, stored.size)


def assert_measured(stored: Stored, data: bytes) -> None:
    assert stored.digest == digest_of(data)
    assert stored.size == len(data)
    assert stored.crc32 == zlib.crc32(data)


def address_in(s3: S3, *, bucket: str) -> VaultAddress:
    return VaultAddress(
        endpoint=s3.endpoint, access_key=s3.access_key, secret_key=s3.secret_key, bucket=bucket, secure=s3.secure
    )


@dataclass(frozen=True, slots=True)
class BucketView:
    """The bucket as the SDK shows it."""

    client: Minio
    bucket: str

    @classmethod
    def of(cls, address: VaultAddress) -> "BucketView":
        client = Minio(
            address.endpoint,
            access_key=address.access_key,
            secret_key=address.secret_key,
            secure=address.secure,
            http_client=urllib3.PoolManager(timeout=10, retries=False),
        )
        return cls(client, address.bucket)

    def versions(self) -> list[tuple[str, str]]:
        """Key and version id of everything, delete markers too."""
        found = self.client.list_objects(self.bucket, recursive=True, include_version=True)
        return [(str(item.object_name), str(item.version_id)) for item in found]

    def unfinished(self) -> list[str]:
        """Keys of uploads in parts that were neither completed nor aborted."""
        return [str(upload.object_name) for upload in self.client._list_multipart_uploads(self.bucket).uploads]

    def assert_empty(self) -> None:
        assert self.versions() == []
        assert self.unfinished() == []
