"""The sandbox: the same answers as without it, and that what loops, bloats or crashes costs nobody else anything."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable

import psutil
import pytest

from record.attestations.reports.dsse import TrustedKey
from record.attestations.reports.junit import read_junit
from record.attestations.reports.provenance import read_provenance
from record.attestations.reports.sandbox import Limits, Sandbox
from record.attestations.reports.sarif import read_sarif
from record.attestations.reports.sbom import read_sbom
from record.ids import Fingerprint
from record.refusals import InvalidInput, MalformedReport, Unavailable
from tests.assets.make import ARTIFACT, BUILDER, public_pem

THIS = Fingerprint(ARTIFACT)
QUICK = Limits(rules_cpu_seconds=1, report_cpu_seconds=1)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(processes=2, limits=QUICK) as started:
        yield started


def sandboxed() -> set[int]:
    return {child.pid for child in psutil.Process().children() if "sandboxed" in " ".join(child.cmdline())}


@pytest.fixture
def children() -> Callable[[], set[int]]:
    """The processes of this test's sandbox: those that were not there before. Other tests keep sandboxes of their own."""
    others = sandboxed()
    return lambda: sandboxed() - others


async def test_every_reader_answers_as_it_does_without_the_sandbox(
    sandbox: Sandbox, asset: Callable[[str], bytes]
) -> None:
    junit, sarif = asset("junit_totals_hide_a_failure.xml"), asset("sarif_suppressed.sarif")
    sbom, provenance = asset("sbom_of_something_else.json"), asset("provenance_good.dsse.json")
    keys = [TrustedKey("k1", public_pem(BUILDER), "builder")]

    assert await sandbox.read_junit([junit, junit]) == read_junit([junit, junit])
    assert await sandbox.read_sarif(sarif, thresholds={"low": 0}) == read_sarif(sarif, thresholds={"low": 0})
    assert await sandbox.read_sbom(sbom, fingerprint=THIS) == read_sbom(sbom, fingerprint=THIS)
    assert await sandbox.read_provenance(provenance, fingerprint=THIS, keys=keys) == read_provenance(
        provenance, fingerprint=THIS, keys=keys
    )
    assert (await sandbox.read_snyk(b'{"vulnerabilities": []}')).compliant
    assert (await sandbox.read_trivy(b'{"SchemaVersion": 2}')).compliant
    assert (await sandbox.read_custom({"a": 1}, schema={"type": "object"}, rules=[".a == 1"])).compliant


async def test_a_refusal_comes_out_with_its_place(sandbox: Sandbox, asset: Callable[[str], bytes]) -> None:
    with pytest.raises(MalformedReport) as report:
        await sandbox.read_sarif(asset("sarif_key_twice.sarif"))
    with pytest.raises(InvalidInput) as rule:
        await sandbox.check_type(None, [".a\n| now"])

    assert (report.value.line, report.value.column) == (2, 14)
    assert (rule.value.field, rule.value.line, rule.value.column) == ("rules[0]", 2, 3)


@pytest.mark.parametrize("rule", ["def f: f; f", "last(range(1e18))", '[limit(1e9; repeat("x"))] | length > 0'])
async def test_a_rule_without_end_is_not_compliant_and_named(sandbox: Sandbox, rule: str) -> None:
    result = await sandbox.read_custom({}, schema=None, rules=["true", rule])

    assert not result.compliant
    assert result.explanation.startswith("Rule 2 (")
    assert "more processor time than it may" in result.explanation or "more memory than it may" in result.explanation


async def test_a_rule_that_wants_all_memory_is_not_compliant_and_named(sandbox: Sandbox) -> None:
    result = await sandbox.read_custom({}, schema=None, rules=["def f: 1 + f; f"])

    assert not result.compliant
    assert result.explanation.startswith("Rule 1 (def f: 1 + f; f) did not finish")


async def test_a_report_that_takes_too_long_is_refused(sandbox: Sandbox) -> None:
    case = b"<testcase classname='module.Class' name='test' time='1'/>"

    with pytest.raises(MalformedReport, match="processor time"):
        await sandbox.read_junit([b"<testsuite>" + case * 580_000 + b"</testsuite>"])


async def test_others_are_answered_while_a_rule_loops(sandbox: Sandbox) -> None:
    looping = asyncio.create_task(sandbox.read_custom({}, schema=None, rules=["def f: f; f"]))

    for _ in range(20):
        assert (await sandbox.read_custom({}, schema=None, rules=["true"])).compliant
    assert not looping.done()

    assert not (await looping).compliant


async def test_a_process_is_used_again_and_replaced_after_its_share(children: Callable[[], set[int]]) -> None:
    async with Sandbox(processes=1, limits=Limits(requests_per_process=3)) as sandbox:
        seen = []
        for _ in range(4):
            await sandbox.read_custom({}, schema=None, rules=["true"])
            seen.append(children())

    assert seen[0] == seen[1]
    assert len(seen[0]) == 1
    assert seen[2] == set()
    assert seen[3] != seen[0]
    assert children() == set()


async def test_rules_run_without_environment_files_or_connections(
    children: Callable[[], set[int]], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUNIMENT_SECRET", "hidden")
    await sandbox.read_custom({}, schema=None, rules=["true"])
    (pid,) = children()

    process = psutil.Process(pid)

    assert "MUNIMENT_SECRET" not in process.environ()
    assert process.cwd() == "/"
    assert process.rlimit(psutil.RLIMIT_NOFILE)[0] == 3
    assert process.rlimit(psutil.RLIMIT_FSIZE)[0] == 0
    assert process.net_connections() == []


async def test_a_process_killed_from_outside_is_not_the_report_s_fault(
    children: Callable[[], set[int]], sandbox: Sandbox
) -> None:
    await sandbox.read_custom({}, schema=None, rules=["true"])
    (pid,) = children()
    looping = asyncio.create_task(sandbox.read_custom({}, schema=None, rules=["def f: f; f"]))
    while not psutil.Process(pid).cpu_times().user > 0.3:
        await asyncio.sleep(0.01)

    os.kill(pid, signal.SIGKILL)

    with pytest.raises(Unavailable, match="Try again"):
        await looping
    assert (await sandbox.read_custom({}, schema=None, rules=["true"])).compliant


async def test_waiting_for_a_busy_machine_ends_as_unavailable(children: Callable[[], set[int]]) -> None:
    async with Sandbox(processes=1, limits=Limits(wall_seconds=0.5)) as sandbox:
        with pytest.raises(Unavailable):
            await sandbox.read_custom({}, schema=None, rules=["def f: f; f"])

        assert children() == set()


async def test_a_caller_that_gives_up_leaves_no_process_behind(sandbox: Sandbox) -> None:
    await sandbox.read_custom({}, schema=None, rules=["true"])
    waiting = asyncio.create_task(sandbox.read_custom({}, schema=None, rules=["def f: f; f"]))
    await asyncio.sleep(0)

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert (await sandbox.read_custom({}, schema=None, rules=["true"])).compliant
