"""Archives over HTTP: who may have one gets it, whole or in parts, and leaves an entry."""

import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from uuid import UUID

import httpx
import pytest_asyncio

from api.archives import ROUTES
from record.access import service as access
from record.access.rules import Grant, Role
from record.archives import queries, service
from record.archives.rules import ArchiveKind, RequestArchive
from record.flows import service as flows
from record.ids import ArchiveId, uuid7
from record.jobs import service as jobs
from record.jobs.service import Headway
from record.ledger.integrate import integrate
from record.ledger.signing import Notary
from record.moment import Moment
from record.settings import Settings
from tests.api.serving import Organization, Served, make_settings, serving

__all__ = ["make_settings"]


@dataclass
class Ready:
    """A finished archive behind the API."""

    served: Served
    acme: Organization
    archive_id: ArchiveId
    digest: str

    @property
    def url(self) -> str:
        return f"/archives/{self.archive_id}.zip"

    async def get(self, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.served.client.get(self.url, headers={**self.acme.headers, **named})

    async def downloads(self) -> list[str]:
        """Who took it away, once for each entry."""
        record = self.served.record
        moment = Moment.latest(self.acme.operator.org_id, record.clock.now())
        async with record.database.connection(moment.org_id) as connection:
            [found] = await queries.downloads(connection, moment, [self.archive_id])
        return [download.downloaded_by for download in found]


async def requested(served: Served, acme: Organization) -> ArchiveId:
    await flows.create(served.record, acme.operator, flows.CreateFlow(name="delivery"))
    wish = RequestArchive(ArchiveKind.FLOW, flow="delivery")
    receipt = await service.request(served.record, acme.operator, wish)
    return ArchiveId(UUID(receipt.body["archive_id"]))


@pytest_asyncio.fixture
async def served(make_settings: Callable[..., Settings]) -> AsyncIterator[Served]:
    async with serving(make_settings(), routes=ROUTES) as running:
        yield running


@pytest_asyncio.fixture
async def ready(served: Served) -> Ready:
    acme = await served.organization()
    archive_id = await requested(served, acme)
    await integrate(served.record, acme.operator.org_id, Notary(served.record.settings.signing_seed()))
    [lease] = await jobs.claim(served.record, kinds=[jobs.ARCHIVE], count_max=1)
    await service.make(served.record, lease, Headway())
    _, outcome = await service.finished(served.record, acme.operator, archive_id)
    return Ready(served, acme, archive_id, outcome.digest)


async def test_an_archive_is_downloaded_as_it_was_recorded(ready: Ready) -> None:
    found = await ready.get()

    assert found.status_code == 200
    assert hashlib.sha256(found.content).hexdigest() == ready.digest
    assert found.headers["content-type"] == "application/zip"
    assert found.headers["content-disposition"] == 'attachment; filename="muniment-flow-delivery-at-4.zip"'


async def test_each_download_is_an_entry(ready: Ready) -> None:
    await ready.get()
    await ready.get()

    assert await ready.downloads() == ["ada", "ada"]


async def test_a_download_that_goes_on_where_it_broke_off_is_one_entry(ready: Ready) -> None:
    first = await ready.get(range="bytes=0-99")
    rest = await ready.get(range="bytes=100-", if_range=first.headers["etag"])

    assert (first.status_code, rest.status_code) == (206, 206)
    assert hashlib.sha256(first.content + rest.content).hexdigest() == ready.digest
    assert await ready.downloads() == ["ada"]


async def test_nobody_gets_the_end_alone_without_an_entry(ready: Ready) -> None:
    await ready.get(range="bytes=1-")

    assert await ready.downloads() == ["ada"]


async def test_looking_is_not_downloading(ready: Ready) -> None:
    head = await ready.served.client.head(ready.url, headers=ready.acme.headers)
    known = await ready.get(if_none_match=f'"{ready.digest}"')

    assert (head.status_code, known.status_code) == (200, 304)
    assert await ready.downloads() == []


async def test_an_archive_that_is_not_ready_is_not_there_and_the_answer_says_what_to_do(served: Served) -> None:
    acme = await served.organization()
    archive_id = await requested(served, acme)

    found = await served.client.get(f"/archives/{archive_id}.zip", headers=acme.headers)

    assert found.status_code == 404
    assert "not ready: waiting for a worker. Watch its progress" in found.json()["error"]["message"]


async def test_what_is_no_archive_is_not_there(ready: Ready) -> None:
    for name in (str(uuid7()), "nonsense"):
        found = await ready.served.client.get(f"/archives/{name}.zip", headers=ready.acme.headers)
        assert (found.status_code, found.json()["error"]["code"]) == (404, "NOT_FOUND")


async def test_another_organization_cannot_tell_that_it_is_there(ready: Ready) -> None:
    globex = await ready.served.organization("globex")

    found = await ready.served.client.get(ready.url, headers=globex.headers)

    assert found.status_code == 404
    assert await ready.downloads() == []


async def test_who_may_not_archive_may_not_download(ready: Ready) -> None:
    record, operator = ready.served.record, ready.acme.operator
    added = await access.add_principal(record, operator, name="ci", kind="service_account", grants=[Grant(Role.WRITER)])
    key = await access.issue_key(record, operator, principal_id=added.body["principal_id"], description="ci")

    found = await ready.served.client.get(ready.url, headers={"authorization": f"Bearer {key.token}"})

    assert found.status_code == 403
    assert await ready.downloads() == []
