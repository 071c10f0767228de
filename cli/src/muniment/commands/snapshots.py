"""Snapshots: what runs in an environment, asked of its platform and reported as a whole."""

from __future__ import annotations

from muniment.artifacts import DIRECTORY_HASHES
from muniment.command import LIST, TEXTS, Argument, Command, Option
from muniment.commands import shared
from muniment.documents import Mutation
from muniment.exits import BadUsage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from muniment.context import Context
    from muniment.exits import ExitCode
    from muniment.snapshots.choice import Choice
    from muniment.snapshots.members import Report

REPORT = Mutation(
    "reportSnapshot", "ReportSnapshotInput", "SnapshotReported", "number isNew refused { place name why }"
)
_LISTED_MAX = 20

ENVIRONMENT = Argument("ENVIRONMENT", help="name of the environment")
CLUSTER = Option("--cluster", help="what the cluster is called, to tell several apart", value="NAME")
KUBECONFIG = Option(
    "--kubeconfig", "-k", help="kubectl's configuration; in a pod, default: the pod's account", value="FILE"
)
KUBE_CONTEXT = Option("--context", help="context of kubectl", value="NAME")
NAMESPACES = Option("--namespaces", "--namespace", "-n", kind=LIST, help="only these namespaces", value="NAMES")
NAMESPACES_REGEX = Option("--namespaces-regex", kind=TEXTS, help="and those that match", value="REGEX")
NOT_NAMESPACES = Option("--exclude-namespaces", "-x", kind=LIST, help="not these namespaces", value="NAMES")
NOT_NAMESPACES_REGEX = Option("--exclude-namespaces-regex", kind=TEXTS, help="nor those that match", value="REGEX")

INCLUDE = Option("--include", "-i", kind=LIST, help="only these", value="NAMES")
INCLUDE_REGEX = Option("--include-regex", kind=TEXTS, help="and those that match", value="REGEX")
EXCLUDE = Option("--exclude", "-x", kind=LIST, help="not these", value="NAMES")
EXCLUDE_REGEX = Option("--exclude-regex", kind=TEXTS, help="nor those that match", value="REGEX")
CHOOSING = (INCLUDE, INCLUDE_REGEX, EXCLUDE, EXCLUDE_REGEX)

PATTERNS = Option("--exclude", "-x", kind=LIST, help="globs to leave out of directories", value="PATTERNS")
DIR_HASH = Option("--dir-hash", choices=DIRECTORY_HASHES, default="dirHash1", help="how to fingerprint directories")
NAME = Option("--name", help="what the artifact is called; default: the path's last part", value="NAME")
PATH = Option("--path", "-p", help="the file or directory", value="PATH")
PATHS = Option("--paths", "-p", kind=LIST, help="files and directories", value="PATHS")
PATHS_FILE = Option("--paths-file", help="YAML or JSON: version: 1, artifacts: {NAME: {path, exclude}}", value="FILE")

BUCKET = Option("--bucket", help="the bucket", value="NAME")
REGION = Option("--aws-region", help="the region; default: as the AWS command line has it", value="REGION")
KEY_ID = Option("--aws-key-id", help="access key; default: as the AWS command line has it", value="ID")
SECRET_KEY = Option("--aws-secret-key", help="its secret; better in the environment", value="KEY")
ENDPOINT = Option("--aws-endpoint-url", help="another server that speaks the same protocol", value="URL")
AWS = (REGION, KEY_ID, SECRET_KEY, ENDPOINT)
CLUSTERS = Option("--clusters", "--cluster", "-C", kind=LIST, help="only these clusters", value="NAMES")
CLUSTERS_REGEX = Option("--clusters-regex", kind=TEXTS, help="and those that match", value="REGEX")
SERVICES = Option("--services", "--service", "-s", kind=LIST, help="only these services", value="NAMES")
SERVICES_REGEX = Option("--services-regex", kind=TEXTS, help="and those that match", value="REGEX")
NOT_SERVICES = Option("--exclude-services", kind=LIST, help="not these services", value="NAMES")
NOT_SERVICES_REGEX = Option("--exclude-services-regex", kind=TEXTS, help="nor those that match", value="REGEX")
FUNCTIONS = Option(
    "--function-names", "--function-name", "--include", kind=LIST, help="only these functions", value="NAMES"
)
FUNCTIONS_REGEX = Option(
    "--function-names-regex", "--include-regex", kind=TEXTS, help="and those that match", value="REGEX"
)

PROJECT = Option("--project", help="project of Google Cloud; default: gcloud's", value="ID")
GCP_REGION = Option("--region", help="only this region", value="REGION")
GROUP = Option("--azure-resource-group-name", "--resource-group", help="only this resource group", value="NAME")
SUBSCRIPTION = Option("--azure-subscription-id", "--subscription", help="the subscription; default: az's", value="ID")


