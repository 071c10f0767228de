"""Which functions AWS Lambda would run: its list of functions in, members out.

A function from a ZIP file is known by the SHA-256 of that file, one from an image by the image's digest. Lambda tells both,
so nothing is downloaded.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import Any

from muniment.snapshots import amazon
from muniment.snapshots.choice import Choice
from muniment.snapshots.members import Member, Report, instant, unreadable

_HEXADECIMAL = re.compile(r"[0-9a-f]{64}")


def report_of_functions(functions: Iterable[Mapping[str, Any]], chosen: Choice) -> Report:
    """Every function chosen by its name."""
    members = [_read(each) for each in functions if chosen.takes(amazon.text(each, "FunctionName"))]
    return Report(members, chosen.remarks())


def report_of_lambda(asked: Any, chosen: Choice) -> Report:
    """Everything that this account runs in this region. Raises SnapshotError."""
    with amazon.sentences():
        return report_of_functions(list(amazon.pages(asked, "list_functions", "Functions")), chosen)


def _read(function: Mapping[str, Any]) -> Member:
    name = amazon.text(function, "FunctionName")
    facts = {
        "function": name,
        "version": amazon.text(function, "Version"),
        "packageType": amazon.text(function, "PackageType"),
    }
    fingerprint = _fingerprint(amazon.text(function, "CodeSha256"))
    if fingerprint is None:
        return unreadable(name, "Lambda names no digest of its code.", **facts)
    return Member(name, fingerprint, instant(function.get("LastModified")), 1, facts)


def _fingerprint(said: str) -> str | None:
    """Base64 for a ZIP file, hexadecimal for an image."""
    if _HEXADECIMAL.fullmatch(said):
        return said
    try:
        digest = base64.b64decode(said, validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest.hex() if len(digest) == 32 else None
