"""Pods as a cluster lists them, and what of them is running."""

from typing import Any

import pytest

from muniment.snapshots.choice import Choice
from muniment.snapshots.kubernetes import owners_in, report_of_pods
from muniment.snapshots.members import Member, Report
from tests.cli.snapshots.answers import answer, by_name, digest, named

OWNERS = {
    **owners_in(answer("replicasets")["items"], "ReplicaSet"),
    **owners_in(answer("jobs")["items"], "Job"),
}


def report(namespaces: Choice | None = None, **others: Any) -> Report:
    return report_of_pods(answer("pods")["items"], namespaces or Choice("namespace"), others.get("owners", OWNERS))


def member(name: str) -> Member:
    return by_name(report().members)[name]


def test_what_runs_is_a_member_and_what_does_not_is_none() -> None:
    assert named(report().members) == {
        "web:1.4.2",
        "proxy:2.1",
        "worker:9",
        "nightly:3",
        "unnamed:1",
        "postgres:16",
        "busybox:1.36",
        "agent:v2",
        "scratchpad:dev",
    }


def test_replicas_are_one_member_with_their_pods_and_their_deployment() -> None:
    web = member("registry.example.com/shop/web:1.4.2")

    assert web.fingerprint == digest("web")
    assert web.instances == 2
    assert web.created_at == ("2026-11-20T08:12:20Z",) * 2
    assert web.facts["pods"] == ["web-7d9c6b8f5d-x2x4k", "web-7d9c6b8f5d-zq8rp"]
    assert web.facts["owners"] == [{"kind": "Deployment", "name": "web"}]
    assert web.facts["namespace"] == "production"


def test_a_sidecar_runs_and_a_finished_init_container_does_not() -> None:
    assert member("docker.io/mesh/proxy:2.1").facts["containerKind"] == "init"
    assert "registry.example.com/shop/migrate:1.4.2" not in by_name(report().members)


def test_a_debug_container_in_a_database_does_not_stay_unseen() -> None:
    assert member("docker.io/library/busybox:1.36").facts["containerKind"] == "ephemeral"


def test_a_container_between_the_restarts_of_a_crash_loop_is_still_there() -> None:
    assert member("registry.example.com/shop/worker:9").fingerprint == digest("worker")


def test_a_running_container_without_digest_is_named_and_spoils_nothing() -> None:
    unnamed = member("registry.example.com/shop/unnamed:1")

    assert unnamed.fingerprint is None
    assert unnamed.why is not None
    assert "production/unnamed-0" in unnamed.why


def test_digests_are_read_however_the_runtime_writes_them() -> None:
    assert member("quay.io/monitor/agent:v2").fingerprint == digest("agent")
    assert member("docker.io/library/scratchpad:dev").fingerprint == digest("scratchpad")
    assert member("docker.io/library/scratchpad:dev").facts["imageId"] is True
    assert any("scratchpad:dev: from no registry" in remark for remark in report().remarks)


def test_owners_are_followed_to_the_top() -> None:
    assert member("registry.example.com/shop/nightly:3").facts["owners"] == [{"kind": "CronJob", "name": "nightly"}]
    assert member("registry.example.com/shop/worker:9").facts["owners"] == [{"kind": "Rollout", "name": "worker"}]


def test_a_deployment_is_known_without_the_right_to_list_replica_sets() -> None:
    without = by_name(report(owners={}).members)

    assert without["registry.example.com/shop/web:1.4.2"].facts["owners"] == [{"kind": "Deployment", "name": "web"}]
    assert without["registry.example.com/shop/nightly:3"].facts["owners"] == [
        {"kind": "Job", "name": "nightly-29390410"}
    ]


def test_owners_in_a_circle_end_somewhere() -> None:
    [one, *_] = OWNERS
    report(owners={**OWNERS, one: one})


def test_only_the_namespaces_chosen_are_reported() -> None:
    chosen = Choice("namespace", expressions=["^mon"], names=["database", "absent"], without_expressions=["ring$"])

    found = report(chosen)

    assert named(found.members) == {"postgres:16", "busybox:1.36"}
    assert "There is no namespace absent, or nothing runs in it." in found.remarks


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"metadata": None},
        {"metadata": {"name": "p", "namespace": "n"}, "spec": {"containers": 7}, "status": {"containerStatuses": [{}]}},
        {"metadata": {"name": "p", "namespace": "n"}, "status": {"phase": "Running", "containerStatuses": ["x"]}},
        "no pod at all",
    ],
)
def test_a_pod_that_cannot_be_read_is_named_and_the_others_are_reported(broken: Any) -> None:
    pods = [*answer("pods")["items"], broken]

    found = report_of_pods(pods, Choice("namespace"), OWNERS)

    extra = [member for member in found.members if member.why and "description" in member.why]
    assert len(extra) == 1
    assert len(found.members) == len(report().members) + 1


def test_a_pod_that_was_only_accepted_is_no_member() -> None:
    pod = {
        "metadata": {"name": "p", "namespace": "n"},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
        "status": {},
    }

    assert report_of_pods([pod], Choice("namespace"), {}).members == []


def test_ten_thousand_pods_of_a_deployment_are_a_few_members_with_all_instances() -> None:
    [pod, *_] = answer("pods")["items"]
    pods = [{**pod, "metadata": {**pod["metadata"], "name": f"web-7d9c6b8f5d-{n:05}"}} for n in range(10_000)]

    members = report_of_pods(pods, Choice("namespace"), OWNERS).members

    assert sum(each.instances for each in members if each.fingerprint == digest("web")) == 10_000
    assert len(members) < 300
