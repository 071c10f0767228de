"""What roles allow, how a key narrows them, and whether a key opens anything at an instant."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from record.ids import KeyId, OrgId, PrincipalId
from record.ledger.entries import By, Idempotency
from record.refusals import InvalidInput, NotAllowed


class Action(Enum):
    """What a request wants to do. Its value completes the sentence "this key may not ..."."""

    READ = "read"
    WRITE = "record"
    SNAPSHOT = "report snapshots"
    REVIEW = "review approvals"
    ARCHIVE = "request or download archives"
    ADMINISTER = "administer the organization"


class Role(Enum):
    """Roles of DOMAIN. A principal holds any number of them, each for everything or for named flows."""

    ADMIN = "admin"
    WRITER = "writer"
    SNAPSHOTTER = "snapshotter"
    APPROVER = "approver"
    AUDITOR = "auditor"
    READER = "reader"


ALLOWED: Final[Mapping[Role, frozenset[Action]]] = MappingProxyType(
    {
        Role.ADMIN: frozenset({Action.READ, Action.WRITE, Action.SNAPSHOT, Action.ARCHIVE, Action.ADMINISTER}),
        Role.WRITER: frozenset({Action.READ, Action.WRITE}),
        Role.SNAPSHOTTER: frozenset({Action.SNAPSHOT}),
        Role.APPROVER: frozenset({Action.READ, Action.REVIEW}),
        Role.AUDITOR: frozenset({Action.READ, Action.ARCHIVE}),
        Role.READER: frozenset({Action.READ}),
    }
)

ROLES_FOR: Final[Mapping[Action, str]] = MappingProxyType(
    {action: " or ".join(role.value for role in Role if action in ALLOWED[role]) for action in Action}
)


@dataclass(frozen=True, slots=True)
class Grant:
    """A role for everything; or only for what is in `flows`, or only for what is in `environments`, or for these two."""

    role: Role
    flows: frozenset[str] | None = None
    environments: frozenset[str] | None = None

    def covers(self, action: Action, flow: str | None, environment: str | None = None) -> bool:
        """Whether it allows `action` on that flow, on that environment, or on the one in the other.

        What is done to neither (None and None) only an unnarrowed grant covers. A grant that is narrowed to flows covers
        nothing that is done to an environment alone, and the other way round; one that is narrowed to both covers either.
        """
        return (
            action in ALLOWED[self.role]
            and _reaches(self.flows, flow, elsewhere=environment is not None and self.environments is not None)
            and _reaches(self.environments, environment, elsewhere=flow is not None and self.flows is not None)
        )

    def to_json(self) -> dict[str, Any]:
        written: dict[str, Any] = {"role": self.role.value}
        if self.flows is not None:
            written["flows"] = sorted(self.flows)
        if self.environments is not None:
            written["environments"] = sorted(self.environments)
        return written

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> "Grant":
        flows, environments = written.get("flows"), written.get("environments")
        return cls(
            role=Role(written["role"]),
            flows=None if flows is None else frozenset(flows),
            environments=None if environments is None else frozenset(environments),
        )


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling, through which key, and what that allows, as of the ledger's `access_index`.

    `access_index` None: not checked again when appending (the operator and the workers, who have no key to lose).
    """

    org_id: OrgId
    organization: str
    principal_id: PrincipalId
    principal: str
    key_id: KeyId | None
    grants: tuple[Grant, ...]
    scopes: tuple[Grant, ...] | None = None
    access_index: int | None = None

    def may(self, action: Action, *, flow: str | None = None, environment: str | None = None) -> bool:
        """Whether the principal's roles, narrowed by the key's scopes, allow `action` (on that flow, on that environment)."""
        if not any(grant.covers(action, flow, environment) for grant in self.grants):
            return False
        return self.scopes is None or any(scope.covers(action, flow, environment) for scope in self.scopes)

    def require(self, action: Action, *, flow: str | None = None, environment: str | None = None) -> None:
        """Refuses what `may` denies, naming the roles that would do."""
        if not self.may(action, flow=flow, environment=environment):
            places = [(f"in the flow {flow}", flow), (f"in the environment {environment}", environment)]
            where = " ".join(phrase for phrase, name in places if name)
            names = " and ".join(name for _, name in places if name)
            raise NotAllowed(
                f"This key may not {action.value}{' ' + where if where else ''}. "
                f"Ask an admin for the role {ROLES_FOR[action]}"
                + (f" on {names}." if names else ", not narrowed to some flows or environments.")
            )

    def may_somewhere(self, action: Action) -> bool:
        """As `may`, satisfied by a narrowed role: for what belongs to nothing yet, such as evidence bytes."""
        holders = (self.grants, *([] if self.scopes is None else [self.scopes]))
        return all(any(action in ALLOWED[grant.role] for grant in held) for held in holders)

    def require_somewhere(self, action: Action) -> None:
        """Refuses what `may_somewhere` denies, naming the roles that would do."""
        if not self.may_somewhere(action):
            raise NotAllowed(f"This key may not {action.value}. Ask an admin for the role {ROLES_FOR[action]}.")

    def readable_flows(self) -> frozenset[str] | None:
        """Names of the flows that it may read; None: every flow."""
        return self._readable(lambda grant: grant.flows)

    def readable_environments(self) -> frozenset[str] | None:
        """Names of the environments that it may read; None: every environment."""
        return self._readable(lambda grant: grant.environments)

    def _readable(self, narrowing: Callable[[Grant], frozenset[str] | None]) -> frozenset[str] | None:
        held = _readable_by(self.grants, narrowing)
        if self.scopes is None:
            return held
        scoped = _readable_by(self.scopes, narrowing)
        if held is None or scoped is None:
            return scoped if held is None else held
        return held & scoped

    def by(self, idempotency: Idempotency | None = None) -> By:
        """How entries name this caller."""
        return By(self.principal_id, self.principal, self.key_id, idempotency)


