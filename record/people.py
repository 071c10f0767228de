"""What a person may be called, so that one who has two names is still recognised as one.

Separation of duties compares people, and the record knows them from several sources: principals by their names, authors of
commits as git writes them, whoever approved something elsewhere as somebody reported it. Two names that may be one person's
are taken to be: to mistake two people for one asks for one more reviewer, to mistake one for two lets somebody approve their
own work.
"""


def identities(person: str) -> frozenset[str]:
    """Everything that a person may be called: `Ada Lovelace <ada@acme.com>` is also her address, and `ada`. Empty for no name."""
    whole = person.strip().casefold()
    name, _, address = whole.partition("<")
    address = address.rstrip("> ")
    called = {whole, name.strip(), address, address.partition("@")[0], name.strip().partition("@")[0]}
    return frozenset(called - {""})


def may_be_one(one: str, other: str) -> bool:
    """Whether these two names may belong to one person."""
    return not identities(one).isdisjoint(identities(other))
