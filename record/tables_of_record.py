"""Every table, in one place, for migrations and for the test that compares them with the models."""

from typing import Final

from sqlmodel import SQLModel

from record.access import models as access
from record.approvals import models as approvals
from record.archives import models as archives
from record.artifacts import models as artifacts
from record.attestations import models as attestations
from record.controls import models as controls
from record.deployments import models as deployments
from record.environments import models as environments
from record.evidence import models as evidence
from record.flows import models as flows
from record.jobs import models as jobs
from record.judgements import models as judgements
from record.ledger import models as ledger
from record.notices import models as notices
from record.policies import models as policies
from record.requests import models as requests
from record.scrubbing import models as scrubbing
from record.sessions import models as sessions
from record.trails import models as trails
from record.waivers import models as waivers

MODULES: Final = (
    ledger,
    access,
    flows,
    trails,
    artifacts,
    attestations,
    evidence,
    environments,
    deployments,
    policies,
    controls,
    judgements,
    notices,
    approvals,
    waivers,
    requests,
    archives,
    scrubbing,
    jobs,
    sessions,
)
"""Modules that declare tables; importing them makes SQLModel know the tables."""

METADATA: Final = SQLModel.metadata