def _report(context: Context, report: Report) -> ExitCode:
    """Send what was found; say on stderr what could not be read, here or by the server."""
    from muniment.snapshots.members import as_sent

    for remark in report.remarks:
        context.say(remark)
    _say_each(context, [(member.name, member.why) for member in report.members if member.why], "cannot be read")
    environment = context.argument("ENVIRONMENT")
    members, shortened = as_sent(report.members)
    for remark in shortened:
        context.say(remark)
    outcome = context.record(REPORT, {"environment": environment, "members": members})
    if outcome is not None:
        known = {place for place, member in enumerate(report.members) if member.why}
        refused = [(each["name"], each["why"]) for each in outcome["refused"] if each["place"] not in known]
        _say_each(context, refused, "were refused by the server")
        if outcome["refused"]:
            context.say(f"the snapshot is partial: {len(outcome['refused'])} of {len(members)} members are missing")
    return context.told(
        outcome,
        lambda told: [
            ("environment", environment),
            ("snapshot", f"{environment}#{told['number']}"),
            ("changed", told["isNew"]),
            ("members", len(members) - len(told["refused"])),
            ("left out", len(told["refused"]) or None),
        ],
    )


def _say_each(context: Context, faults: Sequence[tuple[str, str | None]], what: str) -> None:
    for name, why in faults[:_LISTED_MAX]:
        context.say(f"{name}: {why}")
    if len(faults) > _LISTED_MAX:
        context.say(f"{len(faults) - _LISTED_MAX} more {what}")


def _choice(
    context: Context, what: str, names: Option, regex: Option, without: Option, without_regex: Option
) -> Choice:
    from muniment.snapshots.choice import Choice

    return Choice(
        what,
        names=[name.rpartition("/")[2] if name.startswith("arn:") else name for name in context.texts(names)],
        expressions=context.texts(regex),
        without=context.texts(without),
        without_expressions=context.texts(without_regex),
    )


def _chosen(context: Context, what: str) -> Choice:
    return _choice(context, what, INCLUDE, INCLUDE_REGEX, EXCLUDE, EXCLUDE_REGEX)


def _k8s(context: Context) -> ExitCode:
    from muniment.snapshots.clusters import cluster_of, report_of

    chosen = _choice(context, "namespace", NAMESPACES, NAMESPACES_REGEX, NOT_NAMESPACES, NOT_NAMESPACES_REGEX)
    cluster = cluster_of(kubeconfig=context.text(KUBECONFIG), context=context.text(KUBE_CONTEXT))
    return _report(context, report_of(cluster, chosen, context.text(CLUSTER) or ""))


def _docker(context: Context) -> ExitCode:
    from muniment.images.daemon import DaemonError, daemon
    from muniment.snapshots.containers import report_of_daemon
    from muniment.snapshots.members import Unanswered

    try:
        engine = daemon(context.environment)
    except DaemonError as error:
        raise Unanswered(str(error)) from None
    return _report(context, report_of_daemon(engine, _chosen(context, "container")))


def _path(context: Context) -> ExitCode:
    from pathlib import Path

    from muniment.snapshots.paths import Place

    path = Path(context.required(PATH))
    place = Place(context.text(NAME) or path.resolve().name or str(path), path, context.texts(PATTERNS))
    return _report_places(context, [place])


def _paths(context: Context) -> ExitCode:
    from pathlib import Path

    from muniment.snapshots.paths import places_in

    return _report_places(context, places_in(Path(context.required(PATHS_FILE))), choosing=True)


def _server(context: Context) -> ExitCode:
    from pathlib import Path

    from muniment.snapshots.paths import Place

    paths = context.texts(PATHS)
    if not paths:
        raise BadUsage("Which paths are meant? Give --paths, or set MUNIMENT_PATHS.")
    return _report_places(context, [Place(path, Path(path), context.texts(PATTERNS)) for path in paths])


def _report_places(context: Context, places: Sequence[Any], *, choosing: bool = False) -> ExitCode:
    from muniment.snapshots.choice import Choice
    from muniment.snapshots.paths import report_of_places

    chosen = _chosen(context, "artifact") if choosing else Choice("artifact")
    return _report(context, report_of_places(places, chosen, directory_hash=context.text(DIR_HASH) or "dirHash1"))


def _amazon(context: Context, service: str) -> Any:
    from muniment.snapshots.amazon import client

    return client(
        service,
        region=context.text(REGION),
        key_id=context.text(KEY_ID),
        secret_key=context.text(SECRET_KEY),
        endpoint=context.text(ENDPOINT),
    )


def _s3(context: Context) -> ExitCode:
    from muniment.snapshots.buckets import Chosen, report_of_bucket

    chosen = Chosen(*(context.texts(option) for option in CHOOSING))
    return _report(context, report_of_bucket(_amazon(context, "s3"), context.required(BUCKET), chosen))


