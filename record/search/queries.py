"""One question for everything: what begins with this text? Each kind by an index, each with a limit.

What begins with a text lies between it and it with the last character there is, bytewise (`~>=~` and `~<~`, the operators of the
indexes). `LIKE` would read every row of the organization instead: it may leak what it sees, so row-level security keeps it
behind its own test and away from the index; and a plan that is made once cannot know that there is no wildcard in front.
"""

from dataclasses import dataclass

from record.database import Connection
from record.ids import FINGERPRINT_PREFIX, EnvironmentId, Fingerprint, FlowId, PolicyId, TrailId
from record.moment import Moment


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of each kind, as ids, in a stable order.

    `seen` are artifacts that were seen running or were reported as deployed, whether a flow knows them or not.
    """

    flows: tuple[FlowId, ...] = ()
    trails: tuple[TrailId, ...] = ()
    artifacts: tuple[Fingerprint, ...] = ()
    seen: tuple[Fingerprint, ...] = ()
    environments: tuple[EnvironmentId, ...] = ()
    policies: tuple[PolicyId, ...] = ()


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

# Digits of fingerprints sort alike in every collation, and before this letter: plain comparisons use the indexes by fingerprint.
_SEEN = """
(SELECT DISTINCT fingerprint FROM record.environment_events
 WHERE org_id = $1 AND entry_index < $2 AND fingerprint >= $3 AND fingerprint < $3 || 'g' LIMIT $4)
UNION
(SELECT DISTINCT fingerprint FROM record.deployments
 WHERE org_id = $1 AND entry_index < $2 AND fingerprint >= $3 AND fingerprint < $3 || 'g' LIMIT $4)
ORDER BY fingerprint LIMIT $4"""

_ENVIRONMENTS = f"""
SELECT environment_id FROM record.environments
WHERE org_id = $1 AND entry_index < $2 AND version = 1 AND {_NAME} AND ($4::text[] IS NULL OR name = ANY($4))
ORDER BY name LIMIT $5"""

_POLICIES = f"""
SELECT policy_id FROM record.policies
WHERE org_id = $1 AND entry_index < $2 AND version = 1 AND {_NAME} ORDER BY name LIMIT $4"""


async def search(
    connection: Connection,
    moment: Moment,
    text: str,
    *,
    readable: frozenset[str] | None,
    readable_environments: frozenset[str] | None = None,
    limit: int,
) -> Found:
    """What has a name that begins with `text`; artifacts and trails by commit or fingerprint, too, when it looks like one.

    `readable` names the flows, `readable_environments` the environments that may be seen; None: all of them. At most `limit`
    of each kind.
    """
    flows = None if readable is None else sorted(readable)
    environments = None if readable_environments is None else sorted(readable_environments)
    place = (moment.org_id, moment.size, text)
    is_hex = FINGERPRINT_PREFIX.fullmatch(text) is not None
    seen = await connection.fetch(_SEEN, *place, limit) if is_hex else []
    return Found(
        flows=tuple(row["flow_id"] for row in await connection.fetch(_FLOWS, *place, flows, limit)),
        trails=tuple(row["trail_id"] for row in await connection.fetch(_TRAILS, *place, flows, limit, is_hex)),
        artifacts=tuple(row["fingerprint"] for row in await connection.fetch(_ARTIFACTS, *place, flows, limit, is_hex)),
        seen=tuple(row["fingerprint"] for row in seen),
        environments=tuple(
            row["environment_id"] for row in await connection.fetch(_ENVIRONMENTS, *place, environments, limit)
        ),
        policies=tuple(row["policy_id"] for row in await connection.fetch(_POLICIES, *place, limit)),
    )
