"""The name of an image, taken apart: which registry, which repository there, which tag or digest.

The rules are Docker's: a name without a registry is on Docker Hub, one without a repository's owner there is `library`'s, one
without a tag means `latest`. A first part is a registry if it has a dot or a colon, or is `localhost`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

HUB = "docker.io"
_HUB_NAMES = ("docker.io", "index.docker.io", "registry-1.docker.io")
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_PART = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_REGISTRY = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


class NotAnImage(ValueError):  # noqa: N818 (says what it is)
    """This is no name of an image. The text says why."""


class Reference(NamedTuple):
    """An image's name. `digest` has no `sha256:` in front; without one, `tag` says which image."""

    registry: str
    repository: str
    tag: str
    digest: str | None

    @property
    def name(self) -> str:
        """Registry and repository, without tag and digest."""
        return f"{self.registry}/{self.repository}"


def parse_reference(text: str) -> Reference:
    """An image's name, taken apart."""
    name, at, digest_text = text.partition("@")
    digest = _DIGEST.fullmatch(digest_text)
    if at and digest is None:
        raise NotAnImage(f"{text!r} has no SHA-256 behind its @. Give 64 hexadecimal digits: name@sha256:…")
    path, tag = name, "latest"
    before, colon, after = name.rpartition(":")
    if colon and "/" not in after:
        path, tag = before, after
    first, slash, rest = path.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, repository = first, rest
    else:
        registry, repository = HUB, path
    if registry in _HUB_NAMES:
        registry = HUB
        repository = repository if "/" in repository else f"library/{repository}"
    parts_fit = all(_PART.fullmatch(part) for part in repository.split("/"))
    if not (parts_fit and _TAG.fullmatch(tag) and _REGISTRY.fullmatch(registry)):
        raise NotAnImage(f"{text!r} is no name of an image. Write it such as registry.example/team/app:1.2.")
    return Reference(registry, repository, tag, digest[1] if digest else None)


def digest_in(text: str) -> str | None:
    """The digest that a name, an image id or a runtime's `imageID` ends with; null when it has none."""
    found = re.search(r"sha256:([0-9a-f]{64})$", text)
    return found[1] if found else None
