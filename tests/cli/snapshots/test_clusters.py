"""A cluster's API over TLS, asked from inside with a pod's account, and from outside by the real `kubectl` where there is one.

No Kubernetes can run here, so the API's answers are ours; its paths, pages, rights and errors are those of the real one.
"""

import json
import re
import shutil
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from muniment.snapshots.choice import Choice
from muniment.snapshots.clusters import Cluster, InCluster, Kubectl, report_of
from muniment.snapshots.members import SnapshotError, Unanswered
from tests.cli.registries import Certificate
from tests.cli.snapshots.answers import answer, named

TOKEN = "an-account-s-token"
KUBECTL = shutil.which("kubectl")


class ClusterApi(ThreadingHTTPServer):
    """Answers for the lists of pods, replica sets and jobs, a page at a time, to whoever has the token."""

    daemon_threads = True

    def __init__(self, certificate: Certificate) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate_file, certificate.key_file)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.forbidden: set[str] = set()
        self.asked: list[str] = []
        self.page = 4

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    server: ClusterApi
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        url = urlsplit(self.path)
        status, said = self._said(url.path, {key: values[0] for key, values in parse_qs(url.query).items()})
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _said(self, path: str, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return failure(401, "Unauthorized", "Unauthorized")
        if path in DISCOVERY:
            return 200, DISCOVERY[path]
        if path == "/api/v1/namespaces/production":
            return 200, {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "production"}}
        found = re.fullmatch(r"/(api|apis)/([a-z0-9/]+?)/(?:namespaces/([^/]+)/)?(pods|replicasets|jobs)", path)
        if found is None:
            return failure(404, "NotFound", f"{path.rpartition('/')[2]} not found")
        _, version, namespace, what = found.groups()
        if what in self.server.forbidden:
            return failure(403, "Forbidden", f'{what} is forbidden: User "x" cannot list resource "{what}"')
        return 200, self._page(version, what, namespace, query)

    def _page(self, version: str, what: str, namespace: str | None, query: dict[str, str]) -> dict[str, Any]:
        items = [item for item in answer(what)["items"] if namespace in (None, item["metadata"]["namespace"])]
        start = int(query.get("continue", "0"))
        end = start + min(self.server.page, int(query.get("limit", "500")))
        more = {"continue": str(end)} if end < len(items) else {}
        metadata = {"resourceVersion": "1", **more}
        return {"kind": KINDS[what] + "List", "apiVersion": version, "metadata": metadata, "items": items[start:end]}

    def log_message(self, *_: Any) -> None:
        return


def failure(code: int, reason: str, message: str) -> tuple[int, dict[str, Any]]:
    said = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "message": message,
        "code": code,
    }
    return code, said


def resources(version: str, *names: str, namespaced: bool = True) -> dict[str, Any]:
    listed = [
        {"name": name, "singularName": "", "namespaced": namespaced, "kind": KINDS[name], "verbs": ["get", "list"]}
        for name in names
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": listed}


def groups(*names: str) -> dict[str, Any]:
    versions = [{"groupVersion": f"{name}/v1", "version": "v1"} for name in names]
    listed = [
        {"name": name, "versions": [version], "preferredVersion": version}
        for name, version in zip(names, versions, strict=True)
    ]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}


KINDS = {"pods": "Pod", "replicasets": "ReplicaSet", "jobs": "Job", "namespaces": "Namespace"}
CORE = resources("v1", "pods")
CORE["resources"] += resources("v1", "namespaces", namespaced=False)["resources"]
DISCOVERY = {
    "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
    "/apis": groups("apps", "batch"),
    "/api/v1": CORE,
    "/apis/apps/v1": resources("apps/v1", "replicasets"),
    "/apis/batch/v1": resources("batch/v1", "jobs"),
}
"""What kubectl asks before it asks for anything."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate.made(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def api(certificate: Certificate) -> Iterator[ClusterApi]:
    server = ClusterApi(certificate)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def account(tmp_path: Path, certificate: Certificate) -> Path:
    """A pod's account, as it is mounted."""
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "token").write_text(TOKEN)
    (folder / "ca.crt").write_bytes(certificate.certificate_file.read_bytes())
    return folder


