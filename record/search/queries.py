"""One question for everything: what begins with this text? Each kind by an index, each with a limit.

What begins with a text lies between it and it with the last character there is, bytewise (`~>=~` and `~<~`, the operators of the
indexes). `LIKE` would read every row of the organization instead: it may leak what it sees, so row-level security keeps it
behind its own test and away from the index; and a plan that is made once cannot know that there is no wildcard in front.
"""

from dataclasses import dataclass

from record.database import Connection
from record.ids import FINGERPRINT_PREFIX, Fingerprint, FlowId, TrailId
from record.moment import Moment


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of each kind, as ids, in a stable order."""

    flows: tuple[FlowId, ...]
    trails: tuple[TrailId, ...]
    artifacts: tuple[Fingerprint, ...]


_BEGINS = "{0} ~>=~ $3::text AND {0} ~<~ ($3 || chr(1114111))"
_NAME, _COMMIT, _FINGERPRINT = (_BEGINS.format(column) for column in ("name", "commit", "fingerprint"))

_FLOWS = f"""
SELECT flow_id FROM record.flows
WHERE org_id = $1 AND entry_index < $2 AND version = 1 AND {_NAME} AND ($4::text[] IS NULL OR name = ANY($4))
ORDER BY name LIMIT $5"""

_TRAILS = f"""
SELECT trail_id FROM (
    (SELECT trail_id, entry_index FROM record.trails
     WHERE org_id = $1 AND entry_index < $2 AND version = 1 AND {_NAME} AND ($4::text[] IS NULL OR flow = ANY($4))
     ORDER BY entry_index DESC LIMIT $5)
    UNION
    (SELECT trail_id, entry_index FROM record.trails
     WHERE org_id = $1 AND entry_index < $2 AND $6 AND {_COMMIT} AND ($4::text[] IS NULL OR flow = ANY($4))
     ORDER BY entry_index DESC LIMIT $5)
) found GROUP BY trail_id ORDER BY max(entry_index) DESC LIMIT $5"""

_ARTIFACTS = f"""
SELECT fingerprint FROM (
    (SELECT fingerprint, entry_index FROM record.artifacts
     WHERE org_id = $1 AND entry_index < $2 AND {_NAME} AND ($4::text[] IS NULL OR flow = ANY($4))
     ORDER BY entry_index DESC LIMIT $5)
    UNION
    (SELECT fingerprint, entry_index FROM record.artifacts
     WHERE org_id = $1 AND entry_index < $2 AND $6 AND {_COMMIT} AND ($4::text[] IS NULL OR flow = ANY($4))
     ORDER BY entry_index DESC LIMIT $5)
    UNION
    (SELECT fingerprint, entry_index FROM record.artifacts
     WHERE org_id = $1 AND entry_index < $2 AND $6 AND {_FINGERPRINT} AND ($4::text[] IS NULL OR flow = ANY($4))
     ORDER BY entry_index DESC LIMIT $5)
) found GROUP BY fingerprint ORDER BY max(entry_index) DESC LIMIT $5"""


async def search(
    connection: Connection, moment: Moment, text: str, *, readable: frozenset[str] | None, limit: int
) -> Found:
    """Flows and trails whose name begins with `text`, artifacts by name; by commit or fingerprint when it looks like one."""
    flows = None if readable is None else sorted(readable)
    asked = (moment.org_id, moment.size, text, flows, limit)
    is_hex = FINGERPRINT_PREFIX.fullmatch(text) is not None
    return Found(
        flows=tuple(row["flow_id"] for row in await connection.fetch(_FLOWS, *asked)),
        trails=tuple(row["trail_id"] for row in await connection.fetch(_TRAILS, *asked, is_hex)),
        artifacts=tuple(row["fingerprint"] for row in await connection.fetch(_ARTIFACTS, *asked, is_hex)),
    )
