"""A delivery recorded and asked about, verb by verb, on a real server."""

import json

import pytest

from tests.cli.deliveries import POLICY
from tests.cli.running import Muniment


def test_a_gate_distinguishes_what_it_cannot_answer(delivery: Muniment) -> None:
    environment = delivery.environment["PRODUCTION"]
    without_flow = {"MUNIMENT_FLOW": ""}

    unknown = delivery("assert", "artifact", "f" * 64, **without_flow)
    no_policy = delivery("assert", "artifact", "app.jar", "--environment", environment)
    no_environment = delivery("assert", "artifact", "app.jar", "--environment", "no-such-place")
    nothing_judged = delivery("assert", "snapshot", environment)

    assert [unknown.code, no_policy.code, no_environment.code, nothing_judged.code] == [6, 7, 6, 7]
    assert delivery("assert", "snapshot", "no-such-place").code == 6


def test_a_policy_is_tried_attached_asked_and_detached(delivery: Muniment) -> None:
    environment, name = delivery.environment["PRODUCTION"], f"{delivery.environment['MUNIMENT_FLOW']}-policy"
    policy = delivery.file("policy.yml", POLICY)
    delivery("snapshot", "path", environment, "--path", "app.jar")

    assert delivery("create", "policy", name, policy, "--try-in", environment).code == 1
    assert delivery("create", "policy", name, policy, "--comment", "first").code == 0
    second = delivery.file("second.yml", POLICY + "    - {type: trivy}\n")
    again = delivery("create", "policy", name, second, "--comment", "scans, too", "--output", "json")
    attached = delivery("attach-policy", name, "--environment", environment, "--output", "json")
    judged = delivery("assert", "artifact", "app.jar", "--environment", environment)
    detached = delivery("detach-policy", name, "--environment", environment, "--output", "json")

    assert again.json["policy"]["version"] == 2
    assert attached.json["policy"]["environments"] == [environment]
    assert judged.code == 1
    assert detached.json["policy"]["environments"] == []
    assert "- {type: trivy}" in delivery("get", "policy", name).out


def test_a_deployment_is_seen_and_its_environment_told(delivery: Muniment) -> None:
    environment = delivery.environment["PRODUCTION"]

    reported = delivery(
        "report", "deployment", environment, "--name", "app.jar", "--deployed-by", "ada", "--output", "json"
    ).json
    snapshot = delivery("snapshot", "path", environment, "--path", "app.jar", "--output", "json").json
    told = delivery("get", "deployment", reported["deployment"]["id"], "--output", "json").json

    assert (told["deployedBy"], told["seen"]["status"]) == ("ada", "SEEN")
    assert snapshot["number"] == 1
    running = delivery("get", "snapshot", environment, "--output", "json").json["running"]
    assert [each["fingerprint"] for each in running] == [told["fingerprint"]]
    assert [each["kind"] for each in delivery("log", "environment", environment, "--output", "json").json] == [
        "STARTED"
    ]
    assert delivery("list", "deployments", environment, "--output", "json").json[0]["id"] == told["id"]
    assert [each["number"] for each in delivery("list", "snapshots", environment, "--output", "json").json] == [1]


def test_two_snapshots_are_compared(delivery: Muniment) -> None:
    environment = delivery.environment["PRODUCTION"]
    delivery("snapshot", "path", environment, "--path", "app.jar")
    delivery.file("other.jar", "something else")
    delivery("snapshot", "server", environment, "--paths", "app.jar,other.jar")

    told = delivery("diff", "snapshots", f"{environment}~1", environment, "--output", "json").json

    assert [each["name"] for each in told["onlySecond"]] == ["other.jar"]
    assert told["onlyFirst"] == []


def test_an_artifact_is_found_by_every_expression(delivery: Muniment) -> None:
    flow = delivery.environment["MUNIMENT_FLOW"]
    by_file = delivery("get", "artifact", "app.jar", "--output", "json").json
    fingerprint, commit = by_file["fingerprint"], by_file["reports"][0]["commit"]["sha"]
    (delivery.folder / "app.jar").rename(delivery.folder / "moved.jar")

    for expression in (
        fingerprint,
        f"sha256:{fingerprint}",
        fingerprint[:9],
        f"{flow}@{fingerprint[:9]}",
        f"{flow}:{commit[:9]}",
        "app.jar",
    ):
        told = delivery("get", "artifact", expression, "--output", "json")
        assert told.code == 0, (expression, told.said)
        assert told.json["fingerprint"] == fingerprint
    assert delivery("get", "artifact", "app.jax").code == 3
    assert delivery("get", "artifact", fingerprint, "--flow", "another").code == 3


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_questions_are_answered_for_people_with_a_link(form: str, delivery: Muniment) -> None:
    environment = delivery.environment["PRODUCTION"]
    flow, host = delivery.environment["MUNIMENT_FLOW"], delivery.environment["MUNIMENT_HOST"]
    delivery("snapshot", "path", environment, "--path", "app.jar")
    trail = delivery("list", "trails", "--output", "json").json[0]["name"]

    for words, page in (
        (["get", "trail", trail], f"{host}/o/acme/flows/{flow}/trails/{trail}"),
        (["get", "artifact", "app.jar"], f"{host}/o/acme/artifacts/"),
        (["get", "environment", environment], f"{host}/o/acme/environments/{environment}"),
        (["get", "snapshot", environment], f"{host}/o/acme/environments/{environment}/snapshots/1"),
        (["search", flow], f"{host}/o/acme/flows/{flow}"),
    ):
        told = delivery(*words, "--output", form)
        assert told.code == 0, told.said
        assert page in told.out


