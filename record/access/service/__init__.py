"""Uses of access: begin an organization, add and change principals, issue, rotate and revoke keys, recognise a caller."""

from record.access.service.keys import (
    KEY_DAYS_DEFAULT,
    KEY_DAYS_MAX,
    OVERLAP_HOURS_MAX,
    IssuedKey,
    issue_key,
    revoke_key,
    rotate_key,
)
from record.access.service.organizations import (
    RETENTION_DAYS_MAX,
    ChangeOrganization,
    change_organization,
    create_organization,
)
from record.access.service.principals import KINDS, add_principal, change_principal, principal_named
from record.access.service.recognition import recognise, recognise_at, recognise_until

__all__ = [
    "KEY_DAYS_DEFAULT",
    "KEY_DAYS_MAX",
    "KINDS",
    "OVERLAP_HOURS_MAX",
    "RETENTION_DAYS_MAX",
    "ChangeOrganization",
    "IssuedKey",
    "add_principal",
    "change_organization",
    "change_principal",
    "create_organization",
    "issue_key",
    "principal_named",
    "recognise",
    "recognise_at",
    "recognise_until",
    "revoke_key",
    "rotate_key",
]
