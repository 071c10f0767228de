"""Relay's global ids: opaque to clients, `Type:key` inside."""

import base64
import binascii
from typing import Final, Protocol
from uuid import UUID

import strawberry

from record.moment import Moment
from record.refusals import InvalidInput

_ABOUT_ID: Final = "Opaque and stable: ask for this very thing again with `node(id:)`."


@strawberry.interface(description="Anything that can be asked for again by its id.")
class Node:
    id: strawberry.ID = strawberry.field(description=_ABOUT_ID)


class AtMoment(Protocol):
    """Whatever is shown as of a moment: what resolvers that stand outside of its type need to know of it."""

    moment: Moment


class NamedAtMoment(AtMoment, Protocol):
    """The same, with a name."""

    name: str


def global_id(kind: str, key: object) -> strawberry.ID:
    """The id of a thing of this GraphQL type."""
    return strawberry.ID(base64.urlsafe_b64encode(f"{kind}:{key}".encode()).decode().rstrip("="))


def split_id(node_id: str) -> tuple[str, str]:
    """Type and key of an id that `global_id` made; refuses anything else."""
    try:
        padded = node_id.encode("ascii") + b"=" * (-len(node_id) % 4)
        kind, colon, key = base64.b64decode(padded, altchars=b"-_", validate=True).decode().partition(":")
    except (UnicodeError, binascii.Error):
        kind, colon, key = "", "", ""
    if not colon or not key.isprintable():
        raise InvalidInput(
            f"{node_id[:80]!r} is no id of this server. Use one that an answer gave you, unchanged.", field="id"
        )
    return kind, key


def uuid_in(node_id: str, kind: str, *, field: str) -> UUID:
    """The UUID in an id of this type; refuses ids of other types."""
    found, key = split_id(node_id)
    try:
        if found == kind:
            return UUID(key)
    except ValueError:
        pass
    raise InvalidInput(
        f"{node_id[:80]!r} is not the id of a {kind}. Use one that an answer gave you, unchanged.", field=field
    )
