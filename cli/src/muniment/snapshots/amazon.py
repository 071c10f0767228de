"""The door to Amazon's services: `boto3`, from the extra `aws`, imported when it is needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from muniment.snapshots.members import SnapshotError, Unanswered

_WORKERS = 16


def client(
    service: str,
    *,
    region: str | None = None,
    key_id: str | None = None,
    secret_key: str | None = None,
    endpoint: str | None = None,
) -> Any:
    """A client of one service. What is not given comes from where the AWS command line has it. Raises SnapshotError."""
    try:
        import boto3
        import botocore.config
        import botocore.exceptions
    except ImportError:
        raise SnapshotError("This needs another package: pip install 'muniment[aws]'.") from None
    settings = botocore.config.Config(
        retries={"max_attempts": 5, "mode": "standard"}, max_pool_connections=_WORKERS, user_agent_extra="muniment"
    )
    try:
        return boto3.client(
            service,
            region_name=region or os.environ.get("AWS_REGION") or None,  # boto3 itself reads only AWS_DEFAULT_REGION
            aws_access_key_id=key_id,
            aws_secret_access_key=secret_key,
            endpoint_url=endpoint,
            config=settings,
        )
    except (botocore.exceptions.BotoCoreError, ValueError) as error:
        raise SnapshotError(
            f"AWS cannot be asked: {str(error).rstrip('.')}. Give --aws-region, or set AWS_REGION."
        ) from None


@contextmanager
def sentences() -> Iterator[None]:
    """Turns what Amazon's library raises into a sentence."""
    import botocore.exceptions

    try:
        yield
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise Unanswered(f"AWS says: {error}") from None


def pages(asked: Any, operation: str, key: str, **words: Any) -> Iterator[Any]:
    """What all pages of an operation list under `key`."""
    for page in asked.get_paginator(operation).paginate(**words):
        yield from page.get(key) or ()


def many(function: Callable[[Any], Any], of: list[Any]) -> list[Any]:
    """A function's answers for many, asked side by side, in order."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_WORKERS) as workers:
        return list(workers.map(function, of))


def text(said: Mapping[str, Any], key: str) -> str:
    """A field that may be missing."""
    return str(said.get(key) or "")
