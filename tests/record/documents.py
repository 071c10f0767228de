"""What the parsers of documents in YAML are held against: documents that are almost right, and texts that are none."""

import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from record.refusals import InvalidInput

TEXTS = st.one_of(st.text(max_size=100), st.text("[]{}:,-?&*!|>'\"%@ \t\r\n#a1~<=\\.", max_size=60))


def sometimes(keys: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """Mostly a mapping with some of these keys, now and then with a stranger among them, or no mapping at all."""
    good = st.fixed_dictionaries({}, optional=keys)
    return st.one_of(
        good, good, good, good, good.map(lambda value: value | {"stranger": 1}), st.sampled_from([None, [], "a", 1])
    )


def accepts(read: Callable[[str], object], document: Any) -> bool:
    """Whether a parser takes this document, written as JSON."""
    try:
        read(json.dumps(document, ensure_ascii=False))
    except InvalidInput:
        return False
    return True
