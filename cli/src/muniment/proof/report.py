"""The outcome of a check told to a person or a program, and the command line of `verify.py`.

    python verify.py [ARCHIVE.zip or DIRECTORY] [--key VERIFIER-KEY] [--json]

Without an archive it checks the directory that it lies in, so that an unpacked archive can check itself. Exit codes: 0 when
everything verifies, 5 when something does not, 2 when the command makes no sense.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from muniment.proof.archive import verify_archive
from muniment.proof.findings import ArchiveResult, printable
from muniment.proof.notes import NoteError, VerifierKey, parse_verifier_key

EXIT_VERIFIED = 0
EXIT_USAGE = 2
EXIT_NOT_VERIFIED = 5


def report_text(result: ArchiveResult) -> str:
    """The outcome in words, one step a line, then every fault, then what to keep in mind."""
    facts = result.facts
    lines = [f"Archive   {printable(facts['archive'])}"]
    if "origin" in facts:
        question = " ".join(f"{name}={value}" for name, value in sorted(facts["question"].items()))
        extent = "whole ledger" if facts["whole_ledger"] else "part of the ledger"
        lines.append(f"Of        {printable(facts['organization'])}, {facts['entries']} entries ({extent})")
        lines.append(f"Question  {printable(question)}")
        lines.append(f"Ledger    {printable(facts['origin'])}, size {facts['size']}, root {facts['root']}")
    lines.extend(f"Key       {printable(key)}" for key in facts.get("keys", ()))
    lines.append("")
    for check in result.checks:
        told = f": {printable(check.detail)}" if check.detail else ""
        mark = "ok   " if check.ok else "-    " if check.detail.startswith("not reached") else "FAULT"
        lines.append(f"{check.number}. {mark}  {check.title}{told}")
    if result.faults:
        lines.extend(["", "What is wrong:"])
        lines.extend(f" * {fault}" for fault in result.faults)
    if result.notes:
        lines.extend(["", "Keep in mind:"])
        lines.extend(f" * {printable(note)}" for note in result.notes)
    lines.extend(["", "VERIFIED" if result.ok else "NOT VERIFIED: do not rely on this archive."])
    return "\n".join(lines) + "\n"


def report_json(result: ArchiveResult) -> str:
    """The outcome for a program."""
    return json.dumps(result.as_json(), indent=2, sort_keys=True) + "\n"


def exit_code(result: ArchiveResult) -> int:
    """0 if the archive verifies, 5 if not."""
    return EXIT_VERIFIED if result.ok else EXIT_NOT_VERIFIED


def check_and_tell(path: str, key: str | None, *, as_json: bool) -> int:
    """Check the archive at `path`, print the outcome, answer with the exit code."""
    expected: VerifierKey | None = None
    try:
        expected = parse_verifier_key(key) if key else None
    except NoteError as refusal:
        print(refusal, file=sys.stderr)
        return EXIT_USAGE
    if not Path(path).exists():
        print(f"There is no file or directory {printable(path)}. Name an archive.", file=sys.stderr)
        return EXIT_USAGE
    result = verify_archive(path, expected)
    text = report_json(result) if as_json else report_text(result)
    # A terminal that cannot show a character gets its escape instead of a crash.
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), end="")
    return exit_code(result)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of `verify.py`."""
    parser = argparse.ArgumentParser(
        description="Check a Muniment archive, offline, with Python's standard library alone."
    )
    parser.add_argument(
        "archive", nargs="?", help="ZIP file or directory; default: the directory that holds this program"
    )
    parser.add_argument("--key", help="the log's verifier key, if you have it from somewhere else than the archive")
    parser.add_argument("--json", action="store_true", help="tell the outcome as JSON")
    options = parser.parse_args(arguments)
    here = str(Path(__file__).resolve().parent)
    return check_and_tell(options.archive or here, options.key, as_json=options.json)
