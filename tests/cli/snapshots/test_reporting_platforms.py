"""Snapshots of platforms that cannot run here: their own command lines are stood in for, the server is real."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

from muniment.exits import ExitCode
from muniment.fingerprints import directory_fingerprint
from tests.cli.registries import Certificate
from tests.cli.snapshots.answers import ANSWERS, answer, answering, digest
from tests.cli.snapshots.conftest import Reporter
from tests.cli.snapshots.doors import deployment_door

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
