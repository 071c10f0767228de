"""Reads reports and runs custom rules in processes of their own, so that a hostile one costs its sender and nobody else.

A jq rule may loop, a pattern may backtrack, a report may be 32 MiB of brackets: in the API's own process each of these would
stall every request. Here a small pool of processes is kept warm (`sandboxed` is what they run); each serves one request at a
time under limits of processor time and memory, and is replaced when it dies or has served enough.

What running out means depends on who is at fault:
 * processor time or memory: the report or rule is too much. A custom rule is then not compliant (the rule is named), a type
   or report is refused. Processor time does not depend on how busy the machine is, so the answer does not either;
 * wall-clock time, or killed from outside: the machine is too busy; `Unavailable`, nothing is recorded, trying again is right;
 * an exception inside: our bug, raised here with the inner traceback.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from record.attestations.reports import custom
from record.attestations.reports.dsse import TrustedKey
from record.attestations.reports.result import ReportResult
from record.attestations.reports.severities import DEFAULT_THRESHOLDS
from record.attestations.reports.strict_json import Parsed
from record.ids import Fingerprint
from record.refusals import InvalidInput, MalformedReport, Refusal, TooLarge, Unavailable

_ROOT: Final = Path(__file__).resolve().parents[3]
_START: Final = (
    "import sys; sys.path.insert(0, {root!r}); from record.attestations.reports.sandboxed import main; main()"
)
_EXHAUSTED: Final = {
    "time": "used more processor time than it may",
    "memory": "needed more memory than it may",
}
_SIGNALS: Final[dict[int, str]] = {
    signal.SIGXCPU: "time",
    signal.SIGABRT: "memory",
    signal.SIGSEGV: "memory",
    signal.SIGBUS: "memory",
}
_REFUSALS: Final[dict[str, type[InvalidInput]]] = {"InvalidInput": InvalidInput, "MalformedReport": MalformedReport}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may use. The worst reports of 32 MiB need 6 seconds of processor time and about 1 GiB."""

    report_cpu_seconds: int = 20
    rules_cpu_seconds: int = 2
    report_memory_bytes: int = 1536 * 1024 * 1024
    rules_memory_bytes: int = 512 * 1024 * 1024
    wall_seconds: float = 60.0
    requests_per_process: int = 2000


class _Spent(Exception):  # noqa: N818 (turned into an answer by the caller, who knows what was asked)
    """The request used up its processor time or memory. `why` completes the sentence `it …`."""

    def __init__(self, why: str, step: str) -> None:
        super().__init__(why)
        self.why = why
        self.step = step


