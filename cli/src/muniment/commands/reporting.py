"""Where a report comes from and where it belongs: the commit, the trail, and what else all reports have in common."""

from __future__ import annotations

from muniment.command import Option
from muniment.commands import shared
from muniment.commands.files import object_of
from muniment.exits import BadUsage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from muniment.context import Context

COMMIT_INFO = Option(
    "--git-commit-info",
    help="git revision whose author and message are recorded; default: the commit",
    value="REVISION",
)
ORIGIN = (shared.COMMIT, COMMIT_INFO, shared.REPO_ROOT, shared.BRANCH, shared.COMMIT_URL, shared.REDACT)
ALONGSIDE = (
    shared.DESCRIPTION,
    shared.ORIGIN_URL,
    shared.EXTERNAL_URL,
    shared.EXTERNAL_FINGERPRINT,
    shared.ANNOTATE,
    shared.USER_DATA,
)

_REDACTABLE = ("author", "message", "branch")


def commit_of(context: Context) -> dict[str, Any] | None:
    """The commit as a `CommitInput`: what was given or the CI system tells, else HEAD; with what git knows of it."""
    from muniment import git

    folder = context.text(shared.REPO_ROOT) or "."
    given = context.text(shared.COMMIT)
    wanted = given or "HEAD"
    facts = git.commit_facts(context.text(COMMIT_INFO) or wanted, folder) if _may_ask_git(context) else None
    if facts is not None and given is not None and not _is_same(facts["sha"], given):
        # The facts are of another revision. Those of a branch or tag name are the commit itself.
        if _is_hexadecimal(given):
            facts = {"sha": given}
        elif given not in ("HEAD", context.text(COMMIT_INFO)):
            facts = git.commit_facts(given, folder)
    if facts is None:
        if given is None:
            return None
        if not _is_hexadecimal(given):
            raise BadUsage(f"{given!r} is no commit, and git does not know it here. Give the commit's hash.")
        facts = {"sha": given.lower()}
    return _described(context, facts)


def _described(context: Context, facts: dict[str, Any]) -> dict[str, Any]:
    branch, url = context.text(shared.BRANCH), context.text(shared.COMMIT_URL)
    if branch:
        facts["branch"] = branch
    if url:
        facts["url"] = url
    for name in context.texts(shared.REDACT):
        if name not in _REDACTABLE:
            raise BadUsage(f"{name!r} cannot be left out of the commit's facts. Name {', '.join(_REDACTABLE)}.")
        facts.pop(name, None)
    return facts


def _may_ask_git(context: Context) -> bool:
    import os

    folder = context.text(shared.REPO_ROOT) or "."
    # Starting git costs more than all the rest of a dry run; without a repository above it would be for nothing.
    place = os.path.abspath(folder)
    while not os.path.exists(os.path.join(place, ".git")):
        above = os.path.dirname(place)
        if above == place:
            return False
        place = above
    return True


def _is_same(sha: str, given: str) -> bool:
    return sha.startswith(given.lower())


def _is_hexadecimal(text: str) -> bool:
    return 7 <= len(text) <= 64 and all(digit in "0123456789abcdef" for digit in text.lower())


class Place:
    """The trail that a report belongs to, and the commit it is about."""

    __slots__ = ("commit", "flow", "trail")

    def __init__(self, flow: str, trail: str, commit: dict[str, Any] | None) -> None:
        self.flow = flow
        self.trail = trail
        self.commit = commit

    @property
    def sha(self) -> str | None:
        """The commit's hash alone."""
        return None if self.commit is None else str(self.commit["sha"])


def place_of(context: Context) -> Place:
    """The trail that is meant: the one that was named, else the commit's."""
    flow = context.required(shared.FLOW)
    commit = commit_of(context)
    trail = context.text(shared.TRAIL)
    if trail is None:
        if commit is None:
            raise BadUsage("Which trail is meant? Give --trail or --commit, or run this in a git repository.")
        trail = str(commit["sha"])
    return Place(flow, trail, commit)


def beginning_of(context: Context, place: Place) -> dict[str, Any]:
    """The input by which to begin this trail if nobody did."""
    given = {
        "flow": place.flow,
        "name": place.trail,
        "commit": place.commit,
        "originUrl": context.text(shared.ORIGIN_URL),
    }
    return {name: value for name, value in given.items() if value is not None}


def alongside(context: Context) -> dict[str, Any]:
    """What can go with any report: description, where it comes from, links, annotations, user data."""
    return {
        "description": context.text(shared.DESCRIPTION),
        "originUrl": _origin(context),
        "externalUrls": links_of(context) or None,
        "annotations": context.pairs(shared.ANNOTATE) or None,
        "userData": object_of(context, shared.USER_DATA),
    }


def _origin(context: Context) -> str | None:
    """Where a report comes from: the origin that was given, else the build."""
    if shared.BUILD_URL in context.command.options and not context.settings.is_given(shared.ORIGIN_URL):
        return context.text(shared.BUILD_URL) or context.text(shared.ORIGIN_URL)
    return context.text(shared.ORIGIN_URL)


def links_of(context: Context) -> list[dict[str, str]]:
    """External URLs with their fingerprints."""
    urls, fingerprints = context.pairs(shared.EXTERNAL_URL), context.pairs(shared.EXTERNAL_FINGERPRINT)
    for label in fingerprints:
        if label not in urls:
            raise BadUsage(f"--external-fingerprint {label} has no --external-url of the same label. Give both.")
    return [
        {"label": label, "url": url, **({"fingerprint": fingerprints[label]} if label in fingerprints else {})}
        for label, url in urls.items()
    ]
