"""Evidence to look at: bytes of the vault in, what a page can show of them out.

Text and JSON are shown as text, JUnit and SARIF as tables; whatever cannot be read is offered as a download. Nothing of it is ever
HTML: a stranger wrote it, so templates escape it, and reports are read in the sandbox.
"""

import json
from typing import Any, Final

from starlette.requests import Request

from api.console.visitors import Visitor
from record.attestations.reports.result import REPORT_BYTES_MAX
from record.evidence import service
from record.evidence.queries import Evidence
from record.ids import checked_digest
from record.record import Record
from record.refusals import MalformedReport, Refusal

SHOWN_BYTES_MAX: Final = 60_000
"""How much of a text is shown. The file is one click away."""
_TABLES: Final = {"junit": "junit", "sarif": "sarif"}


async def previewed(request: Request, visitor: Visitor, context: dict[str, Any]) -> dict[str, Any]:
    """What the page of a file of evidence shows beside what is recorded of it. Refuses what the visitor may not read."""
    record: Record = request.app.state.record
    evidence = await service.readable(record, visitor.caller, checked_digest(request.path_params["digest"]))
    attestation = context["answer"].get("node") or {}
    named = [each for each in attestation.get("evidence", ()) if each["digest"] == evidence.digest]
    kind = _TABLES.get(attestation.get("type", ""))
    preview: dict[str, Any] = {"kind": "none", "why": "", "cut": False}
    try:
        if kind is not None and evidence.size <= REPORT_BYTES_MAX:
            table = await record.sandbox.preview(kind, await service.whole(record, evidence))
            preview = {"kind": kind, "rows": table["rows"], "left_out": table["left_out"], "why": "", "cut": False}
        else:
            preview = await _as_text(record, evidence)
    except MalformedReport:
        preview = await _as_text(record, evidence)
    except Refusal as refusal:
        preview["why"] = refusal.message
    return {"preview": preview, "file": named[0] if named else None, "stored": evidence}


async def _as_text(record: Record, evidence: Evidence) -> dict[str, Any]:
    length = min(evidence.size, SHOWN_BYTES_MAX)
    chunks = record.vault.read(evidence.key, version_id=evidence.version_id, start=0, length=length)
    data = b"".join([chunk async for chunk in chunks]) if length else b""
    cut = length < evidence.size
    try:
        text = data.decode("utf-8", errors="ignore" if cut else "strict")
    except UnicodeDecodeError:
        return {"kind": "none", "why": "It is not a text.", "cut": False}
    if "\0" in text:
        return {"kind": "none", "why": "It is not a text.", "cut": False}
    if not cut:
        try:
            return {
                "kind": "json",
                "text": json.dumps(json.loads(text), indent=2, ensure_ascii=False),
                "why": "",
                "cut": False,
            }
        except (ValueError, RecursionError):
            pass
    return {"kind": "text", "text": text, "why": "", "cut": cut}
