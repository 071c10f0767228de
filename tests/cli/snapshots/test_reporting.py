"""Snapshots as they are taken: the client's process, a real server, and files, containers and a bucket that are really there."""

import io
import json
import os
import shutil
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest

from embedded.seaweedfs import S3, make_bucket
from embedded.servers import Stack
from muniment.exits import ExitCode
from muniment.fingerprints import directory_fingerprint, kosli_directory_fingerprint
from tests.cli.engines import IMAGE, Engine, needs_engine
from tests.cli.registries import Certificate, RunningRegistry, needs_registry
from tests.cli.snapshots.answers import ANSWERS, answer, digest
from tests.cli.snapshots.conftest import Reporter
from tests.cli.snapshots.doors import deployment_door
from tests.embedded.objects import write_object

_numbers = count(1)

# --- files


async def test_a_directory_is_reported_under_its_name(reporter: Reporter) -> None:
    await reporter.environment_of("SERVER")
    shop = reporter.home / "shop"
    (shop / "logs").mkdir(parents=True)
    (shop / "app.py").write_text("print()")
    (shop / "logs" / "today").write_text("busy")

    told = await reporter.run("snapshot", "path", "prod", "--path", str(shop), "--exclude", "logs")

    assert told.code == ExitCode.DONE, told.stderr
    [running] = (await reporter.snapshot())["running"]["nodes"]
    assert running["name"] == "shop"
    assert running["fingerprint"] == directory_fingerprint(shop, ["logs"])[0]
    assert running["facts"][0]["path"] == str(shop)


async def test_places_are_read_from_a_file(reporter: Reporter) -> None:
    await reporter.environment_of("SERVER")
    (reporter.home / "site").mkdir()
    (reporter.home / "site" / "index.html").write_text("<p>")
    (reporter.home / "tool").write_text("#!")
    (reporter.home / "places.yaml").write_text(
        "version: 1\nartifacts:\n  web: {path: site, exclude: ['*.tmp']}\n  tool: {path: tool}\n  gone: {path: nowhere}\n"
    )

    told = await reporter.run("snapshot", "paths", "prod", "--paths-file", "places.yaml", "--dir-hash", "kosli")

    assert told.code == ExitCode.DONE, told.stderr
    assert "gone: nowhere cannot be read" in told.stderr
    assert "partial: 1 of 3" in told.stderr
    snapshot = await reporter.snapshot()
    found = {each["name"]: each["fingerprint"] for each in snapshot["running"]["nodes"]}
    assert found == {"web": kosli_directory_fingerprint(reporter.home / "site"), "tool": sha256(b"#!").hexdigest()}
    assert snapshot["partial"]
    assert [each["name"] for each in snapshot["refused"]] == ["gone"]


async def test_the_old_verb_for_servers_names_each_path(reporter: Reporter) -> None:
    await reporter.environment_of("SERVER")
    (reporter.home / "a").write_text("a")
    (reporter.home / "b").write_text("b")

    told = await reporter.run("snapshot", "server", "prod", "--paths", "a,b")

    assert told.code == ExitCode.DONE, told.stderr
    running = (await reporter.snapshot())["running"]["nodes"]
    assert {each["name"]: each["fingerprint"] for each in running} == {"a": digest("a"), "b": digest("b")}


async def test_the_same_again_makes_no_snapshot_and_says_so(reporter: Reporter) -> None:
    await reporter.environment_of("SERVER")
    (reporter.home / "a").write_text("a")

    first = await reporter.run("snapshot", "dir", "prod", "--path", "a", "--output", "json")
    again = await reporter.run("snapshot", "dir", "prod", "--path", "a", "--output", "json")

    assert (first.data["number"], first.data["isNew"]) == (1, True)
    assert (again.data["number"], again.data["isNew"]) == (1, False)


async def test_a_dry_run_prints_the_report_and_sends_nothing(reporter: Reporter) -> None:
    (reporter.home / "a").write_text("a")

    told = await reporter.run(
        "snapshot", "path", "prod", "--path", "a", "--dry-run", MUNIMENT_HOST="http://127.0.0.1:1"
    )

    assert told.code == ExitCode.DONE, told.stderr
    assert told.data["input"]["members"][0]["fingerprint"] == digest("a")


