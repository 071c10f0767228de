"""Reads of frameworks, their controls, and what controls are mapped to."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from record.controls import mappings
from record.controls.mappings import Requirement
from record.database import Connection
from record.ids import Digest, EntryIndex, FrameworkId
from record.moment import Moment


@dataclass(frozen=True, slots=True)
class Framework:
    """A version of a framework; `created_at` is when the first one was recorded. `catalog` says where it was imported from."""

    framework_id: FrameworkId
    name: str
    version: int
    title: str
    description: str
    comment: str
    control_count: int
    digest: Digest | None
    catalog: dict[str, str] | None
    recorded_by: str
    entry_index: EntryIndex
    created_at: datetime
    changed_at: datetime


_COLUMNS = """f.framework_id, f.name, f.version, f.title, f.description, f.comment, f.control_count, f.digest, f.catalog,
       f.recorded_by, f.entry_index, first.at AS created_at, f.at AS changed_at"""
_SELECT = f"""
SELECT {_COLUMNS}
FROM record.frameworks first
CROSS JOIN LATERAL (
    SELECT * FROM record.frameworks v
    WHERE v.org_id = $1 AND v.framework_id = first.framework_id AND v.entry_index < $2 ORDER BY v.entry_index DESC LIMIT 1
) f
WHERE first.org_id = $1 AND first.version = 1 AND first.entry_index < $2"""


def _framework(row: Any) -> Framework:
    values = dict(row)
    values["catalog"] = None if values["catalog"] is None else json.loads(values["catalog"])
    return Framework(**values)


async def by_name(connection: Connection, moment: Moment, name: str) -> Framework | None:
    """The newest version of the framework of this name."""
    row = await connection.fetchrow(f"{_SELECT} AND first.name = $3", moment.org_id, moment.size, name)
    return None if row is None else _framework(row)


async def by_ids(connection: Connection, moment: Moment, ids: Sequence[FrameworkId]) -> list[Framework | None]:
    """The newest versions of frameworks, in the order asked; None for what is not there."""
    rows = await connection.fetch(
        f"{_SELECT} AND first.framework_id = ANY($3::uuid[])", moment.org_id, moment.size, ids
    )
    found = {row["framework_id"]: _framework(row) for row in rows}
    return [found.get(framework_id) for framework_id in ids]


async def page(
    connection: Connection, moment: Moment, *, limit: int, after: str = "", before: str | None = None
) -> list[Framework]:
    """Frameworks by name; with `before`, the last ones before it, still in ascending order."""
    rows = await connection.fetch(
        f"{_SELECT} AND first.name > $3 AND first.name < $4 ORDER BY first.name {'ASC' if before is None else 'DESC'} LIMIT $5",
        moment.org_id,
        moment.size,
        after,
        "\U0010ffff" if before is None else before,
        limit,
    )
    found = [_framework(row) for row in rows]
    return found if before is None else found[::-1]


_VERSIONS = f"""
SELECT {_COLUMNS} FROM record.frameworks f
JOIN record.frameworks first ON first.org_id = $1 AND first.framework_id = f.framework_id AND first.version = 1
WHERE f.org_id = $1 AND f.framework_id = $3 AND f.entry_index < $2 ORDER BY f.version DESC LIMIT $4"""


async def versions(connection: Connection, moment: Moment, framework_id: FrameworkId, *, limit: int) -> list[Framework]:
    """The versions of a framework, the newest first."""
    rows = await connection.fetch(_VERSIONS, moment.org_id, moment.size, framework_id, limit)
    return [_framework(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Mapping:
    """What meets a control: all of `requirements`, in these environments (None: in all)."""

    control: str
    version: int
    requirements: tuple[Requirement, ...]
    environments: tuple[str, ...] | None
    comment: str
    recorded_by: str
    entry_index: EntryIndex
    at: datetime


@dataclass(frozen=True, slots=True)
class Control:
    """A control in a version of a framework, and its mapping (None: it is mapped to nothing)."""

    framework_id: FrameworkId
    framework: str
    framework_version: int
    control: str
    position: int
    label: str
    title: str
    section: str
    statement: str
    withdrawn: bool
    entry_index: EntryIndex
    mapping: Mapping | None


_MAPPING_NAMES = ("version", "requirements", "environments", "comment", "recorded_by", "entry_index", "at")
_CONTROLS = f"""
SELECT c.framework_id, c.version AS framework_version, c.control, c.position, c.label, c.title, c.section, c.statement,
       c.withdrawn, c.entry_index, {", ".join(f"m.{name} AS m_{name}" for name in _MAPPING_NAMES)}
