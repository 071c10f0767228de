"""What every bill of materials tells, whatever its format: about what it is, and how much is in it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bill:
    """`subject_sha256` holds every SHA-256 that the document names for its subject, in lower case; usually none or one."""

    bill_format: str
    version: str
    components: int
    created: str
    tools: tuple[str, ...]
    subject_name: str
    subject_version: str
    subject_sha256: tuple[str, ...]
