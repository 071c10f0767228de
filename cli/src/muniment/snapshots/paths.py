"""What lies on a server: files and directories, each under a name, in; members with their fingerprints out.

Many are named in a file: `version: 1`, and under `artifacts` a name for each with its `path` and what to `exclude`. YAML needs
the extra `paths`; JSON, which is YAML too, needs nothing.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from muniment.fingerprints import (
    FingerprintError,
    directory_fingerprint,
    file_fingerprint,
    kosli_directory_fingerprint,
)
from muniment.snapshots.choice import Choice
from muniment.snapshots.members import Member, Report, SnapshotError, instant, unreadable


@dataclass(frozen=True)
class Place:
    """A file or directory that is an artifact, under a name, without what the patterns exclude."""

    name: str
    path: Path
    exclude: Sequence[str] = ()


def report_of_places(places: Iterable[Place], chosen: Choice, *, directory_hash: str = "dirHash1") -> Report:
    """Everything that lies at these places. One that cannot be read is named."""
    host = socket.gethostname()
    links = 0
    members: list[Member] = []
    for place in places:
        if chosen.takes(place.name):
            member, left_out = _read(place, host, directory_hash)
            members.append(member)
            links += left_out
    remarks = chosen.remarks()
    if links:
        remarks.append(f"{links} symbolic links are not part of the fingerprints.")
    return Report(members, remarks)


def _read(place: Place, host: str, directory_hash: str) -> tuple[Member, int]:
    facts = {"path": str(place.path.absolute()), "host": host}
    links = 0
    try:
        if not place.path.is_dir():
            fingerprint = file_fingerprint(place.path)
        elif directory_hash == "kosli":
            fingerprint = kosli_directory_fingerprint(place.path, place.exclude)
        else:
            fingerprint, links = directory_fingerprint(place.path, place.exclude)
        changed = datetime.fromtimestamp(place.path.stat().st_mtime, timezone.utc)
    except OSError as error:
        return unreadable(place.name, f"{place.path} cannot be read ({error.strerror}).", **facts), 0
    except FingerprintError as error:
        return unreadable(place.name, str(error), **facts), 0
    return Member(place.name, fingerprint, instant(changed), 1, facts), links


def places_in(file: Path) -> list[Place]:
    """The places that a file names. Paths are relative to where the command runs. Raises SnapshotError."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SnapshotError(f"{file} cannot be read ({error}). Name a file in YAML or JSON.") from None
    try:
        said = _parsed(text)
    except ValueError as error:
        raise SnapshotError(f"{file} is neither YAML nor JSON: {error}") from None
    if not isinstance(said, dict) or said.get("version") != 1:
        raise SnapshotError(f"{file} does not say `version: 1`. Add it: this is the only version there is.")
    artifacts = said.get("artifacts")
    if not isinstance(artifacts, dict):
        raise SnapshotError(f"{file} has no `artifacts`. Give each artifact's name, and under it its `path`.")
    unknown = sorted(str(key) for key in said if key not in ("version", "artifacts"))
    if unknown:
        raise SnapshotError(f"{file} says {', '.join(unknown)}, which means nothing here. Leave it out.")
    return [_place(file, str(name), said) for name, said in artifacts.items()]


def _place(file: Path, name: str, said: Any) -> Place:
    if not isinstance(said, dict) or not isinstance(said.get("path"), str) or not said["path"]:
        raise SnapshotError(f"{file}: {name} has no `path`. Give the path of a file or a directory.")
    exclude = said.get("exclude") or []
    if not isinstance(exclude, list) or not all(isinstance(each, str) for each in exclude):
        raise SnapshotError(f"{file}: `exclude` of {name} is no list of patterns. Write it as a list.")
    unknown = sorted(str(key) for key in said if key not in ("path", "exclude"))
    if unknown:
        raise SnapshotError(f"{file}: {name} says {', '.join(unknown)}, which means nothing here. Leave it out.")
    return Place(name, Path(said["path"]).expanduser(), tuple(exclude))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as of_json:
        if text.lstrip().startswith("{"):
            raise
        load = _yaml_loader(of_json)
    return load(text)


def _yaml_loader(of_json: ValueError) -> Callable[[str], Any]:
    try:
        import yaml
    except ImportError:
        raise SnapshotError(
            "Reading YAML needs another package: pip install 'muniment[paths]'. Or write the file as JSON."
        ) from of_json

    def load(text: str) -> Any:
        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(str(error).replace("\n", " ")) from None

    return load