@pytest.fixture
def inside(api: ClusterApi, account: Path) -> Cluster:
    found = InCluster.found(
        {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT_HTTPS": str(api.port)}, account
    )
    assert found is not None
    return found


@pytest.fixture(
    params=["inside", pytest.param("kubectl", marks=pytest.mark.skipif(KUBECTL is None, reason="needs kubectl"))]
)
def cluster(
    request: pytest.FixtureRequest,
    api: ClusterApi,
    tmp_path: Path,
    certificate: Certificate,
    monkeypatch: pytest.MonkeyPatch,
) -> Cluster:
    """The cluster, from inside and through kubectl, which keeps what it learns of one in the home directory."""
    monkeypatch.setenv("HOME", str(tmp_path))
    if request.param == "inside":
        found: Cluster = request.getfixturevalue("inside")
        return found
    settings = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "here",
                "cluster": {
                    "server": f"https://127.0.0.1:{api.port}",
                    "certificate-authority": str(certificate.certificate_file),
                },
            }
        ],
        "users": [{"name": "me", "user": {"token": TOKEN}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
    }
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(settings))
    return Kubectl(kubeconfig=str(file), context="here")


def test_all_pages_of_a_cluster_are_read(cluster: Cluster, api: ClusterApi) -> None:
    report = report_of(cluster, Choice("namespace"), "eu-1")

    assert len(report.members) == 9
    assert sum("/pods?" in path for path in api.asked) == 3
    owners = {
        member.name.rpartition("/")[2]: member.facts["owners"][0]
        for member in report.members
        if "owners" in member.facts
    }
    assert owners["web:1.4.2"] == {"kind": "Deployment", "name": "web"}
    assert owners["nightly:3"] == {"kind": "CronJob", "name": "nightly"}
    assert {member.facts["cluster"] for member in report.members} == {"eu-1"}


def test_with_names_only_those_namespaces_are_asked_for(cluster: Cluster, api: ClusterApi) -> None:
    report = report_of(cluster, Choice("namespace", names=["database", "monitoring"]))

    assert named(report.members) == {"postgres:16", "busybox:1.36", "agent:v2"}
    assert all("/namespaces/" in path for path in api.asked if "limit=" in path)


def test_whoever_may_not_list_owners_reports_all_the_same(cluster: Cluster, api: ClusterApi) -> None:
    api.forbidden = {"replicasets", "jobs"}

    report = report_of(cluster, Choice("namespace"))

    assert len(report.members) == 9
    assert [remark for remark in report.remarks if "may not be listed" in remark]


def test_whoever_may_not_list_pods_reports_nothing(cluster: Cluster, api: ClusterApi) -> None:
    api.forbidden = {"pods"}

    with pytest.raises(Unanswered, match="cannot list resource"):
        report_of(cluster, Choice("namespace"))


def test_a_namespace_that_is_not_there_is_no_empty_report(cluster: Cluster) -> None:
    with pytest.raises(SnapshotError, match="There is no namespace prodution"):
        report_of(cluster, Choice("namespace", names=["prodution"]))


def test_a_cluster_that_nobody_vouches_for_is_not_told_the_token(
    api: ClusterApi, account: Path, tmp_path: Path
) -> None:
    other = Certificate.made(tmp_path / "other")
    (account / "ca.crt").write_bytes(other.certificate_file.read_bytes())

    with pytest.raises(Unanswered, match="CERTIFICATE_VERIFY_FAILED"):
        report_of(InCluster("127.0.0.1", api.port, account), Choice("namespace"))
    assert api.asked == []


def test_outside_of_a_cluster_there_is_no_account(account: Path, tmp_path: Path) -> None:
    assert InCluster.found({}, account) is None
    assert InCluster.found({"KUBERNETES_SERVICE_HOST": "127.0.0.1"}, tmp_path) is None