FROM record.controls c
LEFT JOIN LATERAL (
    SELECT * FROM record.control_mappings m
    WHERE m.org_id = $1 AND m.framework_id = c.framework_id AND m.control = c.control AND m.entry_index < $2
    ORDER BY m.entry_index DESC LIMIT 1
) m ON true
WHERE c.org_id = $1 AND c.entry_index < $2 AND c.framework_id = $3 AND c.version = $4"""
_MAPPED = "jsonb_array_length(m.requirements) > 0"


def _mapping(control: str, values: dict[str, Any]) -> Mapping | None:
    of = {name: values.pop(f"m_{name}") for name in _MAPPING_NAMES}
    if of["version"] is None:
        return None
    requirements = tuple(mappings.from_json(each) for each in json.loads(of.pop("requirements")))
    environments = of.pop("environments")
    if not requirements:
        return None
    return Mapping(
        control=control,
        requirements=requirements,
        environments=None if environments is None else tuple(json.loads(environments)),
        **of,
    )


def _control(framework: Framework, row: Any) -> Control:
    values = dict(row)
    mapping = _mapping(values["control"], values)
    return Control(framework=framework.name, mapping=mapping, **values)


async def controls(
    connection: Connection,
    moment: Moment,
    framework: Framework,
    *,
    limit: int,
    after: int = -1,
    before: int | None = None,
    mapped: bool = False,
) -> list[Control]:
    """Controls of a version of a framework in its order, after a position; with `before`, the last ones before that.

    `mapped`: only those that are mapped to something. One statement.
    """
    rows = await connection.fetch(
        f"{_CONTROLS} AND c.position > $5 AND c.position < $6{f' AND {_MAPPED}' if mapped else ''} "
        f"ORDER BY c.position {'ASC' if before is None else 'DESC'} LIMIT $7",
        moment.org_id,
        moment.size,
        framework.framework_id,
        framework.version,
        after,
        2**31 - 1 if before is None else before,
        limit,
    )
    found = [_control(framework, row) for row in rows]
    return found if before is None else found[::-1]


async def control(connection: Connection, moment: Moment, framework: Framework, name: str) -> Control | None:
    """The control of this id."""
    row = await connection.fetchrow(
        f"{_CONTROLS} AND c.control = $5", moment.org_id, moment.size, framework.framework_id, framework.version, name
    )
    return None if row is None else _control(framework, row)


_MAPPING_VERSIONS = """
SELECT m.version, m.requirements, m.environments, m.comment, m.recorded_by, m.entry_index, m.at
FROM record.control_mappings m
WHERE m.org_id = $1 AND m.entry_index < $2 AND m.framework_id = $3 AND m.control = $4 ORDER BY m.version DESC LIMIT $5"""


async def mapping_versions(
    connection: Connection, moment: Moment, framework_id: FrameworkId, control: str, *, limit: int
) -> list[Mapping]:
    """What a control was mapped to, the newest first; one without requirements took the mapping back."""
    rows = await connection.fetch(_MAPPING_VERSIONS, moment.org_id, moment.size, framework_id, control, limit)
    return [
        Mapping(
            control=control,
            version=row["version"],
            requirements=tuple(mappings.from_json(each) for each in json.loads(row["requirements"])),
            environments=None if row["environments"] is None else tuple(json.loads(row["environments"])),
            comment=row["comment"],
            recorded_by=row["recorded_by"],
            entry_index=row["entry_index"],
            at=row["at"],
        )
        for row in rows
    ]


async def flows_known(connection: Connection, moment: Moment, names: Sequence[str]) -> frozenset[str]:
    """Those of these names that are of flows."""
    rows = await connection.fetch(
        "SELECT name FROM record.flows WHERE org_id = $1 AND entry_index < $2 AND version = 1 AND name = ANY($3::text[])",
        moment.org_id,
        moment.size,
        names,
    )
    return frozenset(row["name"] for row in rows)
