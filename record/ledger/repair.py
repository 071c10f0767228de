"""Makes `ops.ledgers` again from the record: the proof that losing schema `ops` loses nothing.

Runs as the database's owner, because it looks for organizations before any is known, and row-level security shows the
application only the one that it names. Heads that are there already are left alone; a head behind its entries is moved up.
"""

from typing import Final

import asyncpg

from record.ledger.append import ACCESS_KINDS
from record.refusals import InvalidInput
from record.settings import Settings

_ORGANIZATIONS: Final = "SELECT DISTINCT org_id FROM record.organizations"

_HEAD: Final = """
INSERT INTO ops.ledgers (org_id, name, origin, size, at, access_index)
SELECT o.org_id, o.name, o.origin, e.entry_index + 1, e.at, a.entry_index + 1
FROM (SELECT * FROM record.organizations WHERE org_id = $1 ORDER BY entry_index DESC LIMIT 1) o,
     (SELECT entry_index, at FROM record.entries WHERE org_id = $1 ORDER BY entry_index DESC LIMIT 1) e,
     (SELECT entry_index FROM record.entries WHERE org_id = $1 AND kind = ANY($2) ORDER BY entry_index DESC LIMIT 1) a
ON CONFLICT (org_id) DO UPDATE
SET size = excluded.size, at = excluded.at, access_index = excluded.access_index
WHERE ops.ledgers.size < excluded.size"""

_PUBLICATION: Final = """
INSERT INTO ops.publications (org_id, signed_size, published_size)
SELECT $1, size, 0 FROM record.checkpoints WHERE org_id = $1 ORDER BY size DESC LIMIT 1
ON CONFLICT (org_id) DO NOTHING"""

_CURSOR: Final = """
INSERT INTO ops.notice_cursors (org_id, next_index, told_at)
SELECT org_id, size, now() FROM ops.ledgers WHERE org_id = $1
  AND EXISTS (SELECT 1 FROM record.notices WHERE org_id = $1 AND version = 1)
ON CONFLICT (org_id) DO NOTHING"""


async def repair(settings: Settings) -> int:
    """The number of ledgers whose head was made or moved. Publication begins anew, and writes over nothing that is locked.

    Notices tell of what comes from now on: what was delivered before is not known any more.
    """
    if settings.owner_database_url is None:
        raise InvalidInput(
            "MUNIMENT_OWNER_DATABASE_URL is not set. Repairs run as the database's owner; set it and run again."
        )
    connection = await asyncpg.connect(str(settings.owner_database_url))
    try:
        made = 0
        for row in await connection.fetch(_ORGANIZATIONS):
            done = await connection.execute(_HEAD, row["org_id"], list(ACCESS_KINDS))
            made += int(done.rsplit(" ", 1)[1])
            await connection.execute(_PUBLICATION, row["org_id"])
            await connection.execute(_CURSOR, row["org_id"])
        return made
    finally:
        await connection.close()
