"""What runs in a Kubernetes cluster: pods as its API lists them in, members out.

A container is a member while it runs, and between the restarts of a crash loop; a finished one is not. That goes for init
containers (a sidecar is one that keeps running) and for debug containers as for the others. What a pod was made by is told by
the topmost owner that is known: the deployment, not its replica set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from muniment.images.references import digest_in
from muniment.snapshots.choice import Choice
from muniment.snapshots.members import Member, Report, instant, of_no_registry, together, unreadable

_GROUPS = (
    ("containers", "containerStatuses", None),
    ("initContainers", "initContainerStatuses", "init"),
    ("ephemeralContainers", "ephemeralContainerStatuses", "ephemeral"),
)
_HASH_LABELS = {"ReplicaSet": ("pod-template-hash", "Deployment")}


class Owner(NamedTuple):
    """What made a pod, or what made that."""

    namespace: str
    kind: str
    name: str


Owners = Mapping[Owner, Owner]
"""Who owns an owner: a replica set's deployment, a job's cron job."""


def report_of_pods(pods: Iterable[Mapping[str, Any]], namespaces: Choice, owners: Owners, cluster: str = "") -> Report:
    """Everything that runs in the namespaces chosen."""
    members: list[Member] = []
    for place, pod in enumerate(pods):
        members += _read(pod, place, namespaces, owners, cluster)
    return Report(together(members, "pod", "pods"), [*namespaces.remarks(), *of_no_registry(members)])


def owners_in(listed: Iterable[Mapping[str, Any]], kind: str) -> dict[Owner, Owner]:
    """Who owns each of the replica sets, or jobs, that the cluster lists."""
    found: dict[Owner, Owner] = {}
    for each in listed:
        metadata = each.get("metadata") or {}
        owner = _controller(metadata)
        if owner is not None:
            found[Owner(owner.namespace, kind, str(metadata.get("name")))] = owner
    return found


def _read(pod: Mapping[str, Any], place: int, namespaces: Choice, owners: Owners, cluster: str) -> list[Member]:
    try:
        if not namespaces.takes(str(pod["metadata"]["namespace"])):
            return []
        return list(_members_of_pod(pod, owners, cluster))
    except (AttributeError, KeyError, TypeError, ValueError):
        return [unreadable(_called(pod, place), "The cluster's description of this pod cannot be read.")]


def _members_of_pod(pod: Mapping[str, Any], owners: Owners, cluster: str) -> Iterator[Member]:
    metadata, status = pod["metadata"], pod.get("status") or {}
    facts: dict[str, Any] = {"namespace": metadata["namespace"], "pod": metadata["name"]}
    if cluster:
        facts["cluster"] = cluster
    made_by = _topmost(metadata, owners)
    if made_by is not None:
        facts["owners"] = [{"kind": made_by.kind, "name": made_by.name}]
    for containers, statuses, kind in _GROUPS:
        images = {each.get("name"): each.get("image") for each in (pod.get("spec") or {}).get(containers) or ()}
        for each in status.get(statuses) or ():
            if not _runs(each, str(status.get("phase"))):
                continue
            told = {**facts, "container": each.get("name")}
            if kind is not None:
                told["containerKind"] = kind
            image = str(images.get(each.get("name")) or each.get("image") or "")
            yield _member(image, str(each.get("imageID") or ""), instant(metadata.get("creationTimestamp")), told)


def _member(image: str, image_id: str, created: tuple[str, ...], facts: dict[str, Any]) -> Member:
    digest = digest_in(image_id) or digest_in(image)
    if digest is None:
        where = f"pod {facts['namespace']}/{facts['pod']}, container {facts['container']}"
        return unreadable(image, f"The cluster names no digest of it ({where}).", **facts)
    if "@" not in image_id and "@" not in image:
        facts["imageId"] = True
    return Member(image or f"sha256:{digest}", digest, created, 1, facts)


def _runs(status: Mapping[str, Any], phase: str) -> bool:
    state = status.get("state") or {}
    if state.get("running") is not None:
        return phase not in ("Succeeded", "Failed")
    ended = (status.get("lastState") or {}).get("terminated")
    return phase == "Running" and state.get("waiting") is not None and ended is not None


def _controller(metadata: Mapping[str, Any]) -> Owner | None:
    references = metadata.get("ownerReferences") or ()
    chosen = next((each for each in references if each.get("controller")), next(iter(references), None))
    if chosen is None:
        return None
    return Owner(str(metadata.get("namespace")), str(chosen.get("kind")), str(chosen.get("name")))


def _topmost(metadata: Mapping[str, Any], owners: Owners) -> Owner | None:
    owner = _controller(metadata)
    if owner is None:
        return None
    if owner not in owners and owner.kind in _HASH_LABELS:
        # Whoever may not list replica sets still learns the deployment: it names them with this label.
        label, kind = _HASH_LABELS[owner.kind]
        suffix = f"-{(metadata.get('labels') or {}).get(label)}"
        if owner.name.endswith(suffix):
            return owner._replace(kind=kind, name=owner.name[: -len(suffix)])
    for _ in range(8):
        if owner not in owners:
            break
        owner = owners[owner]
    return owner


def _called(pod: object, place: int) -> str:
    metadata = pod.get("metadata") if isinstance(pod, Mapping) else None
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return f"pod {name}" if name else f"pod {place + 1} of the list"
