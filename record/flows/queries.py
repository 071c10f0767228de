"""Reads of flows."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from record.database import Connection
from record.flows import templates
from record.flows.templates import Template
from record.ids import EntryIndex, FlowId
from record.moment import Moment


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow as of a moment; `entry_index` is the entry that last changed it."""

    flow_id: FlowId
    name: str
    description: str
    tags: dict[str, str]
    public: bool
    version: int
    template_version: int
    template_source: str
    template_entry_index: EntryIndex
    entry_index: EntryIndex
    created_at: datetime
    changed_at: datetime


_SELECT = """
SELECT f.flow_id, f.name, f.description, f.tags, f.public, f.version, f.template_version, t.source AS template_source,
       t.entry_index AS template_entry_index, f.entry_index, first.at AS created_at, f.at AS changed_at
FROM record.flows first
CROSS JOIN LATERAL (
    SELECT * FROM record.flows v
    WHERE v.org_id = $1 AND v.flow_id = first.flow_id AND v.entry_index < $2 ORDER BY v.entry_index DESC LIMIT 1
) f
JOIN record.flow_templates t ON t.org_id = $1 AND t.flow_id = f.flow_id AND t.version = f.template_version
WHERE first.org_id = $1 AND first.version = 1 AND first.entry_index < $2"""


def _flow(row: Any) -> Flow:
    values = dict(row)
    values["tags"] = json.loads(values["tags"])
    return Flow(**values)


async def by_name(connection: Connection, moment: Moment, name: str) -> Flow | None:
    """The flow of this name."""
    row = await connection.fetchrow(f"{_SELECT} AND first.name = $3", moment.org_id, moment.size, name)
    return None if row is None else _flow(row)


async def by_ids(connection: Connection, moment: Moment, ids: Sequence[FlowId]) -> list[Flow | None]:
    """Flows in the order asked; None for what is not there."""
    rows = await connection.fetch(f"{_SELECT} AND first.flow_id = ANY($3::uuid[])", moment.org_id, moment.size, ids)
    found = {row["flow_id"]: _flow(row) for row in rows}
    return [found.get(flow_id) for flow_id in ids]


async def page(
    connection: Connection,
    moment: Moment,
    *,
    limit: int,
    after: str | None = None,
    before: str | None = None,
    readable: frozenset[str] | None = None,
) -> list[Flow]:
    """Flows by name; with `before`, the last ones before it, still in ascending order. `readable` None: all of them."""
    descending = before is not None and after is None
    rows = await connection.fetch(
        f"{_SELECT} AND ($3::text IS NULL OR first.name > $3) AND ($4::text IS NULL OR first.name < $4) "
        f"AND ($5::text[] IS NULL OR first.name = ANY($5)) ORDER BY first.name {'DESC' if descending else 'ASC'} LIMIT $6",
        moment.org_id,
        moment.size,
        after,
        before,
        None if readable is None else sorted(readable),
        limit,
    )
    flows = [_flow(row) for row in rows]
    return flows[::-1] if descending else flows


_TEMPLATES = """
SELECT version, source, entry_index FROM record.flow_templates
WHERE org_id = $1 AND flow_id = $3 AND entry_index < $2 ORDER BY version DESC LIMIT $4"""


@dataclass(frozen=True, slots=True)
class TemplateVersion:
    """A numbered version of a flow's template, as it was given."""

    version: int
    source: str
    entry_index: EntryIndex


async def template_versions(
    connection: Connection, moment: Moment, flow_id: FlowId, *, limit: int
) -> list[TemplateVersion]:
    """The newest versions of a flow's template first."""
    rows = await connection.fetch(_TEMPLATES, moment.org_id, moment.size, flow_id, limit)
    return [TemplateVersion(**row) for row in rows]


@lru_cache(maxsize=4096)
def understood(template: str) -> Template:
    """A parsed template from the JSON text of its column; the same text is the same template."""
    return templates.from_json(json.loads(template))


_PUBLIC = """
SELECT f.name FROM record.flows first
CROSS JOIN LATERAL (
    SELECT v.name, v.public FROM record.flows v
    WHERE v.org_id = $1 AND v.flow_id = first.flow_id AND v.entry_index < $2 ORDER BY v.entry_index DESC LIMIT 1
) f
WHERE first.org_id = $1 AND first.version = 1 AND first.entry_index < $2 AND f.public"""


async def public_names(connection: Connection, moment: Moment) -> frozenset[str]:
    """Names of the flows that are open to everyone."""
    rows = await connection.fetch(_PUBLIC, moment.org_id, moment.size)
    return frozenset(row["name"] for row in rows)
