"""The demo from start to end."""

import json
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

from embedded.demo import chapters, evidence, runtime
from embedded.demo.client import Client, DemoError
from embedded.demo.telling import Teller
from embedded.system import System

HOME = Path(".muniment/demo")
ARCHIVE_PATIENCE_SECONDS = 60

WATCH = """
query Watch($id: ID!) {
  record { archive(id: $id) { status progress { done total text } digest url failure } }
}"""
CHECKPOINT = (
    "query Covering($size: LedgerSize!) { record { size ledger { checkpointCovering(size: $size) { size } } } }"
)


def main() -> int:
    """Shows everything; 0 when everything was as it should be."""
    tell = Teller()
    began = time.monotonic()
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    try:
        result = _show(tell)
    except DemoError as error:
        tell.line(f"\nThe demo stopped: {error}\nIts logs are in {HOME / 'system' / 'logs'}.")
        return 1
    tell.finish()
    result["seconds"] = {**tell.seconds, "all": round(time.monotonic() - began, 2)}
    tell.line(
        f"\nDone in {result['seconds']['all']} s. The archive is {result['archive']}; logs are in {HOME}/system/logs."
    )
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


def _show(tell: Teller) -> dict[str, Any]:
    tell.chapter("evidence", "1. Evidence, made on the spot by real tools")
    made = evidence.make(HOME / "evidence")
    commits = evidence.commits(5)
    tell.fact("a wheel, two test reports, a lint report, a bill of materials", detail=str(HOME / "evidence"))
    tell.chapter("start", "2. PostgreSQL, Valkey and SeaweedFS, the API and a worker")
    with System(HOME / "system", say=lambda line: tell.line(f"  {line.strip()}")) as system:
        assert system.organization is not None
        admin = Client(system.url, system.organization.key_file.read_text().strip())
        tell.chapter("record", "3. A delivery is recorded: this repository's own")
        pipeline = chapters.begin(admin, system.url, tell)
        delivery = chapters.record_delivery(pipeline, made, commits, tell)
        tell.chapter("process", "4. A business process is recorded: shell access to a server")
        chapters.record_process(pipeline, HOME / "session", tell)
        tell.chapter("ask", "5. Is it compliant, and why? Now, and as it stood")
        chapters.ask(pipeline, delivery, tell)
        tell.chapter("runtime", "6. What may run in production, who said so, and what runs there")
        runtime.run(admin, pipeline, delivery, made, commits, tell)
        tell.chapter("archive", "7. An auditor takes everything about one trail away")
        archive, sha256 = _take_archive(pipeline, delivery.complete, tell)
        entries, checkpoint_size = _sizes(pipeline)
        tell.fact(f"a signed checkpoint covers all {entries} entries", detail=f"size {checkpoint_size}")
        name = system.organization.name
        key = system.organization.log_verifier_key
        admin.close()
        pipeline.close()
    tell.chapter("verify", "8. Everything is stopped. A stranger checks the archive")
    verified, tampered = _check(archive, key, tell)
    return {
        "archive": str(archive),
        "sha256": sha256,
        "organization": name,
        "entries": entries,
        "checkpoint_size": checkpoint_size,
        "verified": verified,
        "tamper_detected": tampered,
    }


def _take_archive(pipeline: Client, trail: str, tell: Teller) -> tuple[Path, str]:
    asked = pipeline.write(
        "requestArchive",
        "RequestArchiveInput",
        {"kind": "TRAIL", "flow": chapters.FLOW, "trail": trail},
        returning="archive { id }",
    )
    deadline = time.monotonic() + ARCHIVE_PATIENCE_SECONDS
    shown = None
    while True:
        found = pipeline.ask(WATCH, id=asked["archive"]["id"])["record"]["archive"]
        progress = found["progress"]
        if progress is not None and progress != shown:
            shown = progress
            tell.progress(progress["text"], progress["done"], progress["total"])
        if found["status"] == "READY":
            break
        if found["status"] == "FAILED":
            raise DemoError(f"The archive failed: {found['failure']}")
        if time.monotonic() > deadline:
            raise DemoError(f"The archive is not ready after {ARCHIVE_PATIENCE_SECONDS} s: {found}")
        time.sleep(0.1)
    target = HOME / "archive.zip"
    sha256 = pipeline.download(found["url"], target)
    if sha256 != found["digest"]:
        raise DemoError("The downloaded archive is not the one that was recorded.")
    tell.fact(f"downloaded, {target.stat().st_size:,} bytes", detail=f"sha256 {sha256[:16]}…, as the record says")
    return target, sha256


def _sizes(pipeline: Client) -> tuple[int, int]:
    """The ledger's size, and the size of a checkpoint that covers it: signed within a second or so."""
    size = pipeline.ask(CHECKPOINT, size=0)["record"]["size"]
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        covering = pipeline.ask(CHECKPOINT, size=size)["record"]["ledger"]["checkpointCovering"]
        if covering is not None:
            return size, covering["size"]
        time.sleep(0.1)
    raise DemoError(f"No signed checkpoint covers the {size} entries after 10 s.")


def _check(archive: Path, key: str, tell: Teller) -> tuple[bool, bool]:
    """Unpacks and runs the archive's own verifier, which needs nothing but Python; then flips one byte of a copy."""
    unpacked = HOME / "archive"
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(unpacked)
    good = _verify(unpacked, key)
    if good.returncode != 0:
        raise DemoError(f"The archive does not verify:\n{good.stdout}{good.stderr}")
    for line in _kept(good.stdout):
        tell.line(f"    {line}")
    tell.fact("verified offline, with Python's standard library alone", detail=f"python3 -I -S {unpacked}/verify.py")
    tampered = HOME / "tampered"
    shutil.copytree(unpacked, tampered)
    victim = next(path for path in sorted((tampered / "evidence").rglob("*")) if path.is_file())
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(bytes(content))
    bad = _verify(tampered, key)
    told = bad.stdout + bad.stderr
    named = bad.returncode == 5 and victim.name in told
    tell.line(f"\n  One bit of {victim.relative_to(tampered)} is flipped in a copy:")
    for line in told.splitlines():
        if victim.name in line or re.search(r"not verif|NOT|wrong", line):
            tell.line(f"    {line.strip()}")
    if not named:
        raise DemoError(f"The verifier did not name what is wrong:\n{told}")
    tell.fact("the verifier names what was changed, and exits with 5")
    return True, named


def _verify(folder: Path, key: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-S", str(folder / "verify.py"), str(folder), "--key", key],
        capture_output=True,
        text=True,
        check=False,
    )


def _kept(told: str) -> list[str]:
    return [line.strip() for line in told.splitlines() if line.strip()][-6:]
