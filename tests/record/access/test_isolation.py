"""Two organizations under the same names in one database: neither learns anything of the other, whatever it asks with."""

from dataclasses import replace
from uuid import UUID

import asyncpg
import pytest

from record.access import service
from record.attestations.service import attest
from record.attestations.service.attest import About, File
from record.flows.service import ChangeFlow
from record.flows.service import change as change_flow
from record.ids import KeyId
from record.moment import Moment
from record.record import Record
from record.refusals import EvidenceNotStored, NotFound
from tests.record.access.asking import EXEMPT, IN_OPS, QUESTIONS, every_query, says_nothing
from tests.record.access.known import Known, full_organization
from tests.record.organizations import FINGERPRINT, Organization

QUESTION = pytest.mark.parametrize("question", QUESTIONS)
ANY_QUESTION = pytest.mark.parametrize("question", QUESTIONS | IN_OPS)


@pytest.fixture(scope="module")
async def full(house: Record, tmp_path_factory: pytest.TempPathFactory) -> tuple[Organization, Known]:
    key = tmp_path_factory.mktemp("isolated") / "notices_key"
    key.write_text("5e" * 32)
    settings = house.settings.model_copy(update={"notices_key_file": key})
    return await full_organization(replace(house, settings=settings), "isolated")


@pytest.fixture(scope="module")
async def stranger(house: Record) -> Organization:
    """An organization that has nothing but itself."""
    return await Organization.begin(house, "stranger")


def test_every_query_of_the_record_is_asked_here_or_says_why_not() -> None:
    assert every_query() == QUESTIONS.keys() | IN_OPS.keys() | EXEMPT.keys()


@ANY_QUESTION
async def test_an_organization_finds_its_own(house: Record, full: tuple[Organization, Known], question: str) -> None:
    organization, known = full

    async with house.database.connection(organization.org_id) as connection:
        answer = await (QUESTIONS | IN_OPS)[question](connection, await organization.moment(), known)

    assert not says_nothing(answer)


OF_ITSELF = {
    "access.organization",
    "evidence.stored_after",
    "ledger.entries_after",
    "ledger.entries_before",
    "ledger.size_at",
}
"""What tells a stranger of itself, because nothing of the other is in the question."""


@ANY_QUESTION
async def test_a_stranger_who_knows_every_id_finds_nothing(
    house: Record, full: tuple[Organization, Known], stranger: Organization, question: str
) -> None:
    async with house.database.connection(stranger.org_id) as connection:
        answer = await (QUESTIONS | IN_OPS)[question](connection, await stranger.moment(), full[1])

    if question in OF_ITSELF:
        assert str(full[0].org_id) not in str(answer)
        assert full[0].name.encode() not in b"".join(getattr(each, "content", b"") for each in _listed(answer))
    else:
        assert says_nothing(answer)


def _listed(answer: object) -> list[object]:
    return list(answer) if isinstance(answer, list) else [answer]


@QUESTION
async def test_a_query_that_forgets_whose_connection_it_is_finds_nothing(
    house: Record, full: tuple[Organization, Known], stranger: Organization, question: str
) -> None:
    """Row-level security alone: the moment says the one organization, the connection belongs to the other."""
    async with house.database.connection(stranger.org_id) as connection:
        answer = await QUESTIONS[question](connection, await full[0].moment(), full[1])

    assert says_nothing(answer)


@QUESTION
async def test_a_connection_bound_to_nobody_finds_nothing(
    house: Record, full: tuple[Organization, Known], question: str
) -> None:
    async with house.database.operations() as connection:
        answer = await QUESTIONS[question](connection, await full[0].moment(), full[1])

    assert says_nothing(answer)


AS_OF_NOW = {
    "access.key_by_token",
    "archives.keys_among",
    "archives.without_job",
    "evidence.keys_among",
    "ledger.size_at",
    "ledger.newest_checkpoint",
    "ledger.checkpoint_of",
    "ledger.checkpoint_covering",
    "scrubbing.entries_between",
    "scrubbing.checkpoints_between",
    "scrubbing.entries_present",
    "scrubbing.evidence_page",
    "trails.place",
}
"""What a service decides by before it writes, or workers look at."""


@pytest.mark.parametrize("question", sorted(QUESTIONS.keys() - AS_OF_NOW))
async def test_before_the_organization_began_there_was_nothing(
    house: Record, full: tuple[Organization, Known], question: str
) -> None:
    organization, known = full

    async with house.database.connection(organization.org_id) as connection:
        answer = await QUESTIONS[question](connection, await organization.moment(0), known)

    assert says_nothing(answer)


