"""What Google Cloud Run runs: what `gcloud` lists of services, revisions and jobs in, members out.

Of a service those revisions are members that requests can reach: by a share of the traffic, or by a tag. Of a job it is the
image that the next execution would run. A revision tells its image's digest; of a job's image the registry is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from muniment.images.references import NotAnImage, digest_in, parse_reference
from muniment.images.registry import RegistryError, digest_at_registry
from muniment.snapshots.choice import Choice
from muniment.snapshots.members import Member, Report, instant, unreadable
from muniment.snapshots.programs import answer_of

_INSTALL = "Install the Google Cloud SDK, and log in with gcloud auth login."
_SERVICE_LABEL = "serving.knative.dev/service"
_REGION_LABEL = "cloud.googleapis.com/location"

Resolve = Callable[[str], str]
"""A digest for the name of an image. Raises RegistryError."""
Revisions = Mapping[tuple[str, str, str], Mapping[str, Any]]
"""Revisions by region, service and name."""


def report_of_cloud_run(
    services: Iterable[Mapping[str, Any]],
    revisions: Iterable[Mapping[str, Any]],
    jobs: Iterable[Mapping[str, Any]],
    chosen: Choice,
    resolve: Resolve,
) -> Report:
    """The revisions that serve, and the jobs, of the names chosen."""
    by_name = {(_label(each, _REGION_LABEL), _label(each, _SERVICE_LABEL), _name(each)): each for each in revisions}
    members: list[Member] = []
    for service in services:
        if chosen.takes(_name(service)):
            members += _read(service, lambda each: _members_of_service(each, by_name, resolve))
    for job in jobs:
        if chosen.takes(_name(job)):
            members += _read(job, lambda each: _members_of_job(each, resolve))
    return Report(members, chosen.remarks())


def _read(what: Mapping[str, Any], members: Callable[[Mapping[str, Any]], Iterator[Member]]) -> list[Member]:
    try:
        return list(members(what))
    except (AttributeError, KeyError, TypeError, ValueError):
        return [unreadable(_name(what), "Cloud Run's description of it cannot be read.")]


def ask(chosen: Choice, *, project: str | None, region: str | None) -> Report:
    """Everything in this project and region. Raises SnapshotError."""
    where = [f"--project={project}"] if project else []
    where += [f"--region={region}"] if region else []

    def listed(*what: str) -> list[Mapping[str, Any]]:
        answer = answer_of("gcloud", ["run", *what, "list", "--format=json", *where], install=_INSTALL)
        return answer if isinstance(answer, list) else []

    return report_of_cloud_run(listed("services"), listed("revisions"), listed("jobs"), chosen, resolved)


def resolved(image: str) -> str:
    """The registry's digest of an image. Raises RegistryError."""
    try:
        return digest_at_registry(parse_reference(image))
    except NotAnImage as error:
        raise RegistryError(str(error)) from None


def _members_of_service(service: Mapping[str, Any], revisions: Revisions, resolve: Resolve) -> Iterator[Member]:
    status = service.get("status") or {}
    reached = [each for each in status.get("traffic") or () if each.get("percent") or each.get("tag")]
    names = {str(each.get("revisionName") or status.get("latestReadyRevisionName") or "") for each in reached}
    for name in sorted(names):
        region = _label(service, _REGION_LABEL)
        facts = {"kind": "service", "service": _name(service), "revision": name, "region": region}
        revision = revisions.get((region, _name(service), name))
        if revision is None:
            yield unreadable(_name(service), f"Cloud Run lists no revision {name or 'without a name'} of it.", **facts)
            continue
        told = str((revision.get("status") or {}).get("imageDigest") or "")
        images = _images(revision.get("spec") or {})
        for place, image in enumerate(images):
            # The digest that a revision tells is that of its first container.
            yield _member(image, told if place == 0 else "", _created(revision), facts, resolve)


def _members_of_job(job: Mapping[str, Any], resolve: Resolve) -> Iterator[Member]:
    facts = {"kind": "job", "job": _name(job), "region": _label(job, _REGION_LABEL)}
    execution = ((job.get("spec") or {}).get("template") or {}).get("spec") or {}
    for image in _images((execution.get("template") or {}).get("spec") or {}):
        yield _member(image, "", _created(job), facts, resolve)


def _member(image: str, told: str, created: tuple[str, ...], facts: Mapping[str, Any], resolve: Resolve) -> Member:
    digest = digest_in(told) or digest_in(image)
    if digest is None:
        try:
            digest = resolve(image)
        except RegistryError as error:
            return unreadable(image, str(error), **facts)
    return Member(image, digest, created, 1, facts)


def _images(spec: Mapping[str, Any]) -> list[str]:
    return [str(each.get("image") or "") for each in spec.get("containers") or ()]


def _created(of: Mapping[str, Any]) -> tuple[str, ...]:
    return instant((of.get("metadata") or {}).get("creationTimestamp"))


def _name(of: Mapping[str, Any]) -> str:
    return str((of.get("metadata") or {}).get("name") or "")


def _label(of: Mapping[str, Any], label: str) -> str:
    return str(((of.get("metadata") or {}).get("labels") or {}).get(label) or "")
