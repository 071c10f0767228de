"""The object store as coroutines: the one module that knows the synchronous SDK, its threads and its errors.

Two lanes. *Brisk* calls (stat, list, ping) answer or fail within seconds and have threads of their own, so that a
health check never queues behind uploads. *Data* calls move bytes and may take long as long as bytes move.

The SDK's public `put_object` decides by itself when an upload is complete. The vault must decide, because a wrong
digest may store nothing; so the five multipart requests are called one by one, by the names that the SDK gives them
with a leading underscore. The version is pinned in the lock file, and the tests meet every one of them.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import islice
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, cast

import urllib3
from minio import Minio
from minio.commonconfig import COMPLIANCE
from minio.datatypes import Object, Part
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from minio.helpers import genheaders
from minio.retention import Retention
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as HTTPTimeoutError
from urllib3.response import BaseHTTPResponse

from record.refusals import InvalidInput, NotFound, Refusal, Unavailable
from record.vault.facts import ObjectFacts, VaultAddress, whole_second

P = ParamSpec("P")
T = TypeVar("T")
Body = bytes | bytearray | memoryview

CONNECT_SECONDS = 2.5
BRISK_READ_SECONDS = 5.0
DATA_READ_SECONDS = 30.0
SEND_SECONDS = 30.0
SEND_BYTES = 1 << 20
BRISK_THREADS = 4

_ABSENT = {"NoSuchKey", "NoSuchVersion", "NoSuchUpload", "ResourceNotFound"}
_NOT_ALLOWED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}


class _PatientSending:
    """Sends in slices, each with its own time limit.

    urllib3 sends under the *connect* timeout, and Python counts that over a whole `sendall`: a part of 8 MiB would have
    to pass within the seconds that are meant for reaching the host.
    """

    sock: Any

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()  # type: ignore[attr-defined]
        self.sock.settimeout(SEND_SECONDS)
        if isinstance(data, bytes | bytearray | memoryview) and len(data) > SEND_BYTES:
            whole = memoryview(data)
            for start in range(0, len(whole), SEND_BYTES):
                super().send(whole[start : start + SEND_BYTES])  # type: ignore[misc]
        else:
            super().send(data)  # type: ignore[misc]


class _HTTPConnection(_PatientSending, HTTPConnection):
    pass


class _HTTPSConnection(_PatientSending, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class _RetryStale(urllib3.Retry):
    """Tries again when a kept-alive connection was dead or the store was overloaded, never after a time limit."""

    def increment(
        self, method: Any = None, url: Any = None, response: Any = None, error: Any = None, *rest: Any, **more: Any
    ) -> Self:
        if isinstance(error, HTTPTimeoutError):
            raise error
        return super().increment(method, url, response, error, *rest, **more)


def _minio(address: VaultAddress, *, connections: int, read_seconds: float) -> Minio:
    """A client whose every request ends within a known time."""
    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=read_seconds),
        maxsize=connections,
        retries=_RetryStale(
            total=1, redirect=0, backoff_factor=0.1, status_forcelist=(502, 503, 504), raise_on_status=False
        ),
        cert_reqs="CERT_REQUIRED",  # against the machine's own trust store, where an operator puts a house CA
    )
    pool.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
    return Minio(
        address.endpoint,
        access_key=address.access_key,
        secret_key=address.secret_key,
        secure=address.secure,
        region=address.region,
        http_client=pool,
    )


class Transport:
    """Every request that the vault makes, awaited; failures arrive as refusals."""

    def __init__(self, address: VaultAddress, *, threads: int) -> None:
        self.address = address
        self.bucket = address.bucket
        self._data = _minio(address, connections=threads, read_seconds=DATA_READ_SECONDS)
        self._brisk = _minio(address, connections=BRISK_THREADS, read_seconds=BRISK_READ_SECONDS)
        self._data_threads = ThreadPoolExecutor(threads, thread_name_prefix="vault-data")
        self._brisk_threads = ThreadPoolExecutor(BRISK_THREADS, thread_name_prefix="vault-brisk")

    def close(self) -> None:
        """Let go of threads and connections; requests under way end by themselves."""
        for executor in (self._data_threads, self._brisk_threads):
            executor.shutdown(wait=False, cancel_futures=True)
        for client in (self._data, self._brisk):
            client._http.clear()

    # --- the two lanes

    async def in_thread(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run work that holds no request (hashing) beside the event loop, in the order in which threads come free."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._data_threads, lambda: function(*args, **kwargs))

    async def moving(self, function: Callable[Concatenate[Minio, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """A request that moves bytes."""
        return await self._answer(self._data_threads, lambda: function(self._data, *args, **kwargs))

    async def brisk(self, function: Callable[Concatenate[Minio, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """A small request."""
        return await self._answer(self._brisk_threads, lambda: function(self._brisk, *args, **kwargs))

    async def _answer(self, executor: ThreadPoolExecutor, call: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(executor, call)
        except (MinioException, HTTPError, OSError) as error:
            raise self.refusal(error) from error

    def refusal(self, error: Exception) -> Refusal:
        """What an error of the SDK means to somebody who asked the vault for something."""
        match error:
            case S3Error(code=code) if code in _ABSENT:
                return NotFound("The vault holds no such object. Check the digest, or upload the bytes first.")
            case S3Error(code="InvalidRange"):
                return InvalidInput("The range starts after the end of the object. Ask for a part of it that exists.")
            case S3Error(code="NoSuchBucket"):
                return Unavailable(
                    f"The vault has no bucket {self.bucket!r}. Start the server again: it makes the bucket."
                )
            case S3Error(code=code) if code in _NOT_ALLOWED:
                return Unavailable(
                    f"The vault refused us ({code}). Check its access key, secret key and bucket policy."
                )
            case S3Error(code=code, message=message):
                return Unavailable(
                    f"The vault answered {code}: {message}. Try again, then look at the object store's log."
                )
            case InvalidResponseError() | ServerError():
                return Unavailable(
                    "The vault answered with a fault of its own. Try again, then look at the object store's log."
                )
        return Unavailable(
            f"The vault at {self.address.endpoint} does not answer. Try again; if it lasts, see whether the object store runs."
        )

    # --- whole objects

    async def stat(self, key: str, version_id: str | None) -> ObjectFacts | None:
        try:
            found = await self.brisk(Minio.stat_object, self.bucket, key, version_id=version_id)
        except NotFound:
            return None
        return _facts(key, found)

    async def put(self, key: str, data: Body, *, retain_until: datetime | None) -> str:
        """Write one object in one request; the new version's id."""
        result = await self.moving(Minio._put_object, self.bucket, key, cast("bytes", data), _headers(retain_until))
        return str(result.version_id)

    async def extend_retention(self, key: str, version_id: str, *, retain_until: datetime) -> None:
        retention = Retention(COMPLIANCE, whole_second(retain_until))
        await self.brisk(Minio.set_object_retention, self.bucket, key, retention, version_id=version_id)

    async def remove_version(self, key: str, version_id: str) -> None:
        await self.brisk(Minio.remove_object, self.bucket, key, version_id=version_id)

    async def open(self, key: str, *, version_id: str | None, start: int, length: int | None) -> BaseHTTPResponse:
        """A response whose body is still to be read; `length` is positive or None for the rest."""
        return await self.moving(
            Minio.get_object, self.bucket, key, offset=start, length=length or 0, version_id=version_id
        )

    async def fetch(self, key: str, *, version_id: str | None) -> bytes:
        """A whole small object with one hand-over between threads."""
        return await self.moving(_fetch, self.bucket, key, version_id)

    async def list_keys(self, prefix: str, *, start_after: str | None, count_max: int) -> list[str]:
        found = await self.brisk(_listed, self.bucket, prefix, start_after, count_max)
        return [str(item.object_name) for item in found]

    async def list_versions(self, prefix: str) -> list[Object]:
        return await self.brisk(
            lambda client: list(client.list_objects(self.bucket, prefix, recursive=True, include_version=True))
        )

    # --- objects in parts

    async def begin_parts(self, key: str, *, retain_until: datetime | None) -> str:
        return await self.moving(Minio._create_multipart_upload, self.bucket, key, _headers(retain_until))

    async def send_part(self, key: str, upload_id: str, number: int, data: Body) -> Part:
        etag = await self.moving(Minio._upload_part, self.bucket, key, cast("bytes", data), None, upload_id, number)
        return Part(number, etag)

    async def copy_part(
        self, key: str, upload_id: str, number: int, *, source: str, version_id: str, start: int, length: int
    ) -> Part:
        headers: dict[str, str | list[str] | tuple[str]] = {
            "x-amz-copy-source": f"/{self.bucket}/{source}?versionId={version_id}",
            "x-amz-copy-source-range": f"bytes={start}-{start + length - 1}",
        }
        etag, _ = await self.moving(Minio._upload_part_copy, self.bucket, key, upload_id, number, headers)
        return Part(number, etag)

    async def complete_parts(self, key: str, upload_id: str, parts: list[Part]) -> str:
        result = await self.moving(Minio._complete_multipart_upload, self.bucket, key, upload_id, parts)
        if not result.etag:  # some stores answer 200 at once and put a failure into the body
            raise Unavailable("The vault did not complete an upload. Send the bytes again.")
        return str(result.version_id)

    async def abort_parts(self, key: str, upload_id: str) -> None:
        await self.brisk(Minio._abort_multipart_upload, self.bucket, key, upload_id)

    async def unfinished_uploads(self) -> list[tuple[str, str, datetime | None]]:
        """Key, upload id and start of every upload in parts that is neither complete nor aborted."""
        result = await self.brisk(Minio._list_multipart_uploads, self.bucket)
        return [(str(u.object_name), str(u.upload_id), u.initiated_time) for u in result.uploads]


