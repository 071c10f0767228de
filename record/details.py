"""The details that several nouns share: texts, tags, commits, links and whatever users attach; and what they may hold."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from muniment.proof import canonical
from record.clock import to_rfc3339
from record.ids import COMMIT, SHA256_HEX, checked_name
from record.refusals import InvalidInput, TooLarge

TEXT_MAX: Final = 4_000
URL_MAX: Final = 2_048
PERSON_MAX: Final = 512
LINKS_MAX: Final = 50
TAG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}")
TAG_VALUE_MAX: Final = 256
TAGS_MAX: Final = 64
USER_DATA_BYTES_MAX: Final = 16_384
AHEAD_MAX: Final = timedelta(minutes=5)
"""How far a reporter's clock may be ahead of ours."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What is known of a git commit. Only `sha` is needed."""

    sha: str
    message: str | None = None
    author: str | None = None
    branch: str | None = None
    url: str | None = None
    committed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """Evidence that stays with its owner: where it is, and the SHA-256 that it had."""

    label: str
    url: str
    fingerprint: str | None = None


def checked_text(value: str, *, field: str, most: int = TEXT_MAX) -> str:
    """`value` if it is not too long."""
    if len(value) > most:
        raise InvalidInput(f"This {field} has {len(value)} characters. Use at most {most}.", field=field)
    return value


def checked_tags(tags: dict[str, str]) -> dict[str, str]:
    """Tags of a flow or an environment, if they are not too many and their names and values fit."""
    if len(tags) > TAGS_MAX:
        raise InvalidInput(f"{len(tags)} tags are too many. Use at most {TAGS_MAX}.", field="tags")
    for key, value in tags.items():
        checked_name(key, TAG, field="tag")
        if len(value) > TAG_VALUE_MAX:
            raise InvalidInput(
                f"The value of the tag {key} is longer than {TAG_VALUE_MAX} characters. Shorten it.", field="tags"
            )
    return tags


def checked_url(value: str | None, *, field: str) -> str | None:
    """An absolute http or https URL; anything else could be a script in a reader's browser."""
    if value is None:
        return None
    try:
        parts = urlsplit(checked_text(value, field=field, most=URL_MAX))
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.netloc or " " in value or not value.isprintable():
        raise InvalidInput(
            f"{value[:80]!r} is not a web address. Give a URL that begins with https:// or http://.", field=field
        )
    return value


def checked_instant(value: datetime, *, field: str) -> datetime:
    """An instant that says its time zone; without one it would be a different instant on each server."""
    if value.tzinfo is None:
        raise InvalidInput(f"This {field} has no time zone. Write it such as 2026-03-01T00:00:00Z.", field=field)
    return value


def checked_person(name: str, *, field: str) -> str:
    """Somebody's name or address, without the space around it."""
    if not name.strip():
        raise InvalidInput("A person without a name is nobody. Give a name or an e-mail address.", field=field)
    return checked_text(name.strip(), field=field, most=PERSON_MAX)


def checked_past(value: datetime, *, now: datetime, field: str) -> datetime:
    """An instant that has come. Reporters' clocks may be ahead of ours by `AHEAD_MAX`."""
    if checked_instant(value, field=field) > now + AHEAD_MAX:
        raise InvalidInput(f"{to_rfc3339(value)} is in the future. Report it when it has happened.", field=field)
    return value


def checked_future(value: datetime, *, now: datetime, field: str) -> datetime:
    """An instant that is still to come."""
    if checked_instant(value, field=field) <= now:
        raise InvalidInput(f"{to_rfc3339(value)} is over already. Choose an instant in the future.", field=field)
    return value


def commit_details(commit: Commit | None) -> dict[str, Any]:
    """`commit` and `commit_info` for an entry's body; empty without a commit."""
    if commit is None:
        return {}
    checked_name(commit.sha, COMMIT, field="commit")
    told = {
        "message": None
        if commit.message is None
        else checked_text(commit.message, field="commit message", most=10_000),
        "author": None if commit.author is None else checked_text(commit.author, field="commit author", most=512),
        "branch": None if commit.branch is None else checked_text(commit.branch, field="branch", most=512),
        "url": checked_url(commit.url, field="commit URL"),
        "committed_at": None
        if commit.committed_at is None
        else to_rfc3339(checked_instant(commit.committed_at, field="commit instant")),
    }
    known = {key: value for key, value in told.items() if value is not None}
    return {"commit": commit.sha, **({"commit_info": known} if known else {})}


def links(external: tuple[Link, ...]) -> dict[str, dict[str, str]]:
    """External URLs by label, each with its fingerprint where one is known."""
    if len(external) > LINKS_MAX:
        raise InvalidInput(
            f"{len(external)} external URLs are too many. Use at most {LINKS_MAX}.", field="externalUrls"
        )
    written: dict[str, dict[str, str]] = {}
    for link in external:
        checked_text(link.label, field="label", most=128)
        if not link.label or link.label in written:
            raise InvalidInput(
                f"The label {link.label!r} is empty or used twice. Give each external URL a label of its own.",
                field="externalUrls",
            )
        entry = {"url": checked_url(link.url, field="external URL") or ""}
        if link.fingerprint is not None:
            entry["sha256"] = checked_name(link.fingerprint, SHA256_HEX, field="external fingerprint")
        written[link.label] = entry
    return written


def attached(value: Mapping[str, Any], *, field: str, most: int = USER_DATA_BYTES_MAX) -> dict[str, Any]:
    """User data or annotations: any JSON object that canonical JSON can say, up to `most` bytes (16 KiB)."""
    written = dict(value)
    try:
        size = len(canonical.encode(written))
    except canonical.CanonicalError as error:
        raise InvalidInput(f"The {field} cannot be recorded: {error}", field=field) from error
    if size > most:
        raise TooLarge(
            f"The {field} are {size} bytes and {most} are the most. Upload them as evidence and name the digest."
        )
    return written
