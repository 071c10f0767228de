"""What runs in a container engine: what `docker inspect` says of its containers and images in, members out."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from typing import Any

from muniment.images.daemon import Daemon, DaemonError, image_digest
from muniment.snapshots.choice import Choice
from muniment.snapshots.members import Member, Report, Unanswered, instant, of_no_registry, together, unreadable


def report_of_containers(
    containers: Iterable[Mapping[str, Any]], images: Mapping[str, Mapping[str, Any]], chosen: Choice, host: str = ""
) -> Report:
    """Every container chosen by its name. `images` has the images by the ids that the containers name."""
    found = [_read(each, images, host) for each in containers if chosen.takes(_name(each))]
    return Report(together(found, "container", "containers"), [*chosen.remarks(), *of_no_registry(found)])


def report_of_daemon(engine: Daemon, chosen: Choice) -> Report:
    """Everything that runs in this engine. Raises Unanswered."""
    try:
        containers = [each for each in engine.running() if chosen.takes(_name(each))]
        images = engine.images(sorted({str(each.get("Image") or "") for each in containers} - {""}))
    except DaemonError as error:
        raise Unanswered(str(error)) from None
    return report_of_containers(containers, images, chosen, socket.gethostname())


def _read(container: Mapping[str, Any], images: Mapping[str, Mapping[str, Any]], host: str) -> Member:
    facts: dict[str, Any] = {"container": _name(container), "host": host}
    called = _name(container) or "a container"
    try:
        name = str((container.get("Config") or {}).get("Image") or container.get("Image") or "")
        image = images.get(str(container.get("Image") or ""))
        if image is None:
            return unreadable(name, f"The engine does not know the image of container {called} any more.", **facts)
        digest = image_digest(image, name)
        if digest is None:
            return unreadable(name, f"The engine names no digest of the image of container {called}.", **facts)
    except (AttributeError, TypeError, ValueError):
        return unreadable(called, "The engine's description of this container cannot be read.", **facts)
    if not digest.from_registry:
        facts["imageId"] = True
    return Member(name, digest.digest, instant(container.get("Created")), 1, facts)


def _name(container: Mapping[str, Any]) -> str:
    return str(container.get("Name") or str(container.get("Id") or "")[:12]).lstrip("/")
