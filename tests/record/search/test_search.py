"""One box for everything: names, commits and fingerprints by how they begin."""

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from record.artifacts import service as artifacts
from record.artifacts.service import ReportArtifact
from record.details import Commit
from record.ids import Fingerprint, FlowId, TrailId
from record.record import Record
from record.refusals import InvalidInput
from record.search.queries import Found, search
from record.trails import service as trails
from record.trails.service import BeginTrail
from tests.record.organizations import Organization
from tests.record.statements import watched

NOTHING = Found()
TRAIL_COMMIT = "abcdef0" + "1" * 33
ARTIFACT_COMMIT = "abcdef9" + "2" * 33
FINGERPRINT = Fingerprint("abcdef5" + "3" * 57)


class Filled:
    """An organization in which several kinds of things begin alike."""

    def __init__(self, organization: Organization) -> None:
        self.organization = organization
        self.flows: dict[str, FlowId] = {}
        self.trails: dict[str, TrailId] = {}

    async def fill(self) -> "Filled":
        organization, caller = self.organization, self.organization.operator
        for flow in ("pay_web", "payxweb", "shop"):
            self.flows[flow] = FlowId(UUID((await organization.flow(caller, flow)).body["flow_id"]))
        for flow, name, commit in (("pay_web", "release-1", TRAIL_COMMIT), ("shop", "release-2", None)):
            begun = await trails.begin(
                organization.record, caller, BeginTrail(flow, name, commit=Commit(commit) if commit else None)
            )
            self.trails[name] = TrailId(UUID(begun.body["trail_id"]))
        for flow, trail, fingerprint, name, commit in (
            ("pay_web", "release-1", FINGERPRINT, "pay_web.whl", ARTIFACT_COMMIT),
            ("shop", "release-2", "9" * 64, "shop 100%.whl", None),
        ):
            await artifacts.report(
                organization.record,
                caller,
                ReportArtifact(flow, trail, "app", fingerprint, name, commit=Commit(commit) if commit else None),
            )
        return self

    async def search(
        self, text: str, *, readable: frozenset[str] | None = None, limit: int = 10, size: int | None = None
    ) -> Found:
        organization = self.organization
        async with organization.record.database.connection(organization.org_id) as connection:
            return await search(connection, await organization.moment(size), text, readable=readable, limit=limit)


@pytest.fixture(scope="module")
async def filled(house: Record) -> Filled:
    return await Filled(await Organization.begin(house, "searched")).fill()


async def test_names_are_found_by_how_they_begin(filled: Filled) -> None:
    found = await filled.search("pay")

    assert found.flows == (filled.flows["pay_web"], filled.flows["payxweb"])
    assert found.trails == ()
    assert found.artifacts == (FINGERPRINT,)


async def test_the_newest_of_a_kind_comes_first(filled: Filled) -> None:
    found = await filled.search("release-")

    assert found.trails == (filled.trails["release-2"], filled.trails["release-1"])
    assert (await filled.search("release-", limit=1)).trails == (filled.trails["release-2"],)


async def test_commits_and_fingerprints_are_found_from_seven_digits_on(filled: Filled) -> None:
    assert await filled.search("abcdef") == NOTHING
    assert await filled.search("abcdef0") == Found((), (filled.trails["release-1"],), ())
    assert await filled.search("abcdef9") == Found((), (), (FINGERPRINT,))
    assert await filled.search("abcdef5") == Found((), (), (FINGERPRINT,))
    assert await filled.search(FINGERPRINT) == Found((), (), (FINGERPRINT,))
    assert await filled.search(TRAIL_COMMIT + "0") == NOTHING


@pytest.mark.parametrize(
    ("text", "flows"),
    [("pay_web", 1), ("pay%", 0), ("%", 0), ("_", 0), ("pay\\_web", 0), ("\\", 0), ("PAY", 0), ("pay_webs", 0)],
)
async def test_what_means_anything_to_sql_means_itself(filled: Filled, text: str, flows: int) -> None:
    assert len((await filled.search(text)).flows) == flows


async def test_a_percent_sign_in_a_name_is_found(filled: Filled) -> None:
    assert (await filled.search("shop 100%")).artifacts == ("9" * 64,)
    assert (await filled.search("shop 1%")).artifacts == ()


async def test_a_narrowed_reader_finds_what_is_in_its_flows_alone(filled: Filled) -> None:
    shop = frozenset({"shop"})

    assert await filled.search("pay", readable=shop) == NOTHING
    assert await filled.search("abcdef0", readable=shop) == NOTHING
    assert await filled.search("abcdef5", readable=shop) == NOTHING
    assert (await filled.search("release", readable=shop)).trails == (filled.trails["release-2"],)
    assert await filled.search("release", readable=frozenset()) == NOTHING


async def test_nothing_is_found_before_it_was_recorded(filled: Filled) -> None:
    assert await filled.search("pay", size=3) == NOTHING
    assert len((await filled.search("pay", size=4)).flows) == 1


async def test_a_trail_is_found_once_by_all_the_commits_that_it_had(acme: Organization) -> None:
    await acme.flow(acme.operator)
    for commit in ("abcdef1" + "0" * 33, "abcdef2" + "0" * 33):
        begun = await trails.begin(acme.record, acme.operator, BeginTrail("delivery", "abcdef0", commit=Commit(commit)))
    filled = Filled(acme)

    for text in ("abcdef0", "abcdef1", "abcdef2"):
        assert (await filled.search(text)).trails == (UUID(begun.body["trail_id"]),)


async def test_no_text_breaks_the_search(filled: Filled) -> None:
    @given(st.text(st.characters(codec=None), max_size=20))
    @settings(max_examples=40, database=None)
    def texts(text: str) -> None:
        asked.append(text)

    asked: list[str] = ["a\x00b", "\ud83d", "x" * 10_000]
    texts()
    for text in asked:
        if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
            with pytest.raises(InvalidInput):
                await filled.search(text)
        else:
            assert len((await filled.search(text)).flows) <= 3


async def test_a_search_is_one_statement_for_each_kind(filled: Filled) -> None:
    async with watched(filled.organization.record) as (record, database):
        async with record.database.connection(filled.organization.org_id) as connection:
            moment = await filled.organization.moment()
            await search(connection, moment, "abcdef0", readable=None, limit=10)

        assert len(database.sent) == 6
