"""When two names may belong to one person."""

import pytest

from record.people import identities, may_be_one


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("ada", "ada", True),
        ("Ada", " ada ", True),
        ("ada", "Ada Lovelace <ada@acme.com>", True),
        ("ada@acme.com", "Ada Lovelace <ADA@acme.com>", True),
        ("ada@acme.com", "ada", True),
        ("Ada Lovelace <ada@acme.com>", "ada lovelace", True),
        ("ada", "adam", False),
        ("Ada Lovelace <ada@acme.com>", "Bob <bob@acme.com>", False),
        ("", "", False),
        ("  ", "ada", False),
    ],
)
def test_names_may_belong_to_one_person(one: str, other: str, same: bool) -> None:
    assert may_be_one(one, other) is may_be_one(other, one) is same


def test_nobody_has_no_name() -> None:
    assert identities(" ") == frozenset()
