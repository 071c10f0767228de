"""What can be done from the console: each a form, a mutation in a file of its own, and where it leads.

A refusal shows the page that the form stood on once more, with the sentence that says why and with everything that was written.
What is recorded leads on to a page that names its entry.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from starlette.requests import Request

from api.console import forms, uploads
from api.console.forms import Form, Reader
from api.console.page import Document
from api.console.uploads import File
from api.console.visitors import Visitor

MUTATIONS: Final = Path(__file__).parent / "mutations"
Answer = Mapping[str, Any]
Brings: TypeAlias = Callable[[Request, Visitor, Form, dict[str, File]], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a form does. `path` is below `/o/<organization>` and takes POST alone."""

    name: str
    path: str
    page: str
    """The page that the form stands on; the names of its address are in the action's as well."""
    reads: Mapping[str, Reader]
    """The mutation's input, by its fields."""
    leads_to: Callable[[Answer, Mapping[str, str]], tuple[str, dict[str, Any]]] | None = None
    """The page that comes next and its address; the same page when left out."""
    shows: str | None = None
    """A template that shows the answer at once, because it is never shown again."""
    anchor: str = ""
    brings: Brings | None = None
    """The form carries a file: what becomes of it, as fields of the mutation's input."""
    document: Document = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "document", Document.read(MUTATIONS / f"{self.name}.graphql"))

    def input_of(self, form: Form, address: Mapping[str, str]) -> dict[str, Any]:
        """The mutation's input. What is None is left out."""
        given = {**form, **{name: [value] for name, value in address.items()}}
        found = {name: read(given) for name, read in self.reads.items()}
        found["idempotencyKey"] = forms.said(form, "once") or None
        return {name: value for name, value in found.items() if value is not None}


