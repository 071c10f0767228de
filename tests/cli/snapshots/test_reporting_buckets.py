"""Snapshots of a bucket of a real object store."""

import os
import sys
from dataclasses import replace
from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest

from embedded.seaweedfs import S3, make_bucket
from embedded.servers import Stack
from muniment.exits import ExitCode
from muniment.fingerprints import directory_fingerprint
from tests.cli.snapshots.conftest import Reporter
from tests.embedded.objects import write_object

_numbers = count(1)


@pytest.fixture
def bucket(stack: Stack) -> S3:
    """A bucket of a real store, with a small web site in it."""
    s3 = replace(stack.s3, bucket=f"site-{next(_numbers)}")
    make_bucket(s3, s3.bucket)
    for key, content in {"index.html": b"<p>", "css/a.css": b"a{}", "drafts/new.html": b"?"}.items():
        write_object(s3, key, content)
    return s3


def reach(bucket: S3) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": bucket.access_key,
        "AWS_SECRET_ACCESS_KEY": bucket.secret_key,
        "AWS_REGION": "us-east-1",
        "MUNIMENT_AWS_ENDPOINT_URL": f"http://{bucket.endpoint}",
        "MUNIMENT_BUCKET": bucket.bucket,
    }


async def test_a_bucket_is_reported_as_the_directory_that_it_would_be(
    reporter: Reporter, bucket: S3, tmp_path: Path
) -> None:
    await reporter.environment_of("S3")
    same = tmp_path / "same"
    (same / "css").mkdir(parents=True)
    (same / "index.html").write_bytes(b"<p>")
    (same / "css" / "a.css").write_bytes(b"a{}")

    told = await reporter.run("snapshot", "s3", "prod", "--exclude", "drafts", **reach(bucket))

    assert told.code == ExitCode.DONE, told.stderr
    [running] = (await reporter.snapshot())["running"]["nodes"]
    assert running["name"] == bucket.bucket
    assert running["fingerprint"] == directory_fingerprint(same)[0]
    assert running["facts"] == [{"bucket": bucket.bucket, "objects": 2}]


async def test_one_object_is_reported_as_the_file_that_it_is(reporter: Reporter, bucket: S3) -> None:
    await reporter.environment_of("S3")

    told = await reporter.run("snapshot", "s3", "prod", "--include", "css", **reach(bucket))

    assert told.code == ExitCode.DONE, told.stderr
    [running] = (await reporter.snapshot())["running"]["nodes"]
    assert (running["name"], running["fingerprint"]) == ("a.css", sha256(b"a{}").hexdigest())


async def test_a_bucket_that_is_not_there_ends_the_report(reporter: Reporter, bucket: S3) -> None:
    told = await reporter.run("snapshot", "s3", "prod", **{**reach(bucket), "MUNIMENT_BUCKET": "none"})

    assert told.code == ExitCode.UNREACHABLE
    assert "AWS says" in told.stderr


async def test_a_missing_extra_is_named(reporter: Reporter, tmp_path: Path) -> None:
    hiding = tmp_path / "hiding"
    hiding.mkdir()
    (hiding / "boto3.py").write_text("raise ImportError('hidden')\n")
    reporter.environment["PYTHONPATH"] = os.pathsep.join([str(hiding), "cli/src", *sys.path])

    told = await reporter.run("snapshot", "lambda", "prod")

    assert told.code == ExitCode.BAD_USAGE
    assert "pip install 'muniment[aws]'" in told.stderr
