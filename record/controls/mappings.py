"""What meets a control: requirements as asked for, as entries keep them, and as rules read them.

All requirements of a control must be met. A requirement is one of three: an attestation by name, by type or both (in some
flows, or in whichever know the artifact); approvals for the environment; or a policy that the artifact satisfies there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from record.flows.templates import ANY_TYPE, TYPES, is_type
from record.ids import ATTESTATION_NAME, FLOW_NAME, POLICY_NAME, checked_name
from record.refusals import InvalidInput

REQUIREMENTS_MAX: Final = 20
FLOWS_MAX: Final = 100
APPROVALS_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class AttestationRequired:
    """An attestation of this name and type (None: any) on the artifact or its trail, in one of these flows (None: in any)."""

    name: str | None = None
    type: str | None = None
    flows: tuple[str, ...] | None = None

    @property
    def asked(self) -> str:
        where = "" if self.flows is None else f" in {', '.join(self.flows)}"
        return f"{self.name or 'any name'} ({self.type or 'any type'}){where}"

    def to_json(self) -> dict[str, Any]:
        told = {"name": self.name, "type": self.type, "flows": None if self.flows is None else list(self.flows)}
        return {"attestation": {key: value for key, value in told.items() if value is not None}}


@dataclass(frozen=True, slots=True)
class ApprovalRequired:
    """So many people approved the artifact for the environment, in one request."""

    least: int = 1
    not_author: bool = False

    @property
    def asked(self) -> str:
        return f"approvals, at least {self.least}" + (", not by an author" if self.not_author else "")

    def to_json(self) -> dict[str, Any]:
        return {"approval": {"min": self.least, "not_author": self.not_author}}


@dataclass(frozen=True, slots=True)
class PolicyRequired:
    """The artifact satisfies this policy in the environment, whether or not it is attached there."""

    name: str

    @property
    def asked(self) -> str:
        return f"policy {self.name}"

    def to_json(self) -> dict[str, Any]:
        return {"policy": {"name": self.name}}


Requirement: TypeAlias = AttestationRequired | ApprovalRequired | PolicyRequired


def from_json(told: Mapping[str, Any]) -> Requirement:
    """The requirement that `to_json` wrote."""
    if "attestation" in told:
        of = told["attestation"]
        flows = of.get("flows")
        return AttestationRequired(of.get("name"), of.get("type"), None if flows is None else tuple(flows))
    if "approval" in told:
        return ApprovalRequired(told["approval"]["min"], told["approval"]["not_author"])
    return PolicyRequired(told["policy"]["name"])


def checked(requirements: Sequence[Requirement]) -> tuple[Requirement, ...]:
    """These requirements in one spelling; refuses what asks for nothing in particular, and what is there twice."""
    if len(requirements) > REQUIREMENTS_MAX:
        raise InvalidInput(
            f"{len(requirements)} requirements are too many for one control. Use at most {REQUIREMENTS_MAX}, or a policy.",
            field="requirements",
        )
    said = tuple(_checked(each) for each in requirements)
    if len(set(said)) != len(said):
        raise InvalidInput("A requirement is there twice. Name each once.", field="requirements")
    return said


def _checked(requirement: Requirement) -> Requirement:
    if isinstance(requirement, PolicyRequired):
        checked_name(requirement.name, POLICY_NAME, field="policy name")
        return requirement
    if isinstance(requirement, ApprovalRequired):
        if not 1 <= requirement.least <= APPROVALS_MAX:
            raise InvalidInput(
                f"{requirement.least} is no number of approvals. Ask for 1 to {APPROVALS_MAX}.", field="least"
            )
        return requirement
    name = requirement.name or None
    kind = None if requirement.type in (None, "", ANY_TYPE) else requirement.type
    if name is None and kind is None:
        raise InvalidInput("This asks for no attestation in particular. Give a name or a type.", field="attestation")
    if name is not None:
        checked_name(name, ATTESTATION_NAME, field="attestation name")
    if kind is not None and not is_type(kind):
        known = ", ".join(TYPES)
        raise InvalidInput(
            f"{kind[:80]!r} is not an attestation type. Use one of: {known}, custom:NAME, or '*' for any.", field="type"
        )
    if requirement.flows is None:
        return AttestationRequired(name, kind)
    flows = tuple(sorted({checked_name(flow, FLOW_NAME, field="flow name") for flow in requirement.flows}))
    if not 1 <= len(flows) <= FLOWS_MAX:
        raise InvalidInput(
            f"{len(flows)} flows cannot be asked. Name 1 to {FLOWS_MAX}, or leave `flows` out to ask any.",
            field="flows",
        )
    return AttestationRequired(name, kind, flows)