def _headers(retain_until: datetime | None) -> dict[str, Any]:
    retention = Retention(COMPLIANCE, whole_second(retain_until)) if retain_until is not None else None
    headers: dict[str, Any] = genheaders(None, None, None, retention, False)
    headers["Content-Type"] = "application/octet-stream"
    return headers


def _facts(key: str, found: Object) -> ObjectFacts:
    headers = {name.lower(): value for name, value in (found.metadata or {}).items()}
    until = headers.get("x-amz-object-lock-retain-until-date")
    assert found.size is not None, "a stored object has a size"
    assert found.last_modified is not None, "a stored object has a time"
    return ObjectFacts(
        key=key,
        version_id=str(found.version_id),
        size=found.size,
        modified_at=found.last_modified,
        lock_mode=headers.get("x-amz-object-lock-mode"),
        retain_until=datetime.fromisoformat(until) if until else None,
    )


def _listed(client: Minio, bucket: str, prefix: str, start_after: str | None, count_max: int) -> list[Object]:
    found: Iterator[Object] = client.list_objects(bucket, prefix, recursive=True, start_after=start_after)
    return list(islice(found, count_max))


def _fetch(client: Minio, bucket: str, key: str, version_id: str | None) -> bytes:
    response = client.get_object(bucket, key, version_id=version_id)
    try:
        return response.read()
    finally:
        response.close()
        response.release_conn()