def _ecs(context: Context) -> ExitCode:
    from muniment.snapshots.tasks import report_of_ecs

    # Both may be given by their ARN, which ends with the name.
    clusters = _choice(context, "cluster", CLUSTERS, CLUSTERS_REGEX, EXCLUDE, EXCLUDE_REGEX)
    services = _choice(context, "service", SERVICES, SERVICES_REGEX, NOT_SERVICES, NOT_SERVICES_REGEX)
    return _report(context, report_of_ecs(_amazon(context, "ecs"), clusters, services))


def _lambda(context: Context) -> ExitCode:
    from muniment.snapshots.lambdas import report_of_lambda

    chosen = _choice(context, "function", FUNCTIONS, FUNCTIONS_REGEX, EXCLUDE, EXCLUDE_REGEX)
    return _report(context, report_of_lambda(_amazon(context, "lambda"), chosen))


def _cloud_run(context: Context) -> ExitCode:
    from muniment.snapshots import cloud_run

    chosen = _chosen(context, "service or job")
    return _report(context, cloud_run.ask(chosen, project=context.text(PROJECT), region=context.text(GCP_REGION)))


def _azure(context: Context) -> ExitCode:
    from muniment.snapshots import azure

    chosen = _chosen(context, "app")
    return _report(context, azure.ask(chosen, group=context.text(GROUP), subscription=context.text(SUBSCRIPTION)))


def _snapshot(
    kind: str, run: Callable[[Context], ExitCode], options: Sequence[Option], example: str, explanation: str
) -> Command:
    return Command(
        f"snapshot {kind}",
        run,
        arguments=[ENVIRONMENT],
        options=[*options, *shared.RECORDING],
        examples=[f"muniment snapshot {kind} {example}"],
        explanation=explanation,
    )


_NAMESPACES = (NAMESPACES, NAMESPACES_REGEX, NOT_NAMESPACES, NOT_NAMESPACES_REGEX)
_FILES = (
    "Files are known by their SHA-256, directories by in-toto's dirHash1. Patterns of .muniment_ignore are left out."
)
_AWS = "Needs the extra: pip install 'muniment[aws]'. Regions and keys come from where the AWS command line has them."

COMMANDS = (
    _snapshot(
        "k8s",
        _k8s,
        (*_NAMESPACES, CLUSTER, KUBECONFIG, KUBE_CONTEXT),
        "production --namespaces app,database",
        "Reports every container that runs, init and debug containers too, by the digest that the cluster tells. Asks through "
        "kubectl, or from inside a pod with its account. With namespaces given by name, rights in those are enough.",
    ),
    _snapshot(
        "docker",
        _docker,
        CHOOSING,
        "build-server --exclude-regex '^ci-'",
        "Reports every running container of the engine on this machine, Docker or Podman. Names are those of the containers.",
    ),
    _snapshot(
        "path", _path, (PATH, NAME, PATTERNS, DIR_HASH), "server --path /srv/shop --name shop --exclude logs", _FILES
    ),
    _snapshot("dir", _path, (PATH, NAME, PATTERNS, DIR_HASH), "server --path /srv/shop", f"The same as path. {_FILES}"),
    _snapshot("paths", _paths, (PATHS_FILE, *CHOOSING, DIR_HASH), "server --paths-file artifacts.yaml", _FILES),
    _snapshot("server", _server, (PATHS, PATTERNS, DIR_HASH), "server --paths /srv/shop,/etc/shop.conf", _FILES),
    _snapshot(
        "s3",
        _s3,
        (BUCKET, *CHOOSING, *AWS),
        "website --bucket www.example.org --exclude drafts",
        "Reports the objects of a bucket as one artifact: as the directory that they would be; one object alone as the file that "
        f"it is. Names are keys, prefixes or globs. {_AWS}",
    ),
    _snapshot(
        "ecs",
        _ecs,
        (
            CLUSTERS,
            CLUSTERS_REGEX,
            EXCLUDE,
            EXCLUDE_REGEX,
            SERVICES,
            SERVICES_REGEX,
            NOT_SERVICES,
            NOT_SERVICES_REGEX,
            *AWS,
        ),
        "production --clusters main --exclude-services-regex '^batch-'",
        f"Reports every container of the running tasks. {_AWS}",
    ),
    _snapshot(
        "lambda",
        _lambda,
        (FUNCTIONS, FUNCTIONS_REGEX, EXCLUDE, EXCLUDE_REGEX, *AWS),
        "production --function-names-regex '^shop-'",
        f"Reports functions by the digest that Lambda tells of their code. {_AWS}",
    ),
    _snapshot(
        "cloud-run",
        _cloud_run,
        (PROJECT, GCP_REGION, *CHOOSING),
        "production --project shop --region europe-west1",
        "Reports the revisions that serve, and the jobs. Asks through gcloud.",
    ),
    _snapshot(
        "azure",
        _azure,
        (GROUP, SUBSCRIPTION, *CHOOSING),
        "production --resource-group shop",
        "Reports web and function apps that are running. Asks through az.",
    ),
)
