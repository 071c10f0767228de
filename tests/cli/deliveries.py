"""What the client's acceptance tests deliver: a flow with a template, an artifact of it, and an environment."""

import pytest

from tests.cli.running import Muniment, git_repository

POLICY = "version: 1\nartifacts:\n  attestations:\n    - {name: unit-tests, type: junit}\n"
TEMPLATE = (
    "version: 1\ntrail:\n  attestations: []\n  artifacts:\n    - name: app\n      attestations:\n"
    "        - {name: unit-tests, type: junit}\n"
)
PASSED = '<testsuite name="s" tests="1"><testcase name="t"/></testsuite>'
FAILED = '<testsuite name="s" tests="1"><testcase name="t"><failure message="no"/></testcase></testsuite>'


@pytest.fixture
def delivery(muniment: Muniment) -> Muniment:
    """A flow with a template, an artifact that was reported, and an environment."""
    git_repository(muniment.folder)
    flow = muniment.environment["MUNIMENT_FLOW"]
    muniment.environment["PRODUCTION"] = f"{flow}-production"
    muniment.file("app.jar", f"bytes of {flow}")
    template = muniment.file("template.yml", TEMPLATE)
    for words in (
        ["create", "flow", flow, "--template-file", template, "--tag", "tier=product"],
        ["create", "environment", f"{flow}-production", "--type", "server"],
        ["report", "artifact", "app.jar"],
    ):
        told = muniment(*words)
        assert told.code == 0, told.said
    return muniment
