"""`muniment search`: a beginning in, everything in the record that begins so out."""

from __future__ import annotations

from muniment.command import Argument, Command
from muniment.documents import Query

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from muniment.context import Context
    from muniment.exits import ExitCode

SEARCH = Query("""
query($text: String!) { record { ledger { origin } search(query: $text) { __typename
  ... on Flow { name description changedAt }
  ... on Trail { name flowName begunAt commit { sha } verdict { status } }
  ... on Artifact { name fingerprint reports { flowName trailName } verdict { status } }
  ... on Environment { name description type }
  ... on Policy { name description version }
  ... on Deployment { id name environmentName fingerprint deployedAt }
  ... on Approval { id name environmentName fingerprint state }
  ... on Run { name environmentName fingerprint since until } } } }
""")


def search(context: Context) -> ExitCode:
    """What begins with a text."""
    record = context.ask(SEARCH, {"text": context.argument("TEXT")})["record"]
    origin = record["ledger"]["origin"]
    # A newer server may find what this client has no words for.
    hits = [hit for hit in record["search"] if "name" in hit]
    for hit in hits:
        hit["kind"] = hit.pop("__typename").lower()
        hit["link"] = context.link(origin, *_page(hit))
    rows = [
        [hit["kind"], hit["name"], _where(hit), (hit.get("verdict") or {}).get("status"), hit["link"]] for hit in hits
    ]
    return context.show(hits, lambda output: output.rows(["what", "name", "where", "verdict", "link"], rows))


def _page(hit: dict[str, Any]) -> tuple[str, ...]:
    kind = hit["kind"]
    if kind == "trail":
        return ("flows", hit["flowName"], "trails", hit["name"])
    if kind in ("flow", "environment"):
        return (f"{kind}s", hit["name"])
    if kind == "policy":
        return ("policies", hit["name"])
    if kind in ("deployment", "approval"):
        return (f"{kind}s", hit["id"])
    return ("artifacts", hit["fingerprint"])


def _where(hit: dict[str, Any]) -> str:
    if hit["kind"] == "trail":
        return str(hit["flowName"])
    if "environmentName" in hit:
        return str(hit["environmentName"])
    return ", ".join(sorted({f"{each['flowName']}/{each['trailName']}" for each in hit.get("reports", [])})[:3])


COMMANDS = (
    Command(
        "search",
        search,
        arguments=(Argument("TEXT", help="the beginning of a name, commit or fingerprint"),),
        examples=("muniment search 9f3c2a1",),
    ),
)
