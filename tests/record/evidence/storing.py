"""What tests of evidence store: bytes of their own."""

from record.evidence import service
from record.evidence.queries import Evidence
from record.ids import Digest, uuid7
from tests.record.organizations import Organization
from tests.record.vault.harness import some_bytes, stream_of


def fresh(size: int = 1000) -> bytes:
    """Bytes that nobody has stored before."""
    return some_bytes(size, seed=str(uuid7()))


async def stored(
    acme: Organization, data: bytes, *, expected: Digest | None = None, size: int | None = None
) -> tuple[Evidence, bool]:
    return await service.store(
        acme.record,
        acme.operator,
        stream_of(data),
        expected=expected,
        expected_size=size,
        media_type=None,
    )
