"""Organizations for tests: a real one in the ledger, with a person for each role, each recognised through a key of their own."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from record.access import service
from record.access.rules import Caller, Grant, Role, operator
from record.attestations.service.attest import File
from record.evidence import service as evidence
from record.evidence.queries import Evidence
from record.flows import service as flows
from record.flows.service import CreateFlow
from record.ids import KeyId, OrgId, PrincipalId
from record.ledger.entries import Receipt
from record.moment import Moment
from record.record import Record
from record.trails import service as trails
from record.trails.service import BeginTrail
from tests.record.vault.harness import stream_of

COMMIT = "5e1f0c7a9b3d2468ace013579bdf02468ace0135"
FINGERPRINT = "f1" * 32


@dataclass
class Organization:
    """An organization and the tokens of its people, by name."""

    record: Record
    name: str
    operator: Caller
    tokens: dict[str, str] = field(default_factory=dict)

    @classmethod
    async def begin(cls, record: Record, name: str = "acme") -> "Organization":
        """Begins it, with its first admin, ada."""
        caller, issued = await service.create_organization(record, name, admin="ada")
        assert issued.token is not None
        return cls(record, name, operator(caller.org_id, name), {"ada": issued.token})

    @property
    def org_id(self) -> OrgId:
        return self.operator.org_id

    async def hire(self, name: str, *grants: Grant | Role, scopes: Iterable[Grant] | None = None) -> PrincipalId:
        """Adds a person with a key. Whoever was recognised before must be recognised anew to write."""
        given = [grant if isinstance(grant, Grant) else Grant(grant) for grant in grants]
        added = await service.add_principal(self.record, self.operator, name=name, kind="person", grants=given)
        principal_id = PrincipalId(UUID(added.body["principal_id"]))
        await self.give_key(name, principal_id, scopes=scopes)
        return principal_id

    async def give_key(
        self, name: str, principal_id: PrincipalId, *, scopes: Iterable[Grant] | None = None, days: int | None = None
    ) -> KeyId:
        """Issues a key and keeps its token under `name`."""
        issued = await service.issue_key(
            self.record,
            self.operator,
            principal_id=principal_id,
            description=f"key of {name}",
            scopes=None if scopes is None else list(scopes),
            expires_in_days=days,
        )
        assert issued.token is not None
        self.tokens[name] = issued.token
        return KeyId(UUID(issued.receipt.body["key_id"]))

    async def caller(self, name: str = "ada") -> Caller:
        """Who presents this person's token now."""
        return await service.recognise(self.record, self.tokens[name])

    async def hired(self, name: str, *grants: Grant | Role, scopes: Iterable[Grant] | None = None) -> Caller:
        """A new person, recognised."""
        await self.hire(name, *grants, scopes=scopes)
        return await self.caller(name)

    async def size(self) -> int:
        return (await self.record.ledger.head(self.org_id)).size

    async def moment(self, size: int | None = None) -> Moment:
        """The ledger as it stands, or as it stood at a size."""
        head = await self.record.ledger.head(self.org_id)
        return Moment(self.org_id, head.size if size is None else type(head.size)(size), self.record.clock.now())

    async def flow(self, caller: Caller, name: str = "delivery", template: str | None = None) -> Receipt:
        return await flows.create(self.record, caller, CreateFlow(name, template=template))

    async def trail(self, caller: Caller, name: str = "t1", *, flow: str = "delivery") -> Receipt:
        return await trails.begin(self.record, caller, BeginTrail(flow, name))

    async def upload(self, caller: Caller, data: bytes, *, media_type: str | None = None) -> Evidence:
        stored, _ = await evidence.store(
            self.record, caller, stream_of(data), expected=None, expected_size=len(data), media_type=media_type
        )
        return stored

    async def file(self, caller: Caller, data: bytes, name: str) -> File:
        """A file of evidence, uploaded."""
        return File((await self.upload(caller, data)).digest, name)