def _to_archive(answer: Answer, _address: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    return "archive", {"id": answer["archive"]["id"]}


def _to_policy(answer: Answer, _address: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    return "policy", {"policy": answer["policy"]["name"]}


def _to_approval(answer: Answer, _address: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    return "approval", {"id": answer["approval"]["id"]}


def _to_waivers(_answer: Answer, _address: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    return "approvals", {}


def _to_framework(answer: Answer, _address: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    return "framework", {"framework": answer["framework"]["name"]}


ACTIONS: Final = (
    Action(
        "request-archive",
        "/archives",
        "archives",
        {
            "kind": forms.text("kind"),
            "flow": forms.optional("flow"),
            "trail": forms.optional("trail"),
            "fingerprint": forms.optional("fingerprint"),
            "environment": forms.optional("environment"),
            "framework": forms.optional("framework"),
            "control": forms.optional("control"),
            "since": forms.instant("since"),
            "until": forms.instant("until"),
            "size": forms.number("size"),
        },
        leads_to=_to_archive,
    ),
    Action(
        "add-person",
        "/settings/people",
        "settings",
        {"name": forms.text("name"), "grants": lambda form: forms.grants(form) or []},
        anchor="people",
    ),
    Action(
        "add-service-account",
        "/settings/service-accounts",
        "settings",
        {"name": forms.text("name"), "grants": lambda form: forms.grants(form) or []},
        anchor="people",
    ),
    Action(
        "change-principal",
        "/settings/principals",
        "settings",
        {"name": forms.text("name"), "grants": forms.grants, "disabled": forms.flag("disabled")},
        anchor="people",
    ),
    Action(
        "issue-key",
        "/settings/keys",
        "settings",
        {
            "description": forms.text("description"),
            "principal": forms.optional("principal"),
            "scopes": forms.grants,
            "expiresInDays": forms.number("days"),
        },
        shows="key.html",
        anchor="keys",
    ),
    Action(
        "rotate-key",
        "/settings/keys/rotate",
        "settings",
        {"keyId": forms.text("key"), "overlapHours": forms.number("hours"), "expiresInDays": forms.number("days")},
        shows="key.html",
        anchor="keys",
    ),
    Action(
        "revoke-key",
        "/settings/keys/revoke",
        "settings",
        {"keyId": forms.text("key"), "reason": forms.text("reason")},
        anchor="keys",
    ),
    Action(
        "trust-signing-key",
        "/settings/signing-keys",
        "settings",
        {"name": forms.text("name"), "pem": forms.document("pem")},
        anchor="signing-keys",
    ),
    Action(
        "retire-signing-key",
        "/settings/signing-keys/retire",
        "settings",
        {"name": forms.text("name")},
        anchor="signing-keys",
    ),
    Action(
        "request-approval",
        "/artifacts/{fingerprint}/approval",
        "artifact",
        {
            "fingerprint": forms.text("fingerprint"),
            "environment": forms.text("environment"),
            "description": forms.text("description"),
        },
        leads_to=_to_approval,
    ),
    Action(
        "review-approval",
        "/approvals/{id}/review",
        "approval",
        {"id": forms.text("id"), "decision": forms.text("decision"), "comment": forms.text("comment")},
    ),
    Action(
        "withdraw-approval",
        "/approvals/{id}/withdraw",
        "approval",
        {"id": forms.text("id"), "comment": forms.text("comment")},
    ),
    Action(
        "request-waiver",
        "/artifacts/{fingerprint}/waiver",
        "artifact",
        {
            "fingerprint": forms.text("fingerprint"),
            "environment": forms.text("environment"),
            "reason": forms.text("reason"),
            "expiresAt": forms.instant("until"),
        },
        leads_to=_to_waivers,
        anchor="waivers",
    ),
    Action(
        "accept-waiver",
        "/waivers/{id}/accept",
        "approvals",
        {"id": forms.text("id"), "comment": forms.text("comment")},
        anchor="waivers",
    ),
    Action(
        "revoke-waiver",
        "/waivers/{id}/revoke",
        "approvals",
        {"id": forms.text("id"), "reason": forms.text("reason")},
        anchor="waivers",
    ),
    Action(
        "create-notice",
        "/settings/notices",
        "notices",
        {
            "name": forms.text("name"),
            "channel": forms.text("channel"),
            "triggers": lambda form: list(form.get("trigger", ())),
            "url": forms.optional("url"),
            "addresses": forms.names("addresses"),
            "flows": forms.names("flows"),
            "environments": forms.names("environments"),
        },
        shows="secret.html",
    ),
    Action("test-notice", "/settings/notices/{notice}/test", "notice", {"name": forms.text("notice")}),
    Action(
        "disable-notice",
        "/settings/notices/{notice}/disable",
        "notice",
        {"name": forms.text("notice"), "reason": forms.text("reason")},
    ),
    Action(
        "rotate-notice-secret",
        "/settings/notices/{notice}/secret",
        "notice",
        {"name": forms.text("notice"), "overlapHours": forms.number("hours")},
        shows="secret.html",
    ),
    Action("replay-delivery", "/settings/notices/{notice}/replay", "notice", {"delivery": forms.text("delivery")}),
    Action(
        "create-policy",
        "/policies",
        "policies",
        {
            "name": forms.text("name"),
            "description": forms.text("description"),
            "document": forms.document("document"),
        },
        leads_to=_to_policy,
    ),
    Action(
        "change-policy",
        "/policies/{policy}/change",
        "policy",
        {"name": forms.text("policy"), "document": forms.document("document"), "comment": forms.text("comment")},
    ),
    Action(
        "attach-policy",
        "/policies/{policy}/attach",
        "policy",
        {"policy": forms.text("policy"), "environment": forms.text("environment")},
        anchor="environments",
    ),
    Action(
        "detach-policy",
        "/policies/{policy}/detach",
        "policy",
        {"policy": forms.text("policy"), "environment": forms.text("environment")},
        anchor="environments",
    ),
    Action(
        "import-controls",
        "/controls",
        "controls",
        {
            "framework": forms.text("framework"),
            "title": forms.optional("title"),
            "description": forms.optional("description"),
            "comment": forms.text("comment"),
        },
        leads_to=_to_framework,
        anchor="import",
        brings=uploads.catalogue,
    ),
    Action(
        "create-framework",
        "/frameworks",
        "controls",
        {
            "name": forms.text("name"),
            "title": forms.text("title"),
            "controls": forms.controls("controls"),
            "description": forms.text("description"),
            "comment": forms.text("comment"),
        },
        leads_to=_to_framework,
        anchor="by-hand",
    ),
    Action(
        "map-control",
        "/controls/{framework}/{control}/mapping",
        "control",
        {
            "framework": forms.text("framework"),
            "control": forms.text("control"),
            "requirements": forms.requirements,
            "environments": forms.names("environments"),
            "comment": forms.text("comment"),
        },
        anchor="mapping",
    ),
    Action(
        "unmap-control",
        "/controls/{framework}/{control}/unmap",
        "control",
        {
            "framework": forms.text("framework"),
            "control": forms.text("control"),
            "requirements": lambda _form: [],
            "comment": forms.text("comment"),
        },
        anchor="mapping",
    ),
    Action(
        "change-organization",
        "/settings/organization",
        "settings",
        {
            "retentionDays": forms.number("days"),
            "flowNamePattern": forms.text("pattern"),
            "requiredTypes": forms.some("types"),
            "public": forms.flag("public"),
        },
        anchor="organization",
    ),
)