def test_a_flow_tells_its_artifacts_with_their_evidence(delivery: Muniment) -> None:
    told = delivery("get", "flow", delivery.environment["MUNIMENT_FLOW"], "--output", "json").json

    (artifact,) = told["artifacts"]
    assert (artifact["name"], artifact["compliant"], artifact["evidence_count"]) == ("app.jar", False, 0)


def test_lists_are_turned_page_by_page(delivery: Muniment) -> None:
    for number in range(3):
        delivery("begin", "trail", f"trail-{number}")

    first = delivery("list", "trails", "--limit", "2", "--output", "json")
    second = delivery("list", "trails", "--limit", "2", "--output", "json", "--after", first.said.split()[-1])

    names = [each["name"] for each in first.json + second.json]
    assert len(names) == len(set(names)) == 4


def test_tags_are_set_and_removed_and_the_others_stay(delivery: Muniment) -> None:
    flow = delivery.environment["MUNIMENT_FLOW"]
    delivery("tag", "flow", flow, "--set", "team=payments", "--set", "old=1")
    delivery("tag", "flow", flow, "--unset", "old")

    assert delivery("get", "flow", flow, "--output", "json").json["tags"] == {"tier": "product", "team": "payments"}


def test_anything_else_is_asked_with_a_document(delivery: Muniment) -> None:
    document = delivery.file("flow.graphql", "query($name: String!) { record { flow(name: $name) { tags } } }")
    flow = delivery.environment["MUNIMENT_FLOW"]

    assert delivery("query", document, "-v", f"name={flow}").json == {"record": {"flow": {"tags": {"tier": "product"}}}}
    assert delivery("query", "-", stdin="{ viewer { organization } }").json["viewer"]["organization"] == "acme"
    broken = delivery("query", delivery.file("broken.graphql", "{ nothing }"))
    assert broken.code == 3
    assert "nothing" in broken.said


def test_a_key_is_rotated_and_told_once(delivery: Muniment) -> None:
    account = f"{delivery.environment['MUNIMENT_FLOW']}-ci"
    add = "mutation($input: AddPrincipalInput!) { answer: addServiceAccount(input: $input) { __typename } }"
    issue = "mutation($input: IssueKeyInput!) { issueKey(input: $input) { ... on KeyIssued { keyId token } } }"
    given = {"name": account, "grants": [{"role": "WRITER"}, {"role": "READER"}]}
    delivery("query", delivery.file("add.graphql", add), "-v", f"input={json.dumps(given)}")
    given = {"principal": account, "description": "ci"}
    key = delivery.file("key.graphql", issue)
    issued = delivery("query", key, "-v", f"input={json.dumps(given)}").json["issueKey"]

    rotated = delivery("rotate", "api-key", issued["keyId"], "--output", "json")

    assert rotated.code == 0, rotated.said
    assert rotated.json["token"].startswith("mun_")
    assert delivery("list", "flows", "--api-key", rotated.json["token"]).code == 0
    assert delivery("list", "flows", "--api-key", issued["token"]).code == 0


def test_a_snapshot_is_asserted_by_the_verdict_of_its_day(delivery: Muniment) -> None:
    environment, name = delivery.environment["PRODUCTION"], f"{delivery.environment['MUNIMENT_FLOW']}-then"
    delivery("create", "policy", name, delivery.file("policy.yml", POLICY))
    delivery("attach-policy", name, "--environment", environment)
    delivery("snapshot", "path", environment, "--path", "app.jar")

    then = delivery("assert", "snapshot", f"{environment}#1", "--output", "json")

    assert then.code == 1, then.said
    assert then.json["number"] == 1
    assert then.json["state"] in ("INCOMPLETE", "NON_COMPLIANT")
