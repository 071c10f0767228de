"""Lambda and ECS, asked over HTTP of a server that answers as Amazon does (moto's)."""

import io
import zipfile
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.ecs.models import ecs_backends
from moto.server import ThreadedMotoServer

from muniment.exits import ExitCode
from muniment.fingerprints import tree_fingerprint
from muniment.snapshots import amazon
from muniment.snapshots.buckets import Chosen, report_of_bucket
from muniment.snapshots.choice import Choice
from muniment.snapshots.lambdas import report_of_lambda
from muniment.snapshots.members import Unanswered
from muniment.snapshots.tasks import report_of_ecs
from tests.cli.snapshots.answers import digest
from tests.cli.snapshots.conftest import Reporter

KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "eu-west-1"}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def asking(address: str, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=address,
        region_name="eu-west-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


@pytest.fixture(scope="module")
def functions(address: str) -> dict[str, str]:
    """Sixty functions, more than a page of the list; each with the digest that Lambda told of its code."""
    trust = '{"Version": "2012-10-17", "Statement": []}'
    role = asking(address, "iam").create_role(RoleName="runs", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    made = {}
    for number in range(60):
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr(zipfile.ZipInfo("app.py"), f"answer = {number}")
        told = asking(address, "lambda").create_function(
            FunctionName=f"shop-{number:02}",
            Runtime="python3.12",
            Role=role,
            Handler="app.handler",
            Code={"ZipFile": code.getvalue()},
        )
        made[told["FunctionName"]] = b64decode(told["CodeSha256"]).hex()
    return made


async def test_functions_are_reported(reporter: Reporter, address: str, functions: dict[str, str]) -> None:
    await reporter.environment_of("LAMBDA")

    told = await reporter.run(
        *("snapshot", "lambda", "prod", "--function-names-regex", "^shop-[0-4]", "--exclude", "shop-07"),
        **{**KEYS, "MUNIMENT_AWS_ENDPOINT_URL": address},
    )

    assert told.code == ExitCode.DONE, told.stderr
    expected = {name: code for name, code in functions.items() if name < "shop-50" and name != "shop-07"}
    running = (await reporter.snapshot())["running"]["nodes"]
    assert {each["name"]: each["fingerprint"] for each in running} == expected


def test_all_pages_of_the_list_are_read(address: str, functions: dict[str, str]) -> None:
    report = report_of_lambda(asking(address, "lambda"), Choice("function"))

    assert {member.name: member.fingerprint for member in report.members} == functions


def test_a_service_that_cannot_be_reached_is_told() -> None:
    with pytest.raises(Unanswered, match="AWS says"):
        report_of_lambda(
            amazon.client("lambda", region="eu-west-1", key_id="k", secret_key="s", endpoint="http://127.0.0.1:1"),
            Choice("function"),
        )


@pytest.fixture(scope="module")
def tasks(address: str) -> None:
    """Two clusters with tasks. Amazon's agents would start their containers; here one of each cluster is left starting."""
    subnet = asking(address, "ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    ecs = asking(address, "ecs")
    for cluster, image, count in (("main", "web", 130), ("other", "api", 2)):
        ecs.create_cluster(clusterName=cluster)
        container = {
            "name": image,
            "image": f"ecr.example.com/{image}@sha256:{digest(image)}",
            "cpu": 10,
            "memory": 128,
        }
        ecs.register_task_definition(
            family=image,
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            containerDefinitions=[container],
        )
        ecs.run_task(
            cluster=cluster,
            taskDefinition=image,
            count=count,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": []}},
        )
    for of_cluster in ecs_backends[ACCOUNT]["eu-west-1"].tasks.values():
        for task in list(of_cluster.values())[1:]:
            for begun in task.containers:
                begun.last_status = "RUNNING"


@pytest.mark.usefixtures("tasks")
async def test_running_containers_of_the_chosen_clusters_are_reported(reporter: Reporter, address: str) -> None:
    await reporter.environment_of("ECS")

    told = await reporter.run(
        *("snapshot", "ecs", "prod", "--clusters", "main"), **{**KEYS, "MUNIMENT_AWS_ENDPOINT_URL": address}
    )

    assert told.code == ExitCode.DONE, told.stderr
    [running] = (await reporter.snapshot())["running"]["nodes"]
    assert (running["fingerprint"], running["instances"]) == (digest("web"), 129)
    assert running["facts"][0]["cluster"] == "main"


@pytest.mark.usefixtures("tasks")
def test_without_names_all_clusters_are_listed(address: str) -> None:
    report = report_of_ecs(asking(address, "ecs"), Choice("cluster", without_expressions=["^main$"]), Choice("service"))

    assert [(member.fingerprint, member.instances) for member in report.members] == [(digest("api"), 1)]


@pytest.mark.usefixtures("tasks")
def test_a_cluster_that_is_not_there_ends_the_report(address: str) -> None:
    with pytest.raises(Unanswered, match="AWS says"):
        report_of_ecs(asking(address, "ecs"), Choice("cluster", names=["gone"]), Choice("service"))


def test_a_digest_that_the_store_keeps_saves_reading_the_object(address: str) -> None:
    s3 = asking(address, "s3")
    s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="kept", Key="with", Body=b"with", ChecksumAlgorithm="SHA256")
    s3.put_object(Bucket="kept", Key="without", Body=b"without", ChecksumAlgorithm="CRC32")
    read: list[str] = []
    s3.meta.events.register("before-call.s3.GetObject", lambda params, **_: read.append(params["url_path"]))

    [member] = report_of_bucket(s3, "kept", Chosen()).members

    assert member.fingerprint == tree_fingerprint([(b"with", digest("with")), (b"without", digest("without"))])
    assert [path.rpartition("/")[2] for path in read] == ["without"]


def test_a_bucket_with_more_objects_than_a_page_is_read_whole(address: str) -> None:
    s3 = asking(address, "s3")
    s3.create_bucket(Bucket="many", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    keys = [f"{number:04}" for number in range(1_010)]
    amazon.many(lambda key: s3.put_object(Bucket="many", Key=key, Body=key.encode(), ChecksumAlgorithm="SHA256"), keys)

    [member] = report_of_bucket(s3, "many", Chosen(exclude=["0000"])).members

    assert member.fingerprint == tree_fingerprint([(key.encode(), digest(key)) for key in keys[1:]])
    assert member.facts["objects"] == 1_009
