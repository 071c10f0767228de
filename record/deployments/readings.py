"""Rows of deployments, read from entries."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

from record.clock import from_rfc3339
from record.deployments.models import DeploymentReport
from record.ledger.entries import Entry
from record.ledger.readings import Reading, Row


def deployment_rows(entry: Entry) -> list[Row]:
    body = entry.body
    return [
        Row(
            DeploymentReport,
            {
                "deployment_id": UUID(body["deployment_id"]),
                "environment_id": UUID(body["environment_id"]),
                "environment": body["environment"],
                "fingerprint": body["fingerprint"],
                "name": body["name"],
                "unit": body["unit"],
                "flow_id": UUID(body["flow_id"]) if "flow_id" in body else None,
                "flow": body.get("flow"),
                "trail_id": UUID(body["trail_id"]) if "trail_id" in body else None,
                "trail": body.get("trail"),
                "template_name": body.get("template_name"),
                "commit": body.get("commit"),
                "build_url": body.get("build_url"),
                "description": body["description"],
                "deployed_by": body.get("deployed_by", entry.by.principal),
                "deployed_at": from_rfc3339(body["deployed_at"]) if "deployed_at" in body else entry.at,
                "reported_by": entry.by.principal,
                "at": entry.at,
            },
        )
    ]


READINGS: Final[Mapping[str, Reading]] = MappingProxyType({"deployment.reported": deployment_rows})