def _reaches(narrowing: frozenset[str] | None, name: str | None, *, elsewhere: bool) -> bool:
    """Whether what is done to `name` lies within `narrowing`; `elsewhere`: what is done is looked at by the other narrowing."""
    return narrowing is None or (elsewhere if name is None else name in narrowing)


def _readable_by(grants: Iterable[Grant], narrowing: Callable[[Grant], frozenset[str] | None]) -> frozenset[str] | None:
    """Names in this narrowing of the grants that allow reading; None, every name, if one of them is not narrowed at all."""
    names: set[str] = set()
    for grant in grants:
        if Action.READ in ALLOWED[grant.role]:
            if grant.flows is None and grant.environments is None:
                return None
            names |= narrowing(grant) or frozenset()
    return frozenset(names)


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What is known of a presented key.

    `revoked`: by an entry that took effect with itself. No clock is asked then: the ledger's may be ahead of this one's.
    """

    key_id: KeyId
    principal_id: PrincipalId
    principal: str
    disabled: bool
    grants: tuple[Grant, ...]
    scopes: tuple[Grant, ...] | None
    expires_at: datetime | None
    revoked: bool
    revoked_at: datetime | None

    def opens(self, *, now: datetime) -> bool:
        """A key opens from its issue until the first of its expiry and its revocation, exclusive."""
        until = self.opens_until
        return not self.disabled and not self.revoked and (until is None or now < until)

    @property
    def opens_until(self) -> datetime | None:
        """The first of expiry and revocation; None for a key that has neither."""
        ends = [end for end in (self.expires_at, self.revoked_at) if end is not None]
        return min(ends, default=None)


def checked_grants(wished: Sequence[Mapping[str, Any]], *, field: str) -> tuple[Grant, ...]:
    """Grants as asked for in JSON; refuses unknown roles, naming the known ones."""
    try:
        return tuple(Grant.from_json(wish) for wish in wished)
    except (ValueError, KeyError) as error:
        known = ", ".join(role.value for role in Role)
        raise InvalidInput(f"A grant names no known role. Use one of {known}.", field=field) from error


def pattern_as_schema(pattern: str) -> dict[str, Any]:
    """An organization's pattern for names as JSON Schema: a stranger's program, and so only ever run in the sandbox.

    The pattern stands there by itself as well, because one that is broken might be mended by what is put around it.
    """
    return {"type": "string", "allOf": [{"pattern": pattern}, {"pattern": f"^(?:{pattern})$"}]}


OPERATOR: Final = PrincipalId(UUID(int=0))
"""Whoever runs commands on the server itself; organizations begin with an entry by it."""
WORKER: Final = PrincipalId(UUID(int=1))
"""The server's own workers."""


def operator(org_id: OrgId, organization: str) -> Caller:
    """The caller of the server's own command line."""
    return Caller(org_id, organization, OPERATOR, "muniment:operator", None, (Grant(Role.ADMIN),))


def worker(org_id: OrgId, organization: str) -> Caller:
    """The caller of work that nobody asked for, such as scrubbing."""
    return Caller(org_id, organization, WORKER, "muniment:worker", None, (Grant(Role.ADMIN),))
