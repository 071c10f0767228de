"""What a reading is: a pure function from an entry to the rows that make it easy to ask about.

Because every row comes from its entry alone, replaying the ledger through the same functions must give the same rows; the
scrubber does just that and names each row that somebody edited.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import SQLModel

from record.ledger.entries import Entry


@dataclass(frozen=True, slots=True)
class Row:
    """A row to be: its table and its columns by name, without `org_id` and `entry_index`, which the ledger adds."""

    table: type[SQLModel]
    values: dict[str, Any]


Reading = Callable[[Entry], Sequence[Row]]
