"""What things are called: typed ids, names and digests, and the patterns they must match.

An index is not a size and a trail is not an artifact; giving each its own type lets the type checker say so.
Patterns are DOMAIN's; `checked_*` turn a stranger's text into one of these types or refuse it with a sentence.
"""

import os
import re
import time
from typing import Final, NewType
from uuid import UUID

from record.refusals import InvalidInput

OrgId = NewType("OrgId", UUID)
PrincipalId = NewType("PrincipalId", UUID)
KeyId = NewType("KeyId", UUID)
FlowId = NewType("FlowId", UUID)
TrailId = NewType("TrailId", UUID)
AttestationId = NewType("AttestationId", UUID)
ArchiveId = NewType("ArchiveId", UUID)
PolicyId = NewType("PolicyId", UUID)
EnvironmentId = NewType("EnvironmentId", UUID)
DeploymentId = NewType("DeploymentId", UUID)
FrameworkId = NewType("FrameworkId", UUID)
JudgementId = NewType("JudgementId", UUID)
NoticeId = NewType("NoticeId", UUID)
DeliveryId = NewType("DeliveryId", UUID)
ApprovalId = NewType("ApprovalId", UUID)
WaiverId = NewType("WaiverId", UUID)

Fingerprint = NewType("Fingerprint", str)
"""SHA-256 of an artifact: 64 lower-case hexadecimal digits."""
Digest = NewType("Digest", str)
"""SHA-256 of bytes in the vault: 64 lower-case hexadecimal digits."""
EntryIndex = NewType("EntryIndex", int)
"""Place of an entry in its ledger, from 0."""
LedgerSize = NewType("LedgerSize", int)
"""How many entries a ledger holds; the index that the next entry will get."""

LATEST: Final = LedgerSize(2**53 - 1)
"""A size that no ledger reaches: reading at it sees everything that is committed."""

FLOW_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,255}")
TRAIL_NAME: Final = FLOW_NAME
ENVIRONMENT_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,255}")
POLICY_NAME: Final = ENVIRONMENT_NAME
NOTICE_NAME: Final = ENVIRONMENT_NAME
FRAMEWORK_NAME: Final = ENVIRONMENT_NAME
CONTROL_ID: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._~-]{0,255}")
ATTESTATION_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,255}")
TEMPLATE_ARTIFACT_NAME: Final = ATTESTATION_NAME
TYPE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}")
PRINCIPAL_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,255}")
ORGANIZATION_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
COMMIT: Final = re.compile(r"[0-9a-f]{7,64}")
SHA256_HEX: Final = re.compile(r"[0-9a-f]{64}")
FINGERPRINT_PREFIX: Final = re.compile(r"[0-9a-f]{7,64}")


def checked_name(value: str, pattern: re.Pattern[str], *, field: str) -> str:
    """`value` if the whole of it matches `pattern`; refuses otherwise, naming `field` and the pattern."""
    if pattern.fullmatch(value):
        return value
    shown = value if len(value) <= 80 else value[:77] + "..."
    raise InvalidInput(
        f"{shown!r} is not a valid {field}. Use a text that matches ^{pattern.pattern}$.",
        field=field,
    )


def checked_fingerprint(value: str, *, field: str = "fingerprint") -> Fingerprint:
    """A whole SHA-256 fingerprint, with or without the `sha256:` prefix that container tools write."""
    bare = value.removeprefix("sha256:")
    if SHA256_HEX.fullmatch(bare):
        return Fingerprint(bare)
    raise InvalidInput(
        f"{value[:80]!r} is not a SHA-256 fingerprint. Give 64 lower-case hexadecimal digits.", field=field
    )


def checked_fingerprint_prefix(value: str, *, field: str = "fingerprint") -> str:
    """The first 7 to 64 digits of a fingerprint: what is accepted when asking, never when recording."""
    return checked_name(value.removeprefix("sha256:"), FINGERPRINT_PREFIX, field=field)


def checked_digest(value: str, *, field: str = "digest") -> Digest:
    """A SHA-256 digest of evidence, with or without `sha256:` in front."""
    return Digest(checked_fingerprint(value, field=field))


def uuid7() -> UUID:
    """A new time-ordered identifier (RFC 9562, version 7): 48 bits of Unix milliseconds, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (
        (milliseconds & (2**48 - 1)) << 80
        | 0x7 << 76
        | (random >> 68 & 0xFFF) << 64
        | 0b10 << 62
        | random & (2**62 - 1)
    )
    return UUID(int=value)
