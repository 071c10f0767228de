"""What files are called inside an archive: names of any kind in, names that every system can unpack out.

Names of evidence are whatever a reporter chose; an archive is unpacked on Windows, on a Mac, from a USB stick. So no name in
it has a reserved character or device name, ends with a dot or a space, is longer than file systems take, or differs from its
neighbour only in case. The same record always gives the same paths: they depend on nothing but names and entry indexes.

A name that had to be changed, or that could meet another one, is told apart by `@` and the index of its entry: `@` occurs in
no name of flows, trails and attestations, so nobody can choose a name that looks like another's.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

FLOW_MAX: Final = 40
TRAIL_MAX: Final = 64
ATTESTATION_MAX: Final = 48
FILE_MAX: Final = 72
"""Characters; together with the folders a path stays below the 260 characters that Windows takes."""
_BYTES_MAX: Final = 160
_RESERVED: Final = frozenset('\\/:*?"<>|')
_DEVICE: Final = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(\..*)?", re.IGNORECASE
)
_PLAIN: Final = re.compile(r"[A-Za-z0-9_@~+=,()-]+([. ]+[A-Za-z0-9_@~+=,()-]+)*")
"""What nearly every name is made of, and no system minds."""
_INVISIBLE: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


@dataclass(frozen=True, slots=True)
class Place:
    """A folder's name before it is one: the name that people know, and the entry that tells it from its like."""

    name: str
    entry: int


def folder(place: Place, *, most: int, is_only: bool) -> str:
    """The folder for a name of ours. `is_only`: nothing beside it is called so, whatever the case."""
    plain = safe(place.name, most)
    if is_only and plain == place.name:
        return plain
    mark = f"@{place.entry}"
    return safe(place.name, most - len(mark)) + mark


def file_names(names: Iterable[str]) -> list[str]:
    """Names for the files of one attestation, in their order, no two of them alike."""
    taken: set[str] = set()
    chosen = []
    for name in names:
        candidate, number = safe(name, FILE_MAX), 1
        while _folded(candidate) in taken:
            number += 1
            candidate = _marked(name, f"@{number}", FILE_MAX)
        taken.add(_folded(candidate))
        chosen.append(candidate)
    return chosen


def href(path: str) -> str:
    """The path as a link in a page that lies at the root of the archive."""
    return quote(path, safe="/@~")


def safe(name: str, most: int) -> str:
    """`name` where it can stay, otherwise something near it. Never empty."""
    if len(name) <= most and _PLAIN.fullmatch(name) and not _DEVICE.fullmatch(name):
        return name
    text = "".join(
        "_" if character in _RESERVED or unicodedata.category(character) in _INVISIBLE else character
        for character in unicodedata.normalize("NFC", name)
    )
    text = text.strip(" ").rstrip(". ")
    if _DEVICE.fullmatch(text):
        text = f"_{text}"
    return _shortened(text, most) or "unnamed"


def _marked(name: str, mark: str, most: int) -> str:
    """The name with a mark before its extension."""
    text = safe(name, most)
    stem, dot, extension = text.rpartition(".")
    if not stem or len(extension) > 12:
        stem, dot, extension = text, "", ""
    return f"{_shortened(stem, most - len(mark) - len(dot + extension))}{mark}{dot}{extension}"


def _shortened(text: str, most: int) -> str:
    """At most so many characters, and few enough bytes; a long name keeps its extension."""
    if len(text) <= most and len(text.encode()) <= _BYTES_MAX:
        return text
    stem, dot, extension = text.rpartition(".")
    if not stem or len(extension) > 12:
        stem, dot, extension = text, "", ""
    while stem and (len(stem + dot + extension) > most or len((stem + dot + extension).encode()) > _BYTES_MAX):
        stem = stem[:-1]
    return (stem.rstrip(". ") or "_") + dot + extension


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
