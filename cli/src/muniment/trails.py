"""The trail that a report belongs to: which one is meant, and how it is begun when nobody began it.

Pipelines that report artifacts and evidence by commit never said `begin trail`. The first report of a commit begins it for them.
"""

from __future__ import annotations

import hashlib

from muniment.documents import Mutation, Query
from muniment.exits import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from muniment.client import Client

BEGIN = Mutation(
    "beginTrail", "BeginTrailInput", "TrailBegun", "trail { name flowName verdict { status } }", noted="userData"
)
IS_THERE = Query("query($flow: String!, $trail: String!) { record { trail(flow: $flow, name: $trail) { name } } }")


def begin_if_missing(client: Client, given: Mapping[str, Any]) -> None:
    """Begins this trail unless it is there. One that is there is left as it is."""
    found = client.ask(IS_THERE, {"flow": given["flow"], "trail": given["name"]})["record"]["trail"]
    if found is not None:
        return
    # Reporters that run side by side all come here. The key is the same for all, so one of them begins it.
    named = hashlib.sha256(f"{given['flow']}\n{given['name']}".encode()).hexdigest()
    try:
        client.record(BEGIN, {**given, "idempotencyKey": f"cli-begin-{named[:40]}"})
    except Refused as refusal:
        if refusal.refusal != "IDEMPOTENCY_CONFLICT":
            raise