async def test_every_table_of_the_record_shows_a_stranger_only_its_own_rows(
    house: Record, full: tuple[Organization, Known], stranger: Organization
) -> None:
    async with house.database.connection(stranger.org_id) as connection:
        tables = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'record'::regnamespace AND relkind = 'r'"
        )
        for table in tables:
            owners = await connection.fetch(f"SELECT DISTINCT org_id FROM record.{table['relname']}")
            assert {row["org_id"] for row in owners} <= {stranger.org_id}, table["relname"]

    assert len(tables) >= 20


async def test_a_connection_cannot_insert_for_another_organization(
    house: Record, full: tuple[Organization, Known], stranger: Organization
) -> None:
    async with house.database.connection(stranger.org_id) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await connection.execute(
                "INSERT INTO record.key_revocations VALUES ($1, $2, 1, now(), 'spite')", full[0].org_id, full[1].key_id
            )


async def test_a_connection_that_is_lent_to_another_organization_forgets_the_first(
    house: Record, full: tuple[Organization, Known], stranger: Organization
) -> None:
    seen = []
    for organization in (full[0], stranger, full[0], stranger):
        async with house.database.connection(organization.org_id) as connection:
            seen.append(await connection.fetchval("SELECT current_setting('muniment.org')"))

    assert seen == [str(full[0].org_id), str(stranger.org_id)] * 2


# --- through the services: what is another's is what does not exist


async def sentence_of(use: object) -> str:
    with pytest.raises((NotFound, EvidenceNotStored)) as refused:
        await use  # type: ignore[misc]
    return refused.value.message


async def test_another_organizations_things_are_refused_like_things_that_do_not_exist(
    record: Record, full: tuple[Organization, Known], stranger: Organization
) -> None:
    caller = await stranger.caller()
    known = full[1]
    absent = KeyId(UUID(int=7))

    theirs = [
        await sentence_of(change_flow(record, caller, ChangeFlow("delivery", description="mine"))),
        await sentence_of(stranger.trail(caller, "t2")),
        await sentence_of(attest.generic(record, caller, About("delivery", "t1", "x"), compliant=True)),
        await sentence_of(service.revoke_key(record, caller, key_id=known.key_id, reason="spite")),
        await sentence_of(service.rotate_key(record, caller, key_id=known.key_id)),
        await sentence_of(service.change_principal(record, caller, name="will", disabled=True)),
        await sentence_of(
            service.issue_key(record, caller, principal_id=known.principal_id, description="a door for me")
        ),
    ]
    nobodys = [
        await sentence_of(change_flow(record, caller, ChangeFlow("nothing", description="mine"))),
        await sentence_of(stranger.trail(caller, "t2", flow="nothing")),
        await sentence_of(attest.generic(record, caller, About("nothing", "t1", "x"), compliant=True)),
        await sentence_of(service.revoke_key(record, caller, key_id=absent, reason="spite")),
        await sentence_of(service.rotate_key(record, caller, key_id=absent)),
        await sentence_of(service.change_principal(record, caller, name="nobody", disabled=True)),
        await sentence_of(service.issue_key(record, caller, principal_id=absent, description="a door for me")),  # type: ignore[arg-type]
    ]

    same = [text.replace("delivery", "nothing").replace("will", "nobody") for text in theirs]
    assert same == nobodys


async def test_evidence_of_another_organization_is_not_stored_here(
    record: Record, full: tuple[Organization, Known]
) -> None:
    own = await Organization.begin(record, "copycat")
    caller = await own.caller()
    await own.flow(caller)
    await own.trail(caller)
    about = About("delivery", "t1", "x", evidence=(File(full[1].digest, "log.txt"),))

    told = await sentence_of(attest.generic(record, caller, about, compliant=True))

    assert "no evidence of yours" in told


async def test_names_are_free_in_every_organization(record: Record, full: tuple[Organization, Known]) -> None:
    own = await Organization.begin(record, "namesake")
    await own.hire("will")
    caller = await own.caller()

    flow = await own.flow(caller)
    await own.trail(caller)

    assert flow.index < full[1].size
    assert flow.body["flow_id"] != str(full[1].flow_id)
    async with record.database.connection(own.org_id) as connection:
        moment = Moment.latest(own.org_id, record.clock.now())
        assert says_nothing(await QUESTIONS["artifacts.reports_of"](connection, moment, full[1]))


async def test_a_key_is_looked_up_in_its_own_organization_alone(
    record: Record, full: tuple[Organization, Known], stranger: Organization
) -> None:
    head = await record.ledger.head(stranger.org_id)

    with pytest.raises(Exception, match="unknown, expired or revoked"):
        await service.recognise_at(
            record,
            full[1].token,
            org_id=stranger.org_id,
            organization=stranger.name,
            access_index=head.access_index,
        )
    assert FINGERPRINT not in str(await stranger.caller())
