"""The inner side of the sandbox: one process that reads reports, one after another, and can do nothing else.

It is started by `sandbox` with an empty environment, in `/`, and talks through its standard input and output: a frame is a
length of four bytes and that much JSON; a request's files follow its frame. Before each request it limits itself: seconds of
processor time from now, memory, no file written, and, where a stranger's program runs (schemas and jq rules), not one more
file descriptor, so that no file can be opened and no connection made. Exceeding the first kills the process; `sandbox` knows
what it was doing from the last step that it announced.

Nothing is kept of a request when it is answered, but the schemas of bills of materials and compiled jq rules.
"""

import json
import math
import resource
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, Final

from record.attestations.reports.custom import STRANGERS_PROGRAMS, Progress, check_type, read_custom
from record.attestations.reports.dsse import TrustedKey
from record.attestations.reports.junit import read_junit
from record.attestations.reports.preview import preview_junit, preview_sarif
from record.attestations.reports.provenance import read_provenance
from record.attestations.reports.result import ReportResult
from record.attestations.reports.sarif import read_sarif
from record.attestations.reports.sbom import read_sbom
from record.attestations.reports.scanners import read_snyk, read_trivy
from record.controls.oscal import read_catalog
from record.refusals import InvalidInput, Refusal

OPEN_FILES: Final = 64
"""Descriptors that the readers of reports may have: they load the schemas of bills of materials."""
NO_MORE_FILES: Final = 3

Operation = Callable[[dict[str, Any], Sequence[bytes], Progress], ReportResult | dict[str, Any] | None]


def _provenance(arguments: dict[str, Any], files: Sequence[bytes], progress: Progress) -> ReportResult:
    keys = [TrustedKey(**key) for key in arguments["keys"]]
    return read_provenance(files[0], fingerprint=arguments["fingerprint"], keys=keys)


OPERATIONS: Final[dict[str, Operation]] = {
    "check_type": lambda arguments, files, progress: check_type(**arguments),
    "custom": lambda arguments, files, progress: read_custom(**arguments, progress=progress),
    "junit": lambda arguments, files, progress: read_junit(files),
    "sarif": lambda arguments, files, progress: read_sarif(files[0], **arguments),
    "snyk": lambda arguments, files, progress: read_snyk(files[0], **arguments),
    "trivy": lambda arguments, files, progress: read_trivy(files[0], **arguments),
    "sbom": lambda arguments, files, progress: read_sbom(files[0], **arguments),
    "provenance": _provenance,
    "preview_junit": lambda arguments, files, progress: preview_junit(files[0]),
    "preview_sarif": lambda arguments, files, progress: preview_sarif(files[0]),
    "oscal": lambda arguments, files, progress: read_catalog(files[0]),
}


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answers requests until there are no more."""
    while prefix := requests.read(4):
        request = json.loads(requests.read(int.from_bytes(prefix, "big")))
        files = [requests.read(length) for length in request["files"]]
        _limit(request["cpu_seconds"], request["memory_bytes"], strict=request["operation"] in STRANGERS_PROGRAMS)
        _tell(answers, _answered(request, files, lambda step: _tell(answers, {"step": step})))


def _answered(request: dict[str, Any], files: Sequence[bytes], progress: Progress) -> dict[str, Any]:
    try:
        result = OPERATIONS[request["operation"]](request["arguments"], files, progress)
    except Refusal as refusal:
        told: dict[str, Any] = {"refused": type(refusal).__name__, "message": refusal.message}
        if isinstance(refusal, InvalidInput):
            told |= {"field": refusal.field, "line": refusal.line, "column": refusal.column}
        return told
    except MemoryError:
        return {"exhausted": "memory"}
    except Exception:  # noqa: BLE001 (our bug, which the other side raises and logs)
        return {"broken": traceback.format_exc()}
    if not isinstance(result, ReportResult):
        return {"result": result}
    return {"result": {"compliant": result.compliant, "summary": result.summary, "explanation": result.explanation}}


def _limit(cpu_seconds: int, memory_bytes: int, *, strict: bool) -> None:
    """Limits what the next request may use. Only soft limits move, so that the one after it can have its own."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    wanted = {
        resource.RLIMIT_CPU: math.ceil(used.ru_utime + used.ru_stime) + cpu_seconds,
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: NO_MORE_FILES if strict else OPEN_FILES,
    }
    for kind, soft in wanted.items():
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _tell(answers: BinaryIO, message: dict[str, Any]) -> None:
    body = json.dumps(message).encode()
    answers.write(len(body).to_bytes(4, "big") + body)
    answers.flush()


def main() -> None:
    """Serves standard input and output."""
    serve(sys.stdin.buffer, sys.stdout.buffer)