class Sandbox:
    """The pool. `async with Sandbox() as sandbox:`; processes start when they are first needed."""

    def __init__(self, *, processes: int = 2, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._turns = asyncio.Semaphore(processes)
        self._idle: list[_Process] = []
        self._all: set[_Process] = set()

    async def __aenter__(self) -> "Sandbox":
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Stops every process. The sandbox can be used again afterwards: new ones start."""
        self._idle.clear()
        processes, self._all = self._all, set()
        for process in processes:
            process.kill()
        await asyncio.gather(*(process.ended() for process in processes))

    async def check_type(self, schema: Parsed, rules: Sequence[str]) -> None:
        """`custom.check_type`, under limits."""
        try:
            await self._ask("check_type", {"schema": schema, "rules": [*rules]}, [])
        except _Spent as end:
            raise InvalidInput(f"The type cannot be checked: it {end.why}. Simplify it.", field="schema") from None

    async def read_custom(self, data: Parsed, *, schema: Parsed, rules: Sequence[str]) -> ReportResult:
        """`custom.read_custom`, under limits; a rule that exceeds them is not compliant."""
        arguments = {"data": data, "schema": schema, "rules": [*rules]}
        try:
            return await self._result("custom", arguments, [])
        except _Spent as end:
            return custom.unfinished(end.step or "the data", end.why)

    async def read_junit(self, files: Sequence[bytes]) -> ReportResult:
        """`junit.read_junit`, under limits."""
        return await self._report("junit", {}, files)

    async def read_sarif(
        self, data: bytes, *, thresholds: Mapping[str, int | None] = DEFAULT_THRESHOLDS
    ) -> ReportResult:
        """`sarif.read_sarif`, under limits."""
        return await self._report("sarif", {"thresholds": dict(thresholds)}, [data])

    async def read_snyk(
        self, data: bytes, *, thresholds: Mapping[str, int | None] = DEFAULT_THRESHOLDS
    ) -> ReportResult:
        """`scanners.read_snyk`, under limits."""
        return await self._report("snyk", {"thresholds": dict(thresholds)}, [data])

    async def read_trivy(
        self, data: bytes, *, thresholds: Mapping[str, int | None] = DEFAULT_THRESHOLDS
    ) -> ReportResult:
        """`scanners.read_trivy`, under limits."""
        return await self._report("trivy", {"thresholds": dict(thresholds)}, [data])

    async def read_sbom(self, data: bytes, *, fingerprint: Fingerprint | None) -> ReportResult:
        """`sbom.read_sbom`, under limits."""
        return await self._report("sbom", {"fingerprint": fingerprint}, [data])

    async def read_provenance(
        self, data: bytes, *, fingerprint: Fingerprint | None, keys: Sequence[TrustedKey]
    ) -> ReportResult:
        """`provenance.read_provenance`, under limits."""
        arguments = {"fingerprint": fingerprint, "keys": [asdict(key) for key in keys]}
        return await self._report("provenance", arguments, [data])

    async def preview(self, kind: str, data: bytes) -> dict[str, Any]:
        """The rows of a `junit` or `sarif` report for people, and how many were left out."""
        return (await self._report(f"preview_{kind}", {}, [data])).summary

    async def read_catalog(self, data: bytes) -> dict[str, Any]:
        """`record.controls.oscal.read_catalog`, under limits."""
        try:
            catalog: dict[str, Any] = await self._ask("oscal", {}, [data])
        except _Spent as end:
            raise MalformedReport(f"The catalogue cannot be read: it {end.why}. Divide it into several.") from None
        return catalog

    async def _report(self, operation: str, arguments: dict[str, Any], files: Sequence[bytes]) -> ReportResult:
        try:
            return await self._result(operation, arguments, files)
        except _Spent as end:
            raise MalformedReport(f"The report cannot be read: it {end.why}. Split it into smaller reports.") from None

    async def _result(self, operation: str, arguments: dict[str, Any], files: Sequence[bytes]) -> ReportResult:
        return ReportResult(**await self._ask(operation, arguments, files))

    async def _ask(self, operation: str, arguments: dict[str, Any], files: Sequence[bytes]) -> Any:
        strange = operation in custom.STRANGERS_PROGRAMS
        limits = self._limits
        request = {
            "operation": operation,
            "arguments": arguments,
            "files": [len(data) for data in files],
            "cpu_seconds": limits.rules_cpu_seconds if strange else limits.report_cpu_seconds,
            "memory_bytes": limits.rules_memory_bytes if strange else limits.report_memory_bytes,
        }
        try:
            async with asyncio.timeout(limits.wall_seconds), self._turns:
                answer = await self._exchange(json.dumps(request).encode(), files)
        except TimeoutError:
            raise Unavailable("The server is too busy to read the report now. Try again.") from None
        if "refused" in answer:
            raise _refusal(answer)
        if "broken" in answer:
            raise RuntimeError(f"{operation} failed inside of the sandbox:\n{answer['broken']}")
        if "exhausted" in answer:
            raise _Spent(_EXHAUSTED[answer["exhausted"]], answer["step"])
        return answer["result"]

    async def _exchange(self, request: bytes, files: Sequence[bytes]) -> dict[str, Any]:
        """One request through one process, which goes back to the pool only if it answered."""
        process = await self._process()
        try:
            answer = await process.ask(request, files)
        except (asyncio.IncompleteReadError, ConnectionError):
            return await self._obituary(process)
        except BaseException:
            await asyncio.shield(self._end(process))
            raise
        if process.served < self._limits.requests_per_process:
            self._idle.append(process)
        else:
            await self._end(process)
        return answer

    async def _obituary(self, process: "_Process") -> dict[str, Any]:
        """The answer of a process that died instead of answering: it exhausted something, or something outside killed it."""
        if process in self._all:
            code = await process.ended()
            self._all.discard(process)
            if (exhausted := _SIGNALS.get(-code)) is not None:
                return {"exhausted": exhausted, "step": process.step}
            if code >= 0:
                return {"broken": f"the process ended by itself with exit code {code}"}
        raise Unavailable("The process that read the report was stopped from outside. Try again.")

    async def _process(self) -> "_Process":
        while self._idle:
            process = self._idle.pop()
            if process.alive:
                return process
            await self._end(process)
        process = _Process(await _start())
        self._all.add(process)
        return process

    async def _end(self, process: "_Process") -> None:
        self._all.discard(process)
        process.kill()
        await process.ended()


class _Process:
    """One process of the pool, and how far it is with the present request."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._requests = process.stdin
        self._answers = process.stdout
        self.served = 0
        self.step = ""

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def ask(self, request: bytes, files: Sequence[bytes]) -> dict[str, Any]:
        self.step = ""
        self.served += 1
        self._requests.write(len(request).to_bytes(4, "big") + request)
        for data in files:
            self._requests.write(data)
        await self._requests.drain()
        while True:
            length = int.from_bytes(await self._answers.readexactly(4), "big")
            answer: dict[str, Any] = json.loads(await self._answers.readexactly(length))
            if "step" not in answer:
                return {**answer, "step": self.step}
            self.step = answer["step"]

    def kill(self) -> None:
        """Ends the process at once, whatever it does."""
        if self.alive:
            self._process.kill()

    async def ended(self) -> int:
        """How the process ended: its exit code, or the negative number of the signal."""
        self._requests.close()
        return await self._process.wait()


async def _start() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-c",
        _START.format(root=str(_ROOT)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
        cwd="/",
        start_new_session=True,
    )


def _refusal(answer: dict[str, Any]) -> Refusal:
    kind = _REFUSALS.get(answer["refused"])
    if kind is not None:
        return kind(answer["message"], field=answer["field"], line=answer["line"], column=answer["column"])
    assert answer["refused"] == TooLarge.__name__
    return TooLarge(answer["message"])