async def test_a_report_of_which_nothing_can_be_read_is_refused(reporter: Reporter) -> None:
    await reporter.environment_of("SERVER")

    told = await reporter.run("snapshot", "path", "prod", "--path", "gone")

    assert told.code == ExitCode.UNREACHABLE
    assert "gone cannot be read" in told.stderr
    assert "nothing was recorded" in told.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("version: 2\nartifacts: {}\n", "version: 1"),
        ("version: 1\n", "no `artifacts`"),
        ("version: 1\nartifacts: {a: {}}\n", "a has no `path`"),
        ("version: 1\nartifacts: {a: {path: x, exclude: y}}\n", "no list of patterns"),
        ("version: 1\nartifacts: {a: {path: x, paht: y}}\n", "paht, which means nothing"),
        ("version: [\n", "neither YAML nor JSON"),
    ],
)
async def test_a_faulty_file_of_places_is_explained(reporter: Reporter, content: str, said: str) -> None:
    (reporter.home / "places.yaml").write_text(content)

    told = await reporter.run("snapshot", "paths", "prod", "--paths-file", "places.yaml")

    assert told.code == ExitCode.BAD_USAGE
    assert said in told.stderr


# --- containers


@needs_engine
@pytest.mark.parametrize("asked", ["socket", "command"])
async def test_containers_of_a_real_engine_are_reported(
    reporter: Reporter, running_engine: Engine, asked: str, programs: Callable[[str, str], str]
) -> None:
    await reporter.environment_of("DOCKER")
    names = [f"{asked}-{name}" for name in ("web-1", "web-2", "ci")]
    running_engine.load()
    for name in names:
        running_engine.start(name)
    variables = {"DOCKER_HOST": f"unix://{running_engine.socket}"}
    if asked == "command":
        # The same engine, as if it were on another machine: asked through the command line that is installed.
        client = shutil.which("docker") or "podman"
        reach = f"DOCKER_HOST={running_engine.socket.as_uri().replace('file', 'unix')} CONTAINER_HOST=$DOCKER_HOST"
        remote = "" if client.endswith("docker") else "--remote "
        path = programs("docker", f'#!/bin/sh\n{reach} exec {client} {remote}"$@"\n')
        variables = {"DOCKER_HOST": "tcp://elsewhere:2376", "PATH": path}

    told = await reporter.run(
        *("snapshot", "docker", "prod", "--include-regex", f"^{asked}-", "--exclude", names[2]), **variables
    )

    for name in names:
        running_engine.podman("rm", "--force", "--time=0", name)
    assert told.code == ExitCode.DONE, told.stderr
    [running] = (await reporter.snapshot())["running"]["nodes"]
    assert running["name"] == IMAGE
    assert running["instances"] == 2
    assert sorted(running["facts"][0]["containers"]) == names[:2]
    [kept] = json.loads(running_engine.podman("image", "inspect", IMAGE))
    assert kept["Digest"] == f"sha256:{running['fingerprint']}"


@needs_engine
@needs_registry
async def test_the_engine_and_the_registry_know_a_pulled_image_by_the_same_digest(
    reporter: Reporter, running_engine: Engine, open_registry: RunningRegistry
) -> None:
    index, _ = open_registry.push_index("shop/many", "1", {"linux/amd64": b"", "linux/arm64": b""})
    name = f"{open_registry.address}/shop/many:1"
    running_engine.podman("pull", "--tls-verify=false", name)

    by_engine = await reporter.run("fingerprint", name, "-t", "docker", DOCKER_HOST=f"unix://{running_engine.socket}")
    by_registry = await reporter.run("fingerprint", name, "-t", "oci")

    assert (by_engine.stdout.strip(), by_engine.code) == (index, ExitCode.DONE), by_engine.stderr
    assert (by_registry.stdout.strip(), by_registry.code) == (index, ExitCode.DONE), by_registry.stderr


