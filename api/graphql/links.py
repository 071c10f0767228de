"""Commits, external URLs, tags and attached JSON: the details that several nouns share."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import strawberry

from api.graphql.scalars import Json
from record import details
from record.clock import from_rfc3339
from record.refusals import InvalidInput


@strawberry.type(description="What is known of a git commit.")
class Commit:
    sha: str = strawberry.field(description="The commit's hash, as it was reported.")
    message: str | None = strawberry.field(description="Its message.")
    author: str | None = strawberry.field(description="Its author.")
    branch: str | None = strawberry.field(description="The branch it was on.")
    url: str | None = strawberry.field(description="Where to look at it.")
    committed_at: datetime | None = strawberry.field(description="When it was committed.")

    @classmethod
    def of(cls, sha: str | None, info: Mapping[str, Any] | None) -> "Commit | None":
        if sha is None:
            return None
        told = info or {}
        when = told.get("committed_at")
        return cls(
            sha=sha,
            message=told.get("message"),
            author=told.get("author"),
            branch=told.get("branch"),
            url=told.get("url"),
            committed_at=None if when is None else from_rfc3339(when),
        )


@strawberry.type(description="Evidence that stays with its owner: where it is, and the digest that it had.")
class ExternalUrl:
    label: str = strawberry.field(description="What it is called here.")
    url: str = strawberry.field(description="Where it is.")
    fingerprint: str | None = strawberry.field(description="SHA-256 of what was there when it was reported.")

    @classmethod
    def all(cls, written: Mapping[str, Any]) -> list["ExternalUrl"]:
        return [
            cls(label=label, url=link["url"], fingerprint=link.get("sha256")) for label, link in sorted(written.items())
        ]


@strawberry.input(description="A git commit. Only `sha` is needed.")
class CommitInput:
    sha: str = strawberry.field(description="The commit's hash: 7 to 64 hexadecimal digits.")
    message: str | None = strawberry.field(default=None, description="Its message.")
    author: str | None = strawberry.field(default=None, description="Its author.")
    branch: str | None = strawberry.field(default=None, description="The branch it was on.")
    url: str | None = strawberry.field(default=None, description="Where to look at it.")
    committed_at: datetime | None = strawberry.field(default=None, description="When it was committed.")


@strawberry.input(description="Evidence that stays with its owner.")
class ExternalUrlInput:
    label: str = strawberry.field(description="What to call it.")
    url: str = strawberry.field(description="Where it is: an http or https URL.")
    fingerprint: str | None = strawberry.field(
        default=None, description="SHA-256 of what is there, 64 hexadecimal digits."
    )


def commit_of(given: CommitInput | None) -> details.Commit | None:
    """The record's commit from the one in an input."""
    if given is None:
        return None
    return details.Commit(
        sha=given.sha,
        message=given.message,
        author=given.author,
        branch=given.branch,
        url=given.url,
        committed_at=given.committed_at,
    )


def links_of(given: list[ExternalUrlInput]) -> tuple[details.Link, ...]:
    """The record's links from those in an input."""
    return tuple(details.Link(label=link.label, url=link.url, fingerprint=link.fingerprint) for link in given)


def object_of(given: Json | None, *, field: str) -> dict[str, Any]:
    """A JSON object from an input; nothing is the empty object."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise InvalidInput(f"The {field} are not a JSON object. Give an object, such as {{}}.", field=field)
    return given


def tags_of(given: Json | None) -> dict[str, str] | None:
    """Tags from an input; None when it says nothing of them."""
    if given is None:
        return None
    tags = object_of(given, field="tags")
    if not all(isinstance(value, str) for value in tags.values()):
        raise InvalidInput('A tag\'s value is not a text. Write tags as {"team": "platform"}.', field="tags")
    return tags
