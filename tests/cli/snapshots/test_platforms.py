"""What Docker, Lambda, ECS, Cloud Run and Azure answer, read into members."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from muniment.fingerprints import directory_fingerprint
from muniment.images.references import Reference
from muniment.images.registry import RegistryError
from muniment.snapshots.azure import fingerprint_of_zip, report_of_apps
from muniment.snapshots.buckets import Chosen, Stored, report_of_objects
from muniment.snapshots.choice import Choice
from muniment.snapshots.cloud_run import report_of_cloud_run
from muniment.snapshots.containers import report_of_containers
from muniment.snapshots.lambdas import report_of_functions
from muniment.snapshots.members import Report, SnapshotError
from muniment.snapshots.tasks import report_of_tasks
from tests.cli.snapshots.answers import answer, by_name, digest, named

# --- Docker


def containers(chosen: Choice | None = None) -> Report:
    images = {image["Id"]: image for image in answer("images")}
    return report_of_containers(answer("containers"), images, chosen or Choice("container"), "host-1")


def test_containers_of_one_image_are_counted_together() -> None:
    web = by_name(containers().members)["registry.example.com/shop/web:1.4.2"]

    assert web.instances == 2
    assert web.facts == {"host": "host-1", "containers": ["shop-web-1", "shop-web-2"]}
    assert web.created_at == ("2026-11-19T10:00:00Z",) * 2


def test_of_several_digests_that_of_the_containers_own_repository_counts() -> None:
    assert by_name(containers().members)["registry.example.com/shop/web:1.4.2"].fingerprint == digest("web")


def test_an_image_that_is_in_no_registry_is_known_by_its_id_and_that_is_said() -> None:
    found = containers()

    assert by_name(found.members)["myapp:dev"].fingerprint == digest("idlocal")
    assert any("myapp:dev: from no registry" in remark for remark in found.remarks)


def test_a_container_whose_image_was_removed_is_named() -> None:
    ghost = by_name(containers().members)["gone:1"]

    assert ghost.fingerprint is None
    assert "ghost" in (ghost.why or "")


def test_containers_are_chosen_by_name() -> None:
    assert named(containers(Choice("container", expressions=["^shop-"], without=["shop-cache-1"])).members) == {
        "web:1.4.2"
    }


@pytest.mark.parametrize(
    "broken", [{}, {"Name": "/x", "Config": 7}, {"Name": "/x", "Image": "i", "Config": {"Image": 1}}]
)
def test_a_container_that_cannot_be_read_is_named(broken: Any) -> None:
    [member] = report_of_containers([broken], {"i": {"RepoDigests": 7}}, Choice("container")).members

    assert member.fingerprint is None
    assert member.why


# --- Lambda


def test_functions_are_known_by_what_lambda_says_of_their_code() -> None:
    found = by_name(report_of_functions(answer("lambda-functions"), Choice("function")).members)

    assert found["shop-checkout"].fingerprint == digest("")
    assert found["shop-images"].fingerprint == digest("images")
    assert found["shop-images"].facts == {"function": "shop-images", "version": "$LATEST", "packageType": "Image"}
    assert found["shop-checkout"].created_at == ("2026-11-10T09:08:07Z",)
    assert found["odd"].fingerprint is None


def test_functions_are_chosen_by_name_and_a_missing_one_is_told() -> None:
    found = report_of_functions(answer("lambda-functions"), Choice("function", names=["odd", "none"]))

    assert named(found.members) == {"odd"}
    assert found.remarks == ["There is no function none, or nothing runs in it."]


# --- ECS


def tasks(clusters: Choice | None = None, services: Choice | None = None) -> Report:
    return report_of_tasks(answer("ecs-tasks"), clusters or Choice("cluster"), services or Choice("service"))


def test_running_containers_of_tasks_are_members_by_service() -> None:
    found = {member.name.rpartition("/")[2]: member for member in tasks().members}

    assert set(found) == {"web:7", "batch:1", f"y@sha256:{digest('adhoc')}"}
    assert found["web:7"].instances == 2
    assert found["web:7"].fingerprint == digest("web7")
    assert found["web:7"].facts["service"] == "web"
    assert len(found["web:7"].facts["tasks"]) == 2
    assert found["batch:1"].fingerprint is None
    assert found[f"y@sha256:{digest('adhoc')}"].fingerprint == digest("adhoc")


def test_tasks_are_chosen_by_cluster_and_service() -> None:
    assert named(
        tasks(Choice("cluster", names=["main"]), Choice("service", without_expressions=["^batch"])).members
    ) == {"web:7"}


# --- Cloud Run


def cloud_run(chosen: Choice | None = None) -> Report:
    def resolve(image: str) -> str:
        if "broken" in image:
            raise RegistryError("The registry has no broken:1.")
        return digest(f"resolved {image.rpartition('/')[2]}")

    services, revisions, jobs = answer("run-services"), answer("run-revisions"), answer("run-jobs")
    return report_of_cloud_run(services, revisions, jobs, chosen or Choice("service"), resolve)


def test_revisions_that_requests_can_reach_are_members() -> None:
    found = by_name(cloud_run().members)

    assert {name.rpartition("/")[2] for name in found} == {
        "web:3",
        "web:2",
        f"api@sha256:{digest('api')}",
        "otel:1",
        "api",
        "nightly:5",
        "broken:1",
    }
    web = found["europe-west1-docker.pkg.dev/shop/apps/web:3"]
    assert web.fingerprint == digest("web3")
    assert web.facts == {"kind": "service", "service": "web", "revision": "web-00003-abc", "region": "europe-west1"}


def test_of_jobs_and_second_containers_the_registry_is_asked() -> None:
    found = by_name(cloud_run().members)

    assert found["europe-west1-docker.pkg.dev/shop/apps/otel:1"].fingerprint == digest("resolved otel:1")
    assert found["europe-west1-docker.pkg.dev/shop/apps/nightly:5"].fingerprint == digest("resolved nightly:5")
    assert found["europe-west1-docker.pkg.dev/shop/apps/broken:1"].why == "The registry has no broken:1."


def test_a_revision_that_is_not_listed_is_named() -> None:
    assert "api-00000-tst" in (by_name(cloud_run().members)["api"].why or "")


def test_services_and_jobs_are_chosen_by_name() -> None:
    assert named(cloud_run(Choice("service", names=["nightly"])).members) == {"nightly:5"}


def test_a_service_that_cannot_be_read_is_named() -> None:
    found = report_of_cloud_run([{"metadata": {"name": "x"}, "status": {"traffic": 7}}], [], [], Choice("s"), str)

    assert [member.fingerprint for member in found.members] == [None]


# --- Azure


def apps(chosen: Choice | None = None) -> Report:
    def told(reference: Reference) -> tuple[str, str]:
        if reference.digest:
            return reference.digest, "name"
        if "lost" in reference.repository:
            raise SnapshotError("az acr repository show fails: not found")
        return digest(reference.repository), "acr"

    def package(app: Mapping[str, Any]) -> str:
        return digest(f"files of {app['name']}")

    listed = [*answer("azure-webapps"), *answer("azure-functionapps")]
    return report_of_apps(listed, chosen or Choice("app"), told, package)


def test_running_apps_are_members_by_image_or_by_files() -> None:
    found = {member.facts["app"]: member for member in apps().members}

    assert set(found) == {"shop-web", "shop-pinned", "shop-lost", "shop-files", "shop-thumbs"}
    assert found["shop-web"].fingerprint == digest("web")
    assert found["shop-web"].name == "shopregistry.azurecr.io/web:4"
    assert found["shop-web"].facts["digestsSource"] == "acr"
    assert found["shop-pinned"].fingerprint == digest("pinned")
    assert found["shop-files"].fingerprint == digest("files of shop-files")
    assert found["shop-thumbs"].facts["kind"] == "functionapp,linux,container"


def test_an_app_whose_digest_is_not_told_spoils_nothing() -> None:
    [lost] = [member for member in apps().members if member.fingerprint is None]

    assert lost.why == "az acr repository show fails: not found"


def test_a_zip_file_has_the_fingerprint_of_the_directory_that_it_would_be(tmp_path: Path) -> None:
    content = {"app.py": b"print()", "static/a.css": b"a{}", "static/empty": b""}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("static/", b"")
        for name, data in content.items():
            archive.writestr(name, data)
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(data)

    assert fingerprint_of_zip(file) == directory_fingerprint(tmp_path)[0]


# --- S3


def test_one_object_is_a_file_and_several_are_a_directory(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c").write_text("c")
    stored = [Stored("b/c", digest("c"), "2026-01-01T00:00:00Z"), Stored("a", digest("a"), "2026-01-02T00:00:00Z")]

    [tree] = report_of_objects("bucket", stored).members
    [file] = report_of_objects("bucket", stored[:1]).members

    assert (tree.name, tree.fingerprint) == ("bucket", directory_fingerprint(tmp_path)[0])
    assert (file.name, file.fingerprint) == ("c", digest("c"))
    assert tree.created_at == ("2026-01-02T00:00:00Z",)


def test_an_object_that_cannot_be_read_makes_the_whole_unknown() -> None:
    [member] = report_of_objects("bucket", [Stored("a", digest("a")), Stored("b", None, None, "denied")]).members

    assert member.fingerprint is None
    assert member.why == "b cannot be read (denied)."


@pytest.mark.parametrize(
    ("chosen", "taken"),
    [
        (Chosen(), ["app.js", "docs/a.md", "docs/drafts/b.md"]),
        (Chosen(include=["docs"]), ["docs/a.md", "docs/drafts/b.md"]),
        (Chosen(include=["docs/"], exclude=["docs/drafts"]), ["docs/a.md"]),
        (Chosen(include=["**/*.md"]), ["docs/a.md", "docs/drafts/b.md"]),
        (Chosen(include_expressions=[r"\.js$"]), ["app.js"]),
        (Chosen(include=["docs/a.md"], include_expressions=[r"\.js$"]), ["app.js", "docs/a.md"]),
        (Chosen(exclude_expressions=["drafts"]), ["app.js", "docs/a.md"]),
        (Chosen(exclude=["*.js"]), ["docs/a.md", "docs/drafts/b.md"]),
    ],
)
def test_objects_are_chosen_by_prefix_glob_and_expression(chosen: Chosen, taken: list[str]) -> None:
    assert [key for key in ("app.js", "docs/", "docs/a.md", "docs/drafts/b.md") if chosen.takes(key)] == taken
