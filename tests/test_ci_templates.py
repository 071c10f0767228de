"""What users copy from docs/: the GitHub action, the GitLab template, the manifests and units parse, and do what they say.

GitHub's and GitLab's files are held against the JSON Schemas that the package check-jsonschema carries.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from muniment.commands.index import COMMANDS
from muniment.parsing import load, parse

ROOT = Path(__file__).resolve().parent.parent
CI = ROOT / "docs" / "ci"
SNAPSHOTS = ROOT / "docs" / "snapshots"
ACTION = CI / "github" / "action.yml"
TEMPLATE = CI / "gitlab" / "muniment.gitlab-ci.yml"
MANIFESTS = sorted(SNAPSHOTS.glob("*.yaml"))


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


# --- CI systems


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("vendor.github-actions", ACTION),
        ("vendor.github-workflows", CI / "github" / "delivery.yml"),
        ("vendor.gitlab-ci", TEMPLATE),
        ("vendor.gitlab-ci", CI / "gitlab" / "delivery.gitlab-ci.yml"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_files_for_ci_systems_are_valid_by_their_schemas(schema: str, file: Path) -> None:
    transform = ["--data-transform", "gitlab-ci"] if "gitlab" in schema else []
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *transform, str(file)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr


def commands_in(text: str) -> Iterator[list[str]]:
    """The words of each `muniment` command in a script, without redirections."""
    for line in text.replace("\\\n", " ").splitlines():
        command = re.search(r"(?:^|&& |ExecStart=\S*/|- |: )muniment ([a-z].*?)(?: >>.*)?$", line.strip())
        if command and not line.strip().startswith("#"):
            words = re.findall(r"\"[^\"]*\"|'[^']*'|\S+", command[1])
            yield [word.strip("\"'") for word in words]


COPIED = [*sorted(CI.rglob("*.yml")), *sorted(SNAPSHOTS.glob("*.service"))]


@pytest.mark.parametrize("file", COPIED, ids=lambda file: file.name)
def test_every_command_that_is_shown_is_one(file: Path) -> None:
    shown = [words for words in commands_in(file.read_text()) if "--version" not in words]

    for words in shown:
        verb = next(
            (" ".join(words[:length]) for length in range(4, 0, -1) if " ".join(words[:length]) in COMMANDS), None
        )
        assert verb, f"{file.name} shows {' '.join(words)}, which is no command."
        parse(load(verb), words[len(verb.split()) :])
    assert shown or file == CI / "gitlab" / "delivery.gitlab-ci.yml"


def filled(value: str, inputs: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ inputs\.([a-z-]+) \}\}", lambda found: inputs.get(found[1], ""), value)


def test_the_action_installs_the_client_and_tells_the_server(tmp_path: Path) -> None:
    """Its steps, run as the runner runs them, with the client of this tree."""
    steps = read(ACTION)["runs"]["steps"]
    given = {
        "host": "http://127.0.0.1:1",
        "organization": "shop",
        "api-key": "mun_secret",
        "flow": "web",
        "python": sys.executable,
    }
    files = {name: tmp_path / name for name in ("GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_ENV")}
    environment = {
        **os.environ,
        **{name: str(path) for name, path in files.items()},
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_ACTION_PATH": str(ACTION.parent),
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",
        "PYTHONPATH": str(Path(yaml.__file__).parents[1]),
    }
    told = ""
    for step in steps[:2]:
        named = {
            name: re.sub(r"\$\{\{ inputs\.([a-z-]+) \}\}", lambda found: given.get(found[1], ""), value)
            for name, value in step["env"].items()
        }
        ran = subprocess.run(
            ["bash", "-c", step["run"]], env={**environment, **named}, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        told += ran.stdout

    installed = Path(files["GITHUB_PATH"].read_text().strip()) / "muniment"
    assert installed.is_file()
    assert files["GITHUB_OUTPUT"].read_text().startswith("version=")
    variables = dict(line.split("=", 1) for line in files["GITHUB_ENV"].read_text().splitlines())
    assert variables["MUNIMENT_HOST"] == "http://127.0.0.1:1"
    assert variables["MUNIMENT_FLOW"] == "web"
    key = Path(variables["MUNIMENT_API_KEY_FILE"])
    assert key.read_text() == "mun_secret"
    assert key.stat().st_mode & 0o077 == 0
    assert told.count("mun_secret") == 1
    assert "::add-mask::mun_secret" in told


def test_the_action_puts_nothing_that_was_given_into_a_script() -> None:
    for step in read(ACTION)["runs"]["steps"]:
        assert "${{" not in step["run"]


def test_jobs_that_extend_the_template_extend_something_that_is_there() -> None:
    template = read(TEMPLATE)
    for file in (TEMPLATE, CI / "gitlab" / "delivery.gitlab-ci.yml"):
        extended = {job["extends"] for job in read(file).values() if isinstance(job, dict) and "extends" in job}
        assert extended
        assert extended <= set(template)


# --- Kubernetes


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.name)
def test_manifests_say_what_they_are(file: Path) -> None:
    for document in documents(file):
        assert {"apiVersion", "kind", "metadata"} <= set(document)
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", document["metadata"]["name"])


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.name)
def test_the_account_may_list_and_nothing_else(file: Path) -> None:
    rules = [rule for document in documents(file) for rule in document.get("rules", [])]

    assert {verb for rule in rules for verb in rule["verbs"]} == {"list"}
    assert {resource for rule in rules for resource in rule["resources"]} == {"pods", "replicasets", "jobs"}


def test_roles_are_bound_to_the_account_that_the_job_runs_as() -> None:
    kinds = {document["kind"]: document for document in documents(SNAPSHOTS / "kubernetes.yaml")}
    pod = kinds["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    account = kinds["ServiceAccount"]["metadata"]

    assert pod["serviceAccountName"] == account["name"]
    assert kinds["CronJob"]["metadata"]["namespace"] == account["namespace"] == kinds["Namespace"]["metadata"]["name"]
    for binding in (kinds["ClusterRoleBinding"], documents(SNAPSHOTS / "kubernetes-one-namespace.yaml")[1]):
        assert binding["subjects"] == [{"kind": "ServiceAccount", **account}]
    assert kinds["ClusterRoleBinding"]["roleRef"]["name"] == kinds["ClusterRole"]["metadata"]["name"]


def test_the_job_is_one_at_a_time_and_may_do_little() -> None:
    [job] = [document for document in documents(SNAPSHOTS / "kubernetes.yaml") if document["kind"] == "CronJob"]
    spec = job["spec"]
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    [container] = pod["containers"]

    assert spec["concurrencyPolicy"] == "Forbid"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    words = [*container["command"], *container["args"]]
    assert words[:3] == ["muniment", "snapshot", "k8s"]
    parse(load("snapshot k8s"), words[3:])
    variables = {variable["name"] for variable in container["env"]}
    assert "MUNIMENT_API_KEY" not in variables, "The key is a file: variables are seen by whoever may look at the pod."
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}


# --- systemd


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_units_are_what_systemd_expects(tmp_path: Path) -> None:
    for name in ("muniment-snapshot.service", "muniment-snapshot.timer"):
        text = (SNAPSHOTS / name).read_text().replace("/opt/muniment/bin/muniment", "/bin/true")
        (tmp_path / name).write_text(text)

    checked = subprocess.run(
        [
            "systemd-analyze",
            "verify",
            "--man=no",
            str(tmp_path / "muniment-snapshot.timer"),
            str(tmp_path / "muniment-snapshot.service"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    ours = [line for line in checked.stderr.splitlines() if "muniment-snapshot" in line]
    assert ours == []
    assert checked.returncode == 0, checked.stderr


def test_the_timers_instants_are_understood() -> None:
    timer = (SNAPSHOTS / "muniment-snapshot.timer").read_text()

    assert re.search(r"^OnCalendar=\*:0/5$", timer, flags=re.MULTILINE)
    assert "Persistent=true" in timer
