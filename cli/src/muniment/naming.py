"""Which artifact is meant: by fingerprint, by `flow@fingerprint`, by `flow:commit`, or by the exact name it was reported under."""

from __future__ import annotations

from muniment.documents import Query
from muniment.exits import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from muniment.client import Client

HEX = "0123456789abcdef"
FINGERPRINT_DIGITS_MIN = 7

FIND = Query("""
query($text: String!) {
  record { search(query: $text) { __typename ... on Artifact {
    fingerprint name reports { name flowName trailName reportedAt commit { sha } } } } }
}""")


def is_fingerprint(text: str) -> bool:
    """Whether this is a whole fingerprint, `sha256:` in front or not."""
    return len(bare(text)) == 64 and is_prefix(text)


def is_prefix(text: str) -> bool:
    """Whether this may be the beginning of a fingerprint or of a commit."""
    digits = bare(text)
    return FINGERPRINT_DIGITS_MIN <= len(digits) <= 64 and all(digit in HEX for digit in digits)


def bare(text: str) -> str:
    """Without `sha256:` in front."""
    return text[7:] if text.startswith("sha256:") else text


def template_name(name: str) -> str:
    """What a template would call the artifact of this name: `registry/team/my.app:v1@sha256:...` is `my-app`.

    A name of an image loses its registry, tag and digest, a path its directories, and a file its extension.
    """
    last = name.partition("@")[0].replace("\\", "/").rstrip("/").rpartition("/")[2]
    stem = last.partition(":")[0]
    if ":" not in last and "." in stem.strip("."):
        stem = stem.rpartition(".")[0]
    kept = "".join(each if each.isascii() and (each.isalnum() or each in "_-") else "-" for each in stem).strip("-")
    return kept[:255] or "artifact"


def fingerprint_of_name(client: Client, name: str, flow: str | None) -> str:
    """The fingerprint of the newest artifact that was reported under exactly this name. Refuses when there is none."""
    for artifact in found(client, name):
        reports = artifact["reports"]
        if any(each["name"] == name and (flow is None or each["flowName"] == flow) for each in reports):
            fingerprint: str = artifact["fingerprint"]
            return fingerprint
    place = "" if flow is None else f" in the flow {flow}"
    raise Refused(
        f"No artifact was reported under the name {name}{place}. Report it first, or give its --fingerprint.",
        "NOT_FOUND",
    )


def found(client: Client, text: str) -> list[dict[str, Any]]:
    """Artifacts whose name, commit or fingerprint begins so, the last reported first."""
    hits = client.ask(FIND, {"text": text})["record"]["search"]
    return [hit for hit in hits if hit["__typename"] == "Artifact"]
