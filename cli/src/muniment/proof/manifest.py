"""An archive's table of contents: `manifest.json` in, its parts out, each with the shape that it must have.

Nobody signs the manifest, and nobody has to: it only says which proof belongs to what, and every such claim is checked.
So that no byte of it can change unnoticed, it must be canonical JSON with exactly these members and no others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from muniment.proof.canonical import CanonicalError, encode, parse
from muniment.proof.merkle import HASH_BYTES
from muniment.proof.notes import NoteError, decode_base64

MANIFEST_VERSION = 1
_HEX = re.compile(r"[0-9a-f]{64}")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?Z")


class ManifestError(ValueError):
    """The manifest does not have the form that a manifest has."""


@dataclass(frozen=True)
class ListedFile:
    """A member that must be there, with exactly these bytes."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class ListedEvidence:
    """A file of evidence, and the index of the entry that names its digest."""

    path: str
    sha256: str
    size: int
    entry: int


@dataclass(frozen=True)
class Manifest:
    """What the archive says that it holds. `entries` is None when it holds the whole ledger."""

    organization: str
    organization_id: str
    origin: str
    size: int
    root: bytes
    question: dict[str, Any]
    entries: tuple[tuple[int, str], ...] | None
    files: tuple[ListedFile, ...]
    evidence: tuple[ListedEvidence, ...]


def parse_manifest(data: bytes) -> Manifest:
    """The manifest that the file spells."""
    try:
        value = parse(data)
        canonical = encode(value)
    except CanonicalError as refusal:
        raise ManifestError(str(refusal)) from None
    if canonical != data:
        raise ManifestError("It is not canonical JSON: something was added or written differently.")
    _require_members(value, ("entries", "evidence", "files", "ledger", "organization", "question", "v"), "The manifest")
    _require(value["v"] == MANIFEST_VERSION, f"Its version is {value['v']!r}; this verifier knows {MANIFEST_VERSION}.")
    ledger = value["ledger"]
    _require_members(ledger, ("organization_id", "origin", "root", "size"), "Its ledger")
    _require_text(value["organization"], "Its organization")
    _require_text(ledger["origin"], "Its ledger's origin")
    _require_match(ledger["organization_id"], _UUID, "Its ledger's organization id")
    _require_count(ledger["size"], "Its ledger's size")
    return Manifest(
        organization=value["organization"],
        organization_id=ledger["organization_id"],
        origin=ledger["origin"],
        size=ledger["size"],
        root=_root(ledger["root"]),
        question=_question(value["question"], ledger["size"]),
        entries=_entries(value["entries"], ledger["size"], value["question"]["size"]),
        files=tuple(_file(item) for item in _require_list(value["files"], "Its files")),
        evidence=tuple(_evidence(item) for item in _require_list(value["evidence"], "Its evidence")),
    )


def _root(value: Any) -> bytes:
    _require_text(value, "Its ledger's root")
    try:
        root = decode_base64(value, "Its ledger's root")
    except NoteError as refusal:
        raise ManifestError(str(refusal)) from None
    _require(len(root) == HASH_BYTES, f"Its ledger's root has not {HASH_BYTES} bytes.")
    return root


def _question(value: Any, size: int) -> dict[str, Any]:
    _require(isinstance(value, dict), "Its question is not an object.")
    _require_text(value.get("kind"), "Its question's kind")
    _require_match(value.get("instant"), _INSTANT, "Its question's instant")
    _require_count(value.get("size"), "Its question's size")
    _require(value["size"] <= size, "Its question is about a later ledger than its checkpoint.")
    return dict(value)


def _entries(value: Any, size: int, question_size: int) -> tuple[tuple[int, str], ...] | None:
    if isinstance(value, dict):
        _require_members(value, ("from", "to"), "Its range of entries")
        whole = type(value["from"]) is int and type(value["to"]) is int and (value["from"], value["to"]) == (0, size)
        _require(whole, "Its range of entries is not the whole ledger.")
        return None
    listed = []
    before = -1
    for item in _require_list(value, "Its entries"):
        _require(isinstance(item, list) and len(item) == 2, "One of its entries is not an index with a leaf hash.")
        index, leaf = item
        _require_count(index, "An entry's index")
        _require_match(leaf, _HEX, f"The leaf hash of entry {index}")
        _require(before < index < question_size, f"Entry {index} is out of order, or later than the question.")
        listed.append((index, leaf))
        before = index
    return tuple(listed)


def _file(item: Any) -> ListedFile:
    _require_members(item, ("path", "sha256", "size"), "One of its files")
    _require_text(item["path"], "A file's path")
    _require_match(item["sha256"], _HEX, f"The digest of {item['path']}")
    _require_count(item["size"], f"The size of {item['path']}")
    return ListedFile(item["path"], item["size"], item["sha256"])


def _evidence(item: Any) -> ListedEvidence:
    _require_members(item, ("entry", "path", "sha256", "size"), "One piece of its evidence")
    _require_count(item["entry"], "The entry of a piece of evidence")
    file = _file({name: item[name] for name in ("path", "sha256", "size")})
    return ListedEvidence(file.path, file.sha256, file.size, item["entry"])


def _require(holds: bool, fact: str) -> None:
    if not holds:
        raise ManifestError(fact)


def _require_members(value: Any, names: tuple[str, ...], what: str) -> None:
    _require(isinstance(value, dict) and sorted(value) == list(names), f"{what} must have exactly {', '.join(names)}.")


def _require_list(value: Any, what: str) -> list[Any]:
    _require(isinstance(value, list), f"{what} must be a list.")
    return list(value)


def _require_text(value: Any, what: str) -> None:
    _require(isinstance(value, str) and value != "", f"{what} must be a text.")


def _require_match(value: Any, pattern: re.Pattern[str], what: str) -> None:
    _require(isinstance(value, str) and pattern.fullmatch(value) is not None, f"{what} is malformed.")


def _require_count(value: Any, what: str) -> None:
    _require(type(value) is int and value >= 0, f"{what} must be a whole number from 0.")
