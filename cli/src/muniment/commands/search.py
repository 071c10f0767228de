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
  ... on Artifact { name fingerprint reports { flowName trailName } verdict { status } } } } }
""")


def search(context: Context) -> ExitCode:
    """What begins with a text."""
    record = context.ask(SEARCH, {"text": context.argument("TEXT")})["record"]
    origin, hits = record["ledger"]["origin"], record["search"]
    for hit in hits:
        hit["kind"] = hit.pop("__typename").lower()
        hit["link"] = context.link(origin, *_page(hit))
    rows = [
        [hit["kind"], hit["name"], _where(hit), (hit.get("verdict") or {}).get("status"), hit["link"]] for hit in hits
    ]
    return context.show(hits, lambda output: output.rows(["what", "name", "where", "verdict", "link"], rows))


def _page(hit: dict[str, Any]) -> tuple[str, ...]:
    if hit["kind"] == "flow":
        return ("flows", hit["name"])
    if hit["kind"] == "trail":
        return ("flows", hit["flowName"], "trails", hit["name"])
    return ("artifacts", hit["fingerprint"])


def _where(hit: dict[str, Any]) -> str:
    if hit["kind"] == "trail":
        return str(hit["flowName"])
    return ", ".join(sorted({f"{each['flowName']}/{each['trailName']}" for each in hit.get("reports", [])})[:3])


COMMANDS = (
    Command(
        "search",
        search,
        arguments=(Argument("TEXT", help="the beginning of a name, commit or fingerprint"),),
        examples=("muniment search 9f3c2a1",),
    ),
)
