"""A real object store for the session, a bucket and a vault of its own for each test."""

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest

from embedded.directory import DataDirectory
from embedded.seaweedfs import SeaweedFS, make_bucket
from record.vault import Vault, VaultAddress
from tests.record.vault.harness import BucketView, address_in


def running_store(path: pytest.TempPathFactory, name: str) -> Iterator[SeaweedFS]:
    directory = DataDirectory(path.mktemp(name))
    directory.acquire()
    server = SeaweedFS(directory)
    try:
        server.start()
        server.wait_ready()
        yield server
    finally:
        server.kill()  # nobody needs the data; a stop in good order takes its time
        directory.release()


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """Shared, so never stopped by a test."""
    yield from running_store(tmp_path_factory, "object-store")


@pytest.fixture
def mortal_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """For tests that stop it."""
    yield from running_store(tmp_path_factory, "mortal-store")


@pytest.fixture
def address(object_store: SeaweedFS) -> VaultAddress:
    bucket = f"vault-{uuid4().hex[:12]}"
    make_bucket(object_store.s3, bucket)
    return address_in(object_store.s3, bucket=bucket)


@pytest.fixture
async def vault(address: VaultAddress) -> AsyncIterator[Vault]:
    async with Vault(address) as opened:
        yield opened


@pytest.fixture
def bucket(address: VaultAddress) -> Iterator[BucketView]:
    view = BucketView.of(address)
    yield view
    view.client._http.clear()


@pytest.fixture
async def mortal_vault(mortal_store: SeaweedFS) -> AsyncIterator[Vault]:
    async with Vault(address_in(mortal_store.s3, bucket=mortal_store.s3.bucket)) as opened:
        yield opened
