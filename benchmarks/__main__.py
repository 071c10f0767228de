"""`python -m benchmarks [NAME...] [--seconds N] [--rounds N] [--entries N]`: a table on stderr, one JSON object on stdout."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from benchmarks import console, growth, reads, runtime, writes
from benchmarks.rig import Rig
from benchmarks.turns import Options, Outcome

CASES: Final[dict[str, Callable[[Rig, Options], Coroutine[Any, Any, Outcome]]]] = {
    "writes": writes.measure,
    "reads": reads.measure,
    "growth": growth.measure,
    "runtime": runtime.measure,
    "console": console.measure,
}


def main() -> int:
    """Status 1 when a figure is not met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures what is claimed about speed.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which of {', '.join(CASES)}; all without one")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long one run lasts (2)")
    parser.add_argument("--rounds", type=int, default=5, help="how many rounds a median is taken over (5)")
    parser.add_argument("--entries", type=int, default=100_000, help="size of the large ledger in `growth` (100000)")
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in CASES]
    if unknown:
        parser.error(f"{unknown[0]!r} is none of {', '.join(CASES)}.")
    options = Options(seconds=asked.seconds, rounds=asked.rounds, entries=asked.entries)
    written: dict[str, object] = {}
    met = True
    with Rig() as rig:
        for name in asked.names or CASES:
            began = time.monotonic()
            outcome = asyncio.run(CASES[name](rig, options))
            seconds = time.monotonic() - began
            met = met and all(figure.met for figure in outcome.figures)
            written[name] = {
                "figures": [figure.to_json() for figure in outcome.figures],
                "medians": outcome.medians,
                "seconds": round(seconds, 1),
            }
            _show(name, outcome, seconds)
    print(json.dumps(written))
    return 0 if met else 1


def _show(name: str, outcome: Outcome, seconds: float) -> None:
    say = sys.stderr.write
    say(f"\n{name} ({seconds:.0f} s)\n")
    for case, contenders in outcome.medians.items():
        for contender, numbers in contenders.items():
            say(
                f"  {case:34} {contender:12} {numbers['requests_per_second']:9.1f} requests/s"
                f"  p50 {numbers['p50_ms']:8.2f} ms  p99 {numbers['p99_ms']:8.2f} ms\n"
            )
    for figure in outcome.figures:
        spread = "" if figure.spread is None else f"  [{figure.spread[0]:.3f} .. {figure.spread[1]:.3f}]"
        verdict = "" if not figure.target else f"  {figure.target}: {'met' if figure.met else 'MISSED'}"
        say(f"  {figure.case:34} {figure.what:34} {figure.value:8.3f}{spread}{verdict}\n")


if __name__ == "__main__":
    raise SystemExit(main())