@needs_engine
async def test_an_image_that_the_engine_does_not_have_is_told(reporter: Reporter, running_engine: Engine) -> None:
    told = await reporter.run("fingerprint", "none:1", "-t", "docker", DOCKER_HOST=f"unix://{running_engine.socket}")

    assert told.code == ExitCode.BAD_USAGE
    assert "has no image none:1" in told.stderr


async def test_an_engine_that_is_away_is_told(reporter: Reporter, tmp_path: Path) -> None:
    told = await reporter.run("snapshot", "docker", "prod", DOCKER_HOST=f"unix://{tmp_path}/none.sock")

    assert told.code == ExitCode.UNREACHABLE
    assert "does not answer" in told.stderr


# --- a bucket


@pytest.fixture
def bucket(stack: Stack) -> S3:
    """A bucket of a real store, with a small web site in it."""
    s3 = replace(stack.s3, bucket=f"site-{next(_numbers)}")
    make_bucket(s3, s3.bucket)
    for key, content in {"index.html": b"<p>", "css/a.css": b"a{}", "drafts/new.html": b"?"}.items():
        write_object(s3, key, content)
    return s3


def reach(bucket: S3) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": bucket.access_key,
        "AWS_SECRET_ACCESS_KEY": bucket.secret_key,
        "AWS_REGION": "us-east-1",
        "MUNIMENT_AWS_ENDPOINT_URL": f"http://{bucket.endpoint}",
        "MUNIMENT_BUCKET": bucket.bucket,
    }


async def test_a_bucket_is_reported_as_the_directory_that_it_would_be(
    reporter: Reporter, bucket: S3, tmp_path: Path
) -> None:
    await reporter.environment_of("S3")
    same = tmp_path / "same"
    (same / "css").mkdir(parents=True)
    (same / "index.html").write_bytes(b"<p>")
    (same / "css" / "a.css").write_bytes(b"a{}")

    told = await reporter.run("snapshot", "s3", "prod", "--exclude", "drafts", **reach(bucket))

    assert told.code == ExitCode.DONE, told.stderr
    [running] = (await reporter.snapshot())["running"]["nodes"]
    assert running["name"] == bucket.bucket
    assert running["fingerprint"] == directory_fingerprint(same)[0]
    assert running["facts"] == [{"bucket": bucket.bucket, "objects": 2}]


async def test_one_object_is_reported_as_the_file_that_it_is(reporter: Reporter, bucket: S3) -> None:
    await reporter.environment_of("S3")

    told = await reporter.run("snapshot", "s3", "prod", "--include", "css", **reach(bucket))

    assert told.code == ExitCode.DONE, told.stderr
    [running] = (await reporter.snapshot())["running"]["nodes"]
    assert (running["name"], running["fingerprint"]) == ("a.css", sha256(b"a{}").hexdigest())


async def test_a_bucket_that_is_not_there_ends_the_report(reporter: Reporter, bucket: S3) -> None:
    told = await reporter.run("snapshot", "s3", "prod", **{**reach(bucket), "MUNIMENT_BUCKET": "none"})

    assert told.code == ExitCode.UNREACHABLE
    assert "AWS says" in told.stderr


async def test_a_missing_extra_is_named(reporter: Reporter, tmp_path: Path) -> None:
    hiding = tmp_path / "hiding"
    hiding.mkdir()
    (hiding / "boto3.py").write_text("raise ImportError('hidden')\n")
    reporter.environment["PYTHONPATH"] = os.pathsep.join([str(hiding), "cli/src", *sys.path])

    told = await reporter.run("snapshot", "lambda", "prod")

    assert told.code == ExitCode.BAD_USAGE
    assert "pip install 'muniment[aws]'" in told.stderr


# --- platforms that cannot run here: their own command lines are stood in for


def answering(cases: dict[str, str]) -> str:
    """A program that prints a file for the words that it was given, and fails for others."""
    lines = "\n".join(f'  "{words}"*) cat {ANSWERS / file} ;;' for words, file in cases.items())
    return f'#!/bin/sh\ncase "$*" in\n{lines}\n  *) echo "ERROR: unknown: $*" >&2; exit 1 ;;\nesac\n'


KUBECTL = answering(
    {
        "get pods --all-namespaces": "pods.json",
        "get replicasets --all-namespaces": "replicasets.json",
        "get jobs --all-namespaces": "jobs.json",
    }
)


