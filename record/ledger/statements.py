"""The SQL of an append: one statement that takes the head, inserts entries and every row, and commits.

One statement is one round trip and one transaction. Its UPDATE takes the head row's lock, so entries get gapless indexes in commit
order; the inserts take the base index from what it returns. When the head does not fit (`at` would run backwards, or access
changed since the caller was recognised) the UPDATE matches nothing and so nothing at all is inserted.

Statements differ only by which tables the batch has rows for, and by whether it is a batch at all; the text is cached by that, and
the driver prepares it once.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import orjson
from sqlalchemy.dialects import postgresql
from sqlmodel import SQLModel

from record.ledger.readings import Row

_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]
_HEAD: Final = """
WITH head AS (
    UPDATE ops.ledgers
    SET size = size + $2, at = $3, access_index = CASE WHEN $4 THEN size + $2 ELSE access_index END
    WHERE org_id = $1 AND at <= $3 AND ($5::bigint IS NULL OR access_index = $5)
    RETURNING size - $2 AS base
), entries AS (
    INSERT INTO record.entries (org_id, entry_index, id, kind, at, leaf_hash, content)
    """
_ENTRIES: Final = """SELECT $1, head.base + e.place - 1, e.id, e.kind, $3, e.leaf_hash, e.content
    FROM head, unnest($6::uuid[], $7::text[], $8::bytea[], $9::bytea[])
         WITH ORDINALITY AS e (id, kind, leaf_hash, content, place)
)"""
_ENTRY: Final = """SELECT $1, head.base, $6::uuid, $7::text, $3, $8::bytea, $9::bytea FROM head
)"""
_FIRST_FREE: Final = 10


def sql_type(column: Any) -> str:
    """The PostgreSQL type of a table's column, for the array that carries it."""
    name: str = column.type.compile(dialect=_DIALECT)
    return "text" if name == "VARCHAR" else name.lower()


@cache
def columns_of(table: type[SQLModel]) -> tuple[tuple[str, str], ...]:
    """Name and SQL type of each column that a reading gives: all but `org_id` and `entry_index`."""
    return tuple(
        (column.name, sql_type(column))
        for column in table.__table__.columns  # type: ignore[attr-defined]
        if column.name not in ("org_id", "entry_index")
    )


@cache
def append_statement(tables: tuple[type[SQLModel], ...]) -> str:
    """The append statement for a batch whose rows go to `tables`, in that order: entries and columns come as arrays."""
    text = [_HEAD, _ENTRIES]
    free = _FIRST_FREE
    for number, table in enumerate(tables):
        columns = columns_of(table)
        arrays = [f"${free}::bigint[]"]
        taken = []
        for offset, (name, kind) in enumerate(columns, start=1):
            arrays.append(f"${free + offset}::{'text' if kind == 'jsonb' else kind}[]")
            taken.append(f"r.{name}::jsonb" if kind == "jsonb" else f"r.{name}")
        names = [name for name, _ in columns]
        text.append(
            f"{_into(number, table)}    SELECT $1, head.base + r.place, {', '.join(taken)}\n"
            f"    FROM head, unnest({', '.join(arrays)}) AS r (place, {', '.join(names)})\n)"
        )
        free += 1 + len(columns)
    text.append("\nSELECT base FROM head")
    return "".join(text)


@cache
def single_append_statement(tables: tuple[type[SQLModel], ...]) -> str:
    """The same for one entry with one row in each of `tables`. Without arrays it costs driver and server a third less."""
    text = [_HEAD, _ENTRY]
    free = _FIRST_FREE
    for number, table in enumerate(tables):
        columns = columns_of(table)
        taken = [f"${free + place}::{kind}" for place, (_, kind) in enumerate(columns)]
        text.append(f"{_into(number, table)}    SELECT $1, head.base, {', '.join(taken)} FROM head\n)")
        free += len(columns)
    text.append("\nSELECT base FROM head")
    return "".join(text)


def _into(number: int, table: type[SQLModel]) -> str:
    names = ", ".join(name for name, _ in columns_of(table))
    return f", rows_{number} AS (\n    INSERT INTO record.{table.__tablename__} (org_id, entry_index, {names})\n"


def appended(placed: Sequence[tuple[int, Row]], entry_columns: Sequence[list[Any]]) -> tuple[str, list[Any]]:
    """The statement that appends these entries and rows, and its arguments from the sixth on.

    `placed` gives each row's place in the batch; `entry_columns` the entries' ids, kinds, hashes and bytes.
    """
    by_table: dict[type[SQLModel], list[tuple[int, Row]]] = {}
    for place, row in placed:
        by_table.setdefault(row.table, []).append((place, row))
    tables = tuple(sorted(by_table, key=lambda table: str(table.__tablename__)))
    if len(entry_columns[0]) == 1 and len(tables) == len(placed):
        values = [column[0] for column in entry_columns]
        for table in tables:
            row_values = by_table[table][0][1].values
            values += [_sent(row_values.get(name), kind) for name, kind in columns_of(table)]
        return single_append_statement(tables), values
    arrays: list[Any] = list(entry_columns)
    for table in tables:
        rows = by_table[table]
        arrays.append([place for place, _ in rows])
        arrays += [[_sent(row.values.get(name), kind) for _, row in rows] for name, kind in columns_of(table)]
    return append_statement(tables), arrays


def _sent(value: Any, kind: str) -> Any:
    if kind != "jsonb" or value is None:
        return value
    return "{}" if value == {} else orjson.dumps(value).decode()
