"""What runs in Amazon ECS: the running tasks of its clusters in, members out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from muniment.images.references import digest_in
from muniment.snapshots import amazon
from muniment.snapshots.choice import Choice
from muniment.snapshots.members import Member, Report, Unanswered, instant, together, unreadable

_DESCRIBED_AT_ONCE = 100


def report_of_tasks(tasks: Iterable[Mapping[str, Any]], clusters: Choice, services: Choice) -> Report:
    """Every container that runs in the clusters and services chosen. A task of no service has the empty name."""
    members: list[Member] = []
    for task in tasks:
        if clusters.takes(_cluster(task)) and services.takes(_service(task)):
            members += _members_of_task(task)
    return Report(together(members, "task", "tasks"), [*clusters.remarks(), *services.remarks()])


def report_of_ecs(asked: Any, clusters: Choice, services: Choice) -> Report:
    """Everything that runs in this account and region. Raises SnapshotError."""
    with amazon.sentences():
        arns = (
            list(clusters.names) if clusters.only_names else list(amazon.pages(asked, "list_clusters", "clusterArns"))
        )
        tasks: list[Any] = []
        for arn in arns:
            if clusters.takes(_short(arn)):
                tasks += _tasks_of(asked, arn)
    return report_of_tasks(tasks, clusters, services)


def _tasks_of(asked: Any, cluster: str) -> list[Any]:
    arns = list(amazon.pages(asked, "list_tasks", "taskArns", cluster=cluster, desiredStatus="RUNNING"))
    found: list[Any] = []
    for start in range(0, len(arns), _DESCRIBED_AT_ONCE):
        answer = asked.describe_tasks(cluster=cluster, tasks=arns[start : start + _DESCRIBED_AT_ONCE])
        found += answer.get("tasks") or ()
        # A task that ended in between is missing, and that is the truth. Anything else is not.
        failed = [each for each in answer.get("failures") or () if each.get("reason") != "MISSING"]
        if failed:
            raise Unanswered(f"ECS does not describe {failed[0].get('arn')}: {failed[0].get('reason')}. Try again.")
    return found


def _members_of_task(task: Mapping[str, Any]) -> Iterator[Member]:
    facts: dict[str, Any] = {
        "cluster": _cluster(task),
        "service": _service(task),
        "task": _short(amazon.text(task, "taskArn")),
    }
    created = instant(task.get("startedAt") or task.get("createdAt"))
    for container in task.get("containers") or ():
        if amazon.text(container, "lastStatus") != "RUNNING":
            continue
        image = amazon.text(container, "image")
        told = {**facts, "container": amazon.text(container, "name")}
        digest = digest_in(amazon.text(container, "imageDigest")) or digest_in(image)
        if digest is None:
            yield unreadable(image, f"ECS names no digest of it (task {facts['task']}).", **told)
        else:
            yield Member(image, digest, created, 1, told)


def _cluster(task: Mapping[str, Any]) -> str:
    return _short(amazon.text(task, "clusterArn"))


def _service(task: Mapping[str, Any]) -> str:
    kind, colon, name = amazon.text(task, "group").partition(":")
    return name if colon and kind == "service" else ""


def _short(arn: str) -> str:
    return arn.rpartition("/")[2]
