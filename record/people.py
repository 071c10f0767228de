"""What a person may be called, so that one who has two names is still recognised as one.

Separation of duties compares people, and the record knows them from several sources: principals by their names, authors of
commits as git writes them, whoever approved something elsewhere as somebody reported it. Two names that may be one person's
are taken to be: to mistake two people for one asks for one more reviewer, to mistake one for two lets somebody approve their
own work.
"""

import re
from typing import Final

_NUMBERED: Final = re.compile(r"^[0-9]+[+-]")
"""In front of the name in the addresses that GitHub and GitLab give out: `17+ada@users.noreply.github.com` is ada."""


def identities(person: str) -> frozenset[str]:
    """Everything that a person may be called: `Ada Lovelace <ada@acme.com>` is also her address, and `ada`. Empty for no name."""
    whole = person.strip().casefold()
    name, _, address = whole.partition("<")
    address = address.rstrip("> ")
    local = address.partition("@")[0]
    called = {whole, name.strip(), address, local, name.strip().partition("@")[0], _NUMBERED.sub("", local)}
    return frozenset(called - {""})


def may_be_one(one: str, other: str) -> bool:
    """Whether these two names may belong to one person."""
    return not identities(one).isdisjoint(identities(other))
