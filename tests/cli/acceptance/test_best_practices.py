"""Every command of the published practices runs as it is written: with `muniment` for `kosli`, and with an alias and KOSLI_*.

What stands around the commands (docker, kubectl, trivy, the test runners) is played by small programs that answer as the real ones
do, because no cluster and no container engine runs here; jq is the real one, as a library. The server is real.
"""

import os
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from tests.cli.running import SOURCES, Muniment, git_repository

BLOCKS = (Path(__file__).parents[1] / "data" / "best-practices.txt").read_text().split("--------\n")
TITLES = [next(line[2:] for line in block.splitlines() if line.startswith("# ")) for block in BLOCKS]
TITLES[0] = "Evidence Completeness"
RESULTS = '<testsuite name="suite" tests="1"><testcase classname="suite" name="test"/></testsuite>'
SCAN = (
    '{"SchemaVersion":2,"ArtifactName":"app","Results":[{"Target":"app",'
    '"Vulnerabilities":[{"VulnerabilityID":"CVE-1","Severity":"LOW"}]}]}'
)
SKIPPED = re.compile(r"(- )?(name|id|continue-on-error|schedule|cron|jobs|snapshot|steps|stage|script|test_\w+):.*")


def script_of(block: str, values: dict[str, str]) -> str:
    """The shell script of a block: steps without their YAML, what the CI system fills in, and no ellipses."""
    lines = []
    for raw in block.splitlines():
        line = raw.strip()
        if SKIPPED.fullmatch(line) or line in ("run: |", "- run: |") or line.startswith("#"):
            continue
        line = re.sub(r"^(- )?run: |^- ", "", line)
        line = re.sub(r"\$\{\{ *([\w.]+) *\}\}", lambda found: values[found[1]], line)
        line = line.replace("report deployment ... ", "report deployment production ")
        lines.append(re.sub(r"(report artifact \S+) \.\.\.", r"\1", line))
    return "\n".join(lines)


def digest_of(image: str) -> str:
    return sha256(image.encode()).hexdigest()


@pytest.fixture
def pipeline(muniment: Muniment) -> Muniment:
    """A build's directory: a repository, the programs that a pipeline has, and a record in which flows and environments are."""
    commit = git_repository(muniment.folder)
    programs = muniment.folder / "programs"
    programs.mkdir()
    _program(programs / "muniment", f'exec env PYTHONPATH={SOURCES} {sys.executable} -m muniment "$@"')
    _program(programs / "jq", f'exec {sys.executable} {_JQ_FILE(programs)} "$@"')
    _program(programs / "docker", f'exec {sys.executable} {_DOCKER_FILE(programs)} "$@"')
    _program(programs / "kubectl", f'exec {sys.executable} {_KUBECTL_FILE(programs)} "$@"')
    _program(programs / "pytest", f"echo '{RESULTS}' > \"${{1#--junitxml=}}\"")
    _program(programs / "npm", f"echo '{RESULTS}'")
    _program(programs / "trivy", f"echo '{SCAN}' > scan.json")
    _program(programs / "sleep", "true")
    flow = muniment.environment.pop("MUNIMENT_FLOW")
    muniment.environment |= {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "DOCKER_HOST": "tcp://an-engine-that-is-asked-by-its-command:2375",
        "GIT_SHA": commit,
        "VERSION": "v1.0",
        "ARTIFACT": f"shop:{commit}",
        "BUILD_URL": "https://ci.example.org/builds/7",
        "FLOW": flow,
        "COMMIT": commit,
    }
    for name in ("myapp", "payment-api"):
        muniment("create", "flow", name)
    for name, kind in (("dev", "docker"), ("staging", "docker"), ("production", "k8s")):
        muniment("create", "environment", name, "--type", kind)
    for image in ("myapp:v1.0", f"myapp:{commit}"):
        told = muniment.run("report", "artifact", image, "--artifact-type", "docker", "--flow", "myapp")
        assert told.code == 0, told.said
    reviewed = ["attest", "generic", "--name", "myapp.review", "--compliant", "--flow", "myapp"]
    assert muniment(*reviewed).code == 0
    return muniment


@pytest.mark.parametrize("spelled", ["muniment", "kosli"])
@pytest.mark.parametrize("block", BLOCKS, ids=TITLES)
def test_the_commands_run_as_they_are_written(block: str, spelled: str, pipeline: Muniment) -> None:
    values = {
        "github.sha": pipeline.environment["COMMIT"],
        "github.server_url": "https://github.com",
        "github.repository": "acme/shop",
        "github.run_id": "77",
    }
    script = script_of(block, values)
    assert "kosli " in script
    shop = "ARTIFACT=" not in script and "$ARTIFACT" in script
    environment = dict(pipeline.environment)
    environment["MUNIMENT_FLOW"] = environment.pop("FLOW") if shop else "myapp"
    if spelled == "muniment":
        script = re.sub(r"\bkosli ", "muniment ", script)
    else:
        script = "shopt -s expand_aliases\nalias kosli=muniment\n" + script
        environment["KOSLI_API_TOKEN"] = environment.pop("MUNIMENT_API_KEY")
        for name in ("HOST", "FLOW"):
            environment[f"KOSLI_{name}"] = environment.pop(f"MUNIMENT_{name}")
        environment["KOSLI_ORG"] = "acme"

    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=pipeline.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert ran.returncode == 0, f"{script}\n{ran.stdout}\n{ran.stderr}"
    assert "Kosli reporting failed" not in ran.stdout


