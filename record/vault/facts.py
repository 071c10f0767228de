"""What the vault is told and what it tells: addresses, stored objects, and the report of its self-test.

Plain values, so that whoever records a version id or shows a report needs nothing of the machinery that made it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from record.ids import Digest

CONTENT_PREFIX = "sha256/"
STAGING_PREFIX = "staging/"
SELF_TEST_PREFIX = "selftest/"


def content_key(digest: Digest) -> str:
    """Where bytes of this digest live. The two short folders keep listings of one folder small on file-backed stores."""
    return f"{CONTENT_PREFIX}{digest[:2]}/{digest[2:4]}/{digest}"


def whole_second(instant: datetime) -> datetime:
    """The same instant or up to a second later: stores keep retention in whole seconds, and shorter is not allowed."""
    rounded = instant.astimezone(UTC).replace(microsecond=0)
    return rounded if rounded == instant else rounded + timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class VaultAddress:
    """Where the object store is and as whom we speak to it. Without a `region` the store is asked for it once."""

    endpoint: str
    access_key: str
    secret_key: str
    bucket: str
    secure: bool
    region: str | None = None

    def __repr__(self) -> str:
        """Without the secret: addresses end up in logs."""
        return f"VaultAddress({'https' if self.secure else 'http'}://{self.endpoint}/{self.bucket})"


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes that are durably in the vault, as they were measured while they flowed in."""

    digest: Digest
    size: int
    crc32: int
    key: str
    version_id: str
    already_there: bool


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What the store says about one version of one object."""

    key: str
    version_id: str
    size: int
    modified_at: datetime
    lock_mode: str | None
    retain_until: datetime | None

    def is_kept_until(self, instant: datetime) -> bool:
        """Whether nobody can shorten or delete this version before `instant`."""
        return self.lock_mode == "COMPLIANCE" and self.retain_until is not None and self.retain_until >= instant


@dataclass(frozen=True, slots=True)
class ObjectReference:
    """One version of one object that is to be read; the size decides how it is fetched."""

    key: str
    version_id: str | None
    size: int


@dataclass(frozen=True, slots=True)
class WormReport:
    """Whether the bucket was seen to refuse the loss of a locked version.

    `findings` has one sentence for each thing that was tried; `problems` are those of them that speak against it.
    """

    proven: bool
    findings: tuple[str, ...]
    problems: tuple[str, ...]