async def test_a_cluster_is_reported_with_everything_that_runs(
    reporter: Reporter, programs: Callable[[str, str], str]
) -> None:
    await reporter.environment_of("K8S")

    told = await reporter.run(
        *("snapshot", "k8s", "prod", "--exclude-namespaces-regex", "^dev"), PATH=programs("kubectl", KUBECTL)
    )

    assert told.code == ExitCode.DONE, told.stderr
    assert "unnamed:1: The cluster names no digest of it" in told.stderr
    snapshot = await reporter.snapshot()
    running = {each["name"]: each for each in snapshot["running"]["nodes"]}
    assert len(running) == 7
    assert snapshot["partial"]
    web = running["registry.example.com/shop/web:1.4.2"]
    assert (web["fingerprint"], web["instances"]) == (digest("web"), 2)
    assert web["facts"][0]["owners"] == [{"kind": "Deployment", "name": "web"}]


async def test_a_cluster_that_cannot_be_asked_ends_the_report(
    reporter: Reporter, programs: Callable[[str, str], str]
) -> None:
    told = await reporter.run("snapshot", "k8s", "prod", PATH=programs("kubectl", answering({})))

    assert told.code == ExitCode.UNREACHABLE
    assert "kubectl get pods --all-namespaces fails: ERROR: unknown" in told.stderr


async def test_a_pipeline_that_asks_for_best_effort_goes_on(
    reporter: Reporter, programs: Callable[[str, str], str]
) -> None:
    told = await reporter.run("snapshot", "k8s", "prod", "--best-effort", PATH=programs("kubectl", answering({})))

    assert told.code == ExitCode.DONE
    assert "not recorded" in told.stderr


async def test_cloud_run_is_reported(reporter: Reporter, programs: Callable[[str, str], str]) -> None:
    await reporter.environment_of("CLOUD_RUN")
    gcloud = answering(
        {
            "run services list --format=json --project=shop": "run-services.json",
            "run revisions list": "run-revisions.json",
            "run jobs list": "run-jobs.json",
        }
    )

    told = await reporter.run(
        *("snapshot", "cloud-run", "prod", "--project", "shop", "--include", "web"), PATH=programs("gcloud", gcloud)
    )

    assert told.code == ExitCode.DONE, told.stderr
    running = (await reporter.snapshot())["running"]["nodes"]
    assert sorted(each["fingerprint"] for each in running) == sorted([digest("web2"), digest("web3")])


async def test_azure_is_reported(reporter: Reporter, programs: Callable[[str, str], str], tmp_path: Path) -> None:
    await reporter.environment_of("AZURE_APPS")
    (tmp_path / "image.json").write_text(json.dumps({"digest": f"sha256:{digest('web')}", "tags": ["4"]}))
    az = answering(
        {
            "webapp list --resource-group=shop": "azure-webapps.json",
            "functionapp list --resource-group=shop": "azure-functionapps.json",
            "acr repository show --name=shopregistry --image=web:4": str(tmp_path / "image.json"),
        }
    )

    told = await reporter.run(
        *("snapshot", "azure", "prod", "--resource-group", "shop", "--exclude", "shop-files,shop-thumbs"),
        PATH=programs("az", az),
    )

    assert told.code == ExitCode.DONE, told.stderr
    assert "shopregistry.azurecr.io/lost:1: az acr repository show fails" in told.stderr
    assert "what the tag means now" in told.stderr
    running = {each["name"]: each["fingerprint"] for each in (await reporter.snapshot())["running"]["nodes"]}
    assert running == {
        "shopregistry.azurecr.io/web:4": digest("web"),
        f"shopregistry.azurecr.io/pinned@sha256:{digest('pinned')}": digest("pinned"),
    }


# --- many