def test_the_example_ends_with_a_compliant_artifact_that_was_deployed_and_is_running(pipeline: Muniment) -> None:
    flow, image = pipeline.environment["FLOW"], pipeline.environment["ARTIFACT"]
    values = {
        "github.sha": pipeline.environment["COMMIT"],
        "github.server_url": "https://github.com",
        "github.repository": "acme/shop",
        "github.run_id": "77",
    }
    script = script_of(BLOCKS[-1], values).replace("kosli ", "muniment ")
    environment = {**pipeline.environment, "MUNIMENT_FLOW": flow}
    subprocess.run(["bash", "-euc", script], cwd=pipeline.folder, env=environment, check=True, timeout=300)

    artifact = pipeline("get", "artifact", image, "--flow", flow, "--output", "json").json

    assert artifact["compliant"] is True
    assert artifact["fingerprint"] == digest_of(image)
    report = artifact["reports"][0]
    assert {(each["name"], each["type"]) for each in report["attestations"]} == {
        ("tests", "junit"),
        ("security-scan", "trivy"),
    }
    assert report["buildUrl"] == "https://github.com/acme/shop/actions/runs/77"
    assert report["commit"]["message"].startswith("Add refunds")
    assert {each["environmentName"] for each in artifact["deployments"]} == {"production"}
    assert ("production", None) in [(run["environmentName"], run["until"]) for run in artifact["runs"]]
    flow_told = pipeline("get", "flow", flow, "--output", "json").json
    assert flow_told["artifacts"][0]["evidence_count"] == 2
    assert pipeline("assert", "artifact", image, "--flow", flow).code == 0


def test_evidence_without_a_verdict_is_refused_unless_a_scanner_wrote_it(pipeline: Muniment) -> None:
    path = pipeline.file("notes.txt", "looks good to me")
    words = ["report", "evidence", "generic", "--flow", "myapp", "--evidence-type", "scan", "--attachments"]

    assert pipeline(*words, path).code == 2
    assert pipeline(*words, path, "--compliant=true").code == 0
    critical = pipeline.file("scan.json", SCAN.replace("LOW", "CRITICAL"))
    told = pipeline(*words, critical, "--output", "json")
    assert (told.code, told.json["compliant"]) == (0, False)


def test_a_report_among_the_attachments_counts_once(pipeline: Muniment) -> None:
    for number in range(99):
        pipeline.file(f"all/{number}.txt", str(number))
    scan = pipeline.file("all/scan.json", SCAN)
    words = ["report", "evidence", "generic", "--flow", "myapp", "--evidence-type", "scan", "--attachments"]

    told = pipeline(*words, str(Path(scan).parent))

    assert told.code == 0, told.said


def _program(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def _JQ_FILE(folder: Path) -> Path:
    path = folder / "jq.play.py"
    path.write_text(
        "import json, sys\nimport jq\nraw = '-r' in sys.argv\nprogram = [w for w in sys.argv[1:] if w != '-r'][0]\n"
        "for value in jq.compile(program).input_text(sys.stdin.read()).all():\n"
        "    print(value if raw and isinstance(value, str) else json.dumps(value))\n"
    )
    return path


def _DOCKER_FILE(folder: Path) -> Path:
    path = folder / "docker.play.py"
    path.write_text(
        "import json, sys\nfrom hashlib import sha256\nif sys.argv[1:3] == ['image', 'inspect']:\n"
        "    name = sys.argv[3]\n    digest = 'sha256:' + sha256(name.encode()).hexdigest()\n"
        "    print(json.dumps([{'Id': digest, 'RepoDigests': [name.partition(':')[0] + '@' + digest]}]))\n"
    )
    return path


def _KUBECTL_FILE(folder: Path) -> Path:
    """A cluster in which one pod of the image $ARTIFACT runs in each namespace."""
    path = folder / "kubectl.play.py"
    path.write_text(
        "import json, os, sys\nfrom hashlib import sha256\nwords = sys.argv[1:]\nif words[:1] != ['get']:\n    sys.exit(0)\n"
        "if words[1] == 'namespace':\n    print(json.dumps({'kind': 'Namespace'}))\n    sys.exit(0)\n"
        "image = os.environ['ARTIFACT']\ndigest = 'sha256:' + sha256(image.encode()).hexdigest()\n"
        "space = next((w.partition('=')[2] for w in words if w.startswith('--namespace=')), 'default')\n"
        "pod = {'metadata': {'name': 'shop-1', 'namespace': space, 'uid': '1', 'creationTimestamp': '2026-11-01T12:00:00Z'},\n"
        "  'spec': {'containers': [{'name': 'shop', 'image': image}]},\n"
        "  'status': {'phase': 'Running', 'containerStatuses': [{'name': 'shop', 'image': image,\n"
        "     'imageID': 'docker-pullable://' + image.partition(':')[0] + '@' + digest, 'ready': True,\n"
        "     'state': {'running': {'startedAt': '2026-11-01T12:00:00Z'}}}]}}\n"
        "print(json.dumps({'kind': 'List', 'items': [pod] if words[1] == 'pods' else []}))\n"
    )
    return path
