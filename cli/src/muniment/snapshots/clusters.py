"""Asking a Kubernetes cluster for its pods: through `kubectl`, or from inside through its API with the pod's own account.

Namespaces that are all given by name are asked one by one, so rights in those are enough. The owners of pods' owners are asked
for too; whoever may not list those learns less, and the report is made all the same. Anything else that cannot be listed ends
the report: a report without it would say that it stopped running.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from muniment.snapshots.choice import Choice
from muniment.snapshots.kubernetes import Owner, owners_in, report_of_pods
from muniment.snapshots.members import Report, SnapshotError, Unanswered
from muniment.snapshots.programs import answer_of, ask

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_PAGE = 500
_TIMEOUT_SECONDS = 60.0
_KUBECTL = "Install kubectl, or run this inside the cluster."
_OWNERS = {"ReplicaSet": ("apps/v1", "replicasets"), "Job": ("batch/v1", "jobs")}
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


class Cluster(Protocol):
    """A cluster that can be asked. `namespace` null means all of them. All raise SnapshotError."""

    def pods(self, namespace: str | None) -> list[dict[str, Any]]:
        """Its pods."""

    def owners(self, kind: str, namespace: str | None) -> list[dict[str, Any]] | None:
        """Its replica sets or jobs, with their metadata at least; null when they may not be listed."""

    def has_namespace(self, name: str) -> bool | None:
        """Whether there is such a namespace; null when it may not be asked."""


def report_of(cluster: Cluster, namespaces: Choice, name: str = "") -> Report:
    """Everything that runs in the namespaces chosen."""
    asked: Sequence[str | None] = namespaces.names if namespaces.only_names else (None,)
    pods: list[dict[str, Any]] = []
    owners: dict[Owner, Owner] = {}
    remarks: list[str] = []
    for namespace in asked:
        found = cluster.pods(namespace)
        if not found and namespace is not None and cluster.has_namespace(namespace) is False:
            raise SnapshotError(f"There is no namespace {namespace}. Nothing was reported; correct its name.")
        pods += found
        for kind in sorted(_kinds(found) & _OWNERS.keys()):
            listed = cluster.owners(kind, namespace)
            if listed is None:
                remarks.append(f"What owns each {kind} may not be listed; the report names the {kind} where it must.")
            else:
                owners.update(owners_in(listed, kind))
    report = report_of_pods(pods, namespaces, owners, name)
    return Report(report.members, [*dict.fromkeys(remarks), *report.remarks])


def _kinds(pods: Iterable[Mapping[str, Any]]) -> set[str]:
    references = (each for pod in pods for each in (pod.get("metadata") or {}).get("ownerReferences") or ())
    return {str(each.get("kind")) for each in references}


class Kubectl:
    """A cluster as `kubectl` sees it."""

    def __init__(self, *, kubeconfig: str | None = None, context: str | None = None) -> None:
        self._options = [f"--kubeconfig={kubeconfig}"] if kubeconfig else []
        self._options += [f"--context={context}"] if context else []

    def pods(self, namespace: str | None) -> list[dict[str, Any]]:
        """The pods."""
        return _items(answer_of("kubectl", self._get("pods", namespace), install=_KUBECTL))

    def owners(self, kind: str, namespace: str | None) -> list[dict[str, Any]] | None:
        """The replica sets or jobs; null when they may not be listed."""
        answer = ask("kubectl", self._get(_OWNERS[kind][1], namespace), install=_KUBECTL)
        return _items(answer.said) if answer.code == 0 else None

    def has_namespace(self, name: str) -> bool | None:
        """Whether there is such a namespace; null when it may not be asked."""
        answer = ask("kubectl", ["get", f"namespace/{name}", "--output=json", *self._options], install=_KUBECTL)
        return True if answer.code == 0 else (False if "NotFound" in answer.talk else None)

    def _get(self, what: str, namespace: str | None) -> list[str]:
        where = "--all-namespaces" if namespace is None else f"--namespace={namespace}"
        return ["get", what, where, "--output=json", f"--chunk-size={_PAGE}", *self._options]


def _items(said: Any) -> list[dict[str, Any]]:
    items = said.get("items") if isinstance(said, dict) else None
    if not isinstance(items, list):
        raise Unanswered("The cluster answers no list. Ask it yourself: kubectl get pods --output json.")
    return items


class InCluster:
    """A cluster as a pod in it sees it, through the API and with the account that the pod was given."""

    def __init__(self, host: str, port: int, account: Path = SERVICE_ACCOUNT) -> None:
        try:
            self._token = (account / "token").read_text(encoding="ascii").strip()
            self._trust = ssl.create_default_context(cafile=str(account / "ca.crt"))
        except (OSError, ValueError) as error:
            raise SnapshotError(f"The pod's account in {account} cannot be read ({error}). Mount its token.") from None
        self._host, self._port = host.strip("[]"), port

    @classmethod
    def found(cls, environment: Mapping[str, str] | None = None, account: Path = SERVICE_ACCOUNT) -> InCluster | None:
        """The cluster that this process runs in; null outside of one."""
        environment = os.environ if environment is None else environment
        host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT_HTTPS", "443")
        if not host or not port.isdigit() or not (account / "token").exists():
            return None
        return cls(host, int(port), account)

    def pods(self, namespace: str | None) -> list[dict[str, Any]]:
        """The pods."""
        return list(self._listed("api/v1", "pods", namespace, "application/json"))

    def owners(self, kind: str, namespace: str | None) -> list[dict[str, Any]] | None:
        """The replica sets or jobs; null when they may not be listed."""
        group, resource = _OWNERS[kind]
        try:
            return list(self._listed(f"apis/{group}", resource, namespace, _METADATA_ONLY))
        except _NotAllowedError:
            return None

    def has_namespace(self, name: str) -> bool | None:
        """Whether there is such a namespace; null when it may not be asked."""
        try:
            return self._get(f"/api/v1/namespaces/{quote(name, safe='')}", "application/json") is not None
        except _NotAllowedError:
            return None

    def _listed(self, group: str, resource: str, namespace: str | None, accept: str) -> Iterator[dict[str, Any]]:
        within = f"namespaces/{quote(namespace, safe='')}/" if namespace is not None else ""
        more = ""
        while True:
            query = urlencode({"limit": _PAGE, **({"continue": more} if more else {})})
            page = self._get(f"/{group}/{within}{resource}?{query}", accept)
            yield from _items(page)
            more = (page.get("metadata") or {}).get("continue") or ""
            if not more:
                return

    def _get(self, path: str, accept: str) -> Any:
        connection = http.client.HTTPSConnection(self._host, self._port, timeout=_TIMEOUT_SECONDS, context=self._trust)
        headers = {"Authorization": f"Bearer {self._token}", "Accept": accept}
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status in (401, 403):
                raise _NotAllowedError(_told(body, answer.status))
            if answer.status == 404:
                return None
            if answer.status != 200:
                raise Unanswered(f"The cluster's API answers {_told(body, answer.status)}. Try again.")
            return json.loads(body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unanswered(f"The cluster's API cannot be asked ({error}). Check the pod's network.") from None
        finally:
            connection.close()


class _NotAllowedError(Unanswered):
    """The account may not do this."""

    def __init__(self, told: str) -> None:
        super().__init__(f"The pod's account may not list this ({told}). Give it the role of docs/snapshots.md.")


def _told(body: bytes, status: int) -> str:
    try:
        return str(json.loads(body)["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return str(status)


def cluster_of(*, kubeconfig: str | None, context: str | None) -> Cluster:
    """The cluster meant: kubectl's if it is told which, else the one that this process runs in, else kubectl's."""
    inside = None if kubeconfig or context else InCluster.found()
    return inside or Kubectl(kubeconfig=kubeconfig, context=context)