async def test_ten_thousand_members_go_into_one_report(
    reporter: Reporter, programs: Callable[[str, str], str], tmp_path: Path
) -> None:
    await reporter.environment_of("K8S")
    [pod, *_] = json.loads((ANSWERS / "pods.json").read_text())["items"]
    pods = []
    for number in range(10_000):
        image = {"name": "web", "image": f"registry.example.com/shop/web:{number}"}
        status = {
            **image,
            "imageID": f"registry.example.com/shop/web@sha256:{digest(str(number))}",
            "state": {"running": {}},
        }
        pods.append(
            {
                "metadata": {**pod["metadata"], "name": f"web-{number:05}"},
                "spec": {"containers": [image]},
                "status": {"phase": "Running", "containerStatuses": [status]},
            }
        )
    (tmp_path / "many.json").write_text(json.dumps({"items": pods}))
    kubectl = answering(
        {"get pods": str(tmp_path / "many.json"), "get replicasets": "replicasets.json", "get jobs": "jobs.json"}
    )

    told = await reporter.run("snapshot", "k8s", "prod", "--output", "json", PATH=programs("kubectl", kubectl))

    assert told.code == ExitCode.DONE, told.stderr
    assert told.data["number"] == 1
    assert told.data["refused"] == []
    assert (await reporter.snapshot())["instanceCount"] == 10_000


async def test_the_old_command_line_and_its_variables_do_the_same(
    reporter: Reporter, programs: Callable[[str, str], str], tmp_path: Path
) -> None:
    await reporter.environment_of("K8S", "production")
    for namespace in ("app", "database"):
        listed = [pod for pod in answer("pods")["items"] if pod["metadata"]["namespace"] == namespace]
        (tmp_path / f"{namespace}.json").write_text(json.dumps({"items": listed}))
    cases = {f"get pods --namespace={name}": str(tmp_path / f"{name}.json") for name in ("app", "database")}
    (tmp_path / "app-itself.json").write_text("{}")
    cases["get namespace/app"] = str(tmp_path / "app-itself.json")
    old = {"KOSLI_HOST": reporter.served.url, "KOSLI_API_TOKEN": reporter.token, "KOSLI_ORG": "acme"}
    reporter.environment.update({"MUNIMENT_HOST": "", "MUNIMENT_API_KEY": "", "MUNIMENT_ORGANIZATION": ""})

    told = await reporter.run(
        *("snapshot", "k8s", "production", "--namespace", "app,database"),
        **old,
        PATH=programs("kubectl", answering(cases)),
    )

    assert told.code == ExitCode.DONE, told.stderr
    assert "There is no namespace app, or nothing runs in it" in told.stderr
    assert {each["name"] for each in (await reporter.snapshot("production"))["running"]["nodes"]} == {
        "docker.io/library/postgres:16",
        "docker.io/library/busybox:1.36",
    }


async def test_an_app_from_a_package_is_known_by_the_files_that_its_door_gives(
    reporter: Reporter, programs: Callable[[str, str], str], tmp_path: Path
) -> None:
    await reporter.environment_of("AZURE_APPS")
    (tmp_path / "app.py").write_text("print()")
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.write(tmp_path / "app.py", "app.py")
    certificate = Certificate.made(tmp_path / "tls")
    with deployment_door(certificate, package.getvalue(), token="a-token") as door:
        [app] = [each for each in answer("azure-webapps") if each["name"] == "shop-files"]
        app["hostNameSslStates"] = [{"hostType": "Repository", "name": door}]
        (tmp_path / "apps.json").write_text(json.dumps([app]))
        (tmp_path / "none.json").write_text("[]")
        (tmp_path / "login.json").write_text(json.dumps({"accessToken": "a-token", "tokenType": "Bearer"}))
        az = answering(
            {
                "webapp list": str(tmp_path / "apps.json"),
                "functionapp list": str(tmp_path / "none.json"),
                "account get-access-token": str(tmp_path / "login.json"),
            }
        )

        told = await reporter.run(
            *("snapshot", "azure", "prod"), PATH=programs("az", az), SSL_CERT_FILE=str(certificate.certificate_file)
        )

    assert told.code == ExitCode.DONE, told.stderr
    [running] = (await reporter.snapshot())["running"]["nodes"]
    only = tmp_path / "only"
    only.mkdir()
    (only / "app.py").write_text("print()")
    assert (running["name"], running["fingerprint"]) == ("shop-files", directory_fingerprint(only)[0])
