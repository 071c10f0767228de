"""Every page of an organization, in the order of the navigation. A page is one entry here, its document and its template."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from api.console.page import Page, instant_from
from record.clock import to_rfc3339

WINDOW: Final = timedelta(days=90)
"""What a report shows when nobody chose."""
JUDGED_MAX: Final = 1_000
"""How many artifacts may run in an environment whose page judges all of them unasked."""


def _snapshot(given: Mapping[str, str]) -> dict[str, Any]:
    return {"expression": f"#{given['number']}"}


def _compared(given: Mapping[str, str]) -> dict[str, Any]:
    """The snapshots to compare; without a choice, the newest with the one before."""
    environment = given["environment"]
    return {
        name: environment + (given.get(name, "").strip().removeprefix(environment) or unsaid)
        for name, unsaid in (("old", "~1"), ("new", ""))
    }


def _entry(given: Mapping[str, str]) -> dict[str, Any]:
    index = given["index"]
    return {"covering": int(index) + 1} if index.isascii() and index.isdecimal() and len(index) < 16 else {}


def _asked_for(given: Mapping[str, str]) -> dict[str, Any]:
    text = given.get("q", "").strip()
    return {"q": text, "isAsked": bool(text)}


def _tried(answered: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """A policy is tried as it is written in the form, else as it is recorded, against the chosen environment."""
    policy = (answered.get("record") or {}).get("policy") or {"document": ""}
    against = given.get("against", "")
    return {
        "document": given.get("document") or policy["document"],
        "environment": against,
        "isTried": bool(against and (given.get("document") or policy["document"])),
    }


def _window(answered: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """The window of a report: as chosen, else the 90 days before the moment."""
    until = instant_from(given["to"]) if given.get("to") else (answered.get("record") or {})["instant"]
    begin = datetime.fromisoformat(until) - WINDOW
    return {"from": instant_from(given["from"]) if given.get("from") else to_rfc3339(begin), "to": until}


def _in_full(answered: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """Whether all that runs in the environment is judged for the page: where it is not much, or when somebody asks for it."""
    environment = (answered.get("record") or {}).get("environment") or {"artifactCount": 0}
    return {"inFull": environment["artifactCount"] <= JUDGED_MAX or bool(given.get("worst"))}


PAGES: Final = (
    Page("home", "/", "Home", section="home"),
    Page("environments", "/environments", "Environments", section="environments"),
    Page(
        "environment",
        "/environments/{environment}",
        "{environment}",
        section="environments",
        subject="environment",
        rows=25,
        follows=_in_full,
    ),
    Page(
        "snapshot",
        "/environments/{environment}/snapshots/{number}",
        "{environment} #{number}",
        section="environments",
        subject="environment",
        derived=_snapshot,
    ),
    Page(
        "compare",
        "/environments/{environment}/compare",
        "Compare snapshots of {environment}",
        section="environments",
        subject="environment",
        derived=_compared,
    ),
    Page(
        "deployments",
        "/environments/{environment}/deployments",
        "Deployments to {environment}",
        section="environments",
        subject="environment",
    ),
    Page("deployment", "/deployments/{id}", "Deployment", section="environments", subject="deployment"),
    Page("flows", "/flows", "Flows", section="flows"),
    Page("flow", "/flows/{flow}", "{flow}", section="flows", subject="flow", rows=30),
    Page("trail", "/flows/{flow}/trails/{trail}", "{trail}", section="flows", subject="trail"),
    Page("evidence", "/attestations/{id}/evidence/{digest}", "Evidence", section="flows"),
    Page(
        "artifact",
        "/artifacts/{fingerprint}",
        "Artifact {fingerprint}",
        section="flows",
        subject="artifact",
        otherwise="whereabouts",
    ),
    Page("approvals", "/approvals", "Approvals", section="approvals"),
    Page("approval", "/approvals/{id}", "Approval", section="approvals", subject="approval"),
    Page("policies", "/policies", "Policies", section="policies"),
    Page("policy", "/policies/{policy}", "{policy}", section="policies", subject="policy", follows=_tried),
    Page("controls", "/controls", "Controls", section="controls"),
    Page(
        "framework",
        "/controls/{framework}",
        "{framework}",
        section="controls",
        subject="framework",
        follows=_window,
    ),
    Page(
        "control",
        "/controls/{framework}/{control}",
        "{control}",
        section="controls",
        subject="framework.control",
        follows=_window,
    ),
    Page("adoption", "/adoption", "Adoption", section="controls", follows=_window),
    Page("archives", "/archives", "Archives", section="archives", rows=30),
    Page("archive", "/archives/{id}", "Archive", section="archives", subject="archive"),
    Page("ledger", "/ledger", "Ledger", section="ledger", rows=40, newest_last=True),
    Page("checkpoints", "/ledger/checkpoints", "Checkpoints", section="ledger", rows=40),
    Page("entry", "/ledger/{index}", "Entry {index}", section="ledger", subject="ledger.entry", derived=_entry),
    Page("search", "/search", "Search", derived=_asked_for),
    Page("settings", "/settings", "Settings", section="settings"),
    Page("notices", "/settings/notices", "Notices", section="settings"),
    Page("notice", "/settings/notices/{notice}", "{notice}", section="settings", subject="notice"),
)

SECTIONS: Final = (
    ("home", "Home"),
    ("environments", "Environments"),
    ("flows", "Flows"),
    ("approvals", "Approvals"),
    ("policies", "Policies"),
    ("controls", "Controls"),
    ("archives", "Archives"),
    ("ledger", "Ledger"),
    ("settings", "Settings"),
)
"""The navigation: the pages by which each part begins, and what it is called."""
