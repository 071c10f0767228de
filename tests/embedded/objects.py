"""Writes and reads one object, for tests that only ask whether the store kept it."""

import io

import urllib3
from minio import Minio

from embedded.seaweedfs import S3


def write_object(s3: S3, key: str, content: bytes) -> None:
    pool = urllib3.PoolManager()
    _client(s3, pool).put_object(s3.bucket, key, io.BytesIO(content), len(content))
    pool.clear()


def read_object(s3: S3, key: str) -> bytes:
    pool = urllib3.PoolManager()
    with _client(s3, pool).get_object(s3.bucket, key) as answer:
        content = bytes(answer.read())
    pool.clear()
    return content


def _client(s3: S3, pool: urllib3.PoolManager) -> Minio:
    return Minio(s3.endpoint, access_key=s3.access_key, secret_key=s3.secret_key, secure=s3.secure, http_client=pool)
